"""A learner's checkpoints: complete, verified, and read as tensors only."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional

import torch

from .errors import CheckpointError
from .storage import Refused, folders, manifest, tensors

STATE_FILE = "learner.th"
EVIDENCE_STEM = "nonfinite"
# What the files of other learners may hold of our networks.
FOREIGN = ("mixer", "central_agent", "central_mixer")


def last_good_path(args: Any, t_env: int) -> str:
    """Where a host keeps models: `<results>/models/<run>/<t_env>`."""
    results = getattr(args, "local_results_path", "results")
    run = getattr(args, "unique_token", "last_good")
    return os.path.join(results, "models", run, str(t_env))


def save(
    path: str,
    mac: Any,
    modules: Mapping[str, Any],
    contents: Mapping[str, Any],
    config: Mapping[str, Any],
) -> None:
    """Write a checkpoint folder; it is complete or as it was before.

    Args:
        path: the folder.
        mac: the host's controller, which writes its own files.
        modules: stem of a file → what has a state dict.
        contents: stem of a file → what it holds, tensors and plain types.
        config: the run's settings, for the manifest.
    """
    with _refusals(), folders.writing(path, config=config) as partial:
        mac.save_models(partial)
        for stem, module in modules.items():
            torch.save(module.state_dict(), os.path.join(partial, f"{stem}.th"))
        for stem, content in contents.items():
            torch.save(content, os.path.join(partial, f"{stem}.th"))


def load(
    path: str, mac: Any, modules: Mapping[str, Any], log: Any
) -> Optional[Dict[str, Any]]:
    """Read a checkpoint folder into the controller and the modules.

    All files are held against the manifest, and read, before the first network is
    changed.

    Returns:
        The state of `learner.th`; None if this is the checkpoint of a host's own QMIX
        or of the published learner: then only the controller and those networks are
        loaded that it holds.

    Raises:
        CheckpointError: a file is absent, broken or of other networks.
    """
    with _refusals():
        folders.settle(path)
        if not os.path.isdir(path):
            raise Refused(f"{path}: no such checkpoint folder")
        is_verified = manifest.verify(path) is not None
        is_ours = _exists(path, "learner")
        if is_ours and not is_verified:
            raise Refused(f"{path}: incomplete, {manifest.NAME} is missing")
        stems = _check_complete(path, modules) if is_ours else _foreign(path, modules)
        loaded = {stem: read(os.path.join(path, f"{stem}.th")) for stem in stems}
        state = read(os.path.join(path, STATE_FILE)) if is_ours else None
        # What only hosts load: a hostile one is refused before they do.
        for stem in ("agent", "opt") if is_ours else ("agent",):
            if _exists(path, stem):
                read(os.path.join(path, f"{stem}.th"))
    for stem, content in loaded.items():
        _load_into(modules[stem], content, os.path.join(path, f"{stem}.th"))
    _load_controller(mac, path)
    if not is_ours:
        log.warning("%s %s", path, _what_is_new(modules, stems))
    return state


def read(file: str) -> Any:
    """Read tensors and plain types from a file, executing nothing that it contains.

    Raises:
        CheckpointError: the file is absent, broken or holds anything else.
    """
    with _refusals():
        return tensors.load(file)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise CheckpointError(str(error)) from error


def _check_complete(path: str, modules: Mapping[str, Any]) -> List[str]:
    absent = [f"{stem}.th" for stem in sorted(modules) if not _exists(path, stem)]
    if absent:
        raise Refused(f"{path}: incomplete, {', '.join(absent)} is missing")
    return list(modules)


def _foreign(path: str, modules: Mapping[str, Any]) -> List[str]:
    """Which of our networks another learner's checkpoint holds."""
    if not _exists(path, "agent") and not _exists(path, "mixer"):
        raise Refused(f"{path}: holds no checkpoint (neither agent.th nor mixer.th)")
    return [stem for stem in FOREIGN if stem in modules and _exists(path, stem)]


def _what_is_new(modules: Mapping[str, Any], loaded: List[str]) -> str:
    new = [s for s in modules if s not in loaded and not s.startswith("target_")]
    is_q_star_new = "central_agent" in new
    return (
        "is another learner's checkpoint (a host's own QMIX or the published one): "
        f"loaded are {', '.join(['agent', *loaded])}; "
        f"{'Q̂* is new: ' if is_q_star_new else 'new are '}{', '.join(new)}; "
        "the target networks are copies"
    )


def _exists(path: str, stem: str) -> bool:
    return os.path.isfile(os.path.join(path, f"{stem}.th"))


def _load_into(module: Any, content: Any, file: str) -> None:
    try:
        module.load_state_dict(content)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = tensors.what_differs(error)
        raise CheckpointError(f"{file}: is of another network ({reason})") from error


def _load_controller(mac: Any, path: str) -> None:
    """Have the host load its agent's file, whose tensors were read before."""
    try:
        mac.load_models(path)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = tensors.what_differs(error)
        raise CheckpointError(f"{path}: is of another agent ({reason})") from error
