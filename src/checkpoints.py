"""Checkpoint folders: complete, atomic, and read as tensors only."""

from __future__ import annotations

import os
import pickle
import shutil
from typing import Any, Dict, Mapping, Optional

import torch

from .errors import CheckpointError

STATE_FILE = "learner.th"
HOST_FILES = ("mixer", "opt")  # what a host's own QMIX writes besides agent.th
READ_ERRORS = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError)


def last_good_path(args: Any, t_env: int) -> str:
    """Where a host keeps models: `<results>/models/<run>/<t_env>`."""
    results = getattr(args, "local_results_path", "results")
    run = getattr(args, "unique_token", "last_good")
    return os.path.join(results, "models", run, str(t_env))


def save(
    path: str, mac: Any, modules: Mapping[str, Any], state: Mapping[str, Any]
) -> None:
    """Write a checkpoint folder; it is complete or as it was before.

    Args:
        path: the folder.
        mac: the host's controller, which writes its own files.
        modules: stem of a file → what has a state dict.
        state: counters and the like, as tensors and plain types.
    """
    path = os.path.abspath(path)
    partial = f"{path}.partial-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    try:
        mac.save_models(partial)
        for stem, module in modules.items():
            torch.save(module.state_dict(), os.path.join(partial, f"{stem}.th"))
        torch.save(dict(state), os.path.join(partial, STATE_FILE))
        _replace_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_folder(new: str, path: str) -> None:
    """Put folder `new` in the place of `path`, which may exist."""
    old = f"{path}.old-{os.getpid()}"
    if os.path.isdir(path):
        os.rename(path, old)
    os.rename(new, path)
    shutil.rmtree(old, ignore_errors=True)


def load(
    path: str, mac: Any, modules: Mapping[str, Any], log: Any
) -> Optional[Dict[str, Any]]:
    """Read a checkpoint folder into the controller and the modules.

    All files are read before the first network is changed.

    Returns:
        The `state` that was saved, or None if this is the checkpoint of a host's own
        QMIX, which has no Q̂*: then only the controller and the mixer are loaded.

    Raises:
        CheckpointError: a file is absent, broken or of other networks.
    """
    if not os.path.isdir(path):
        raise CheckpointError(f"{path}: no such checkpoint folder")
    stems = [stem for stem in modules if _exists(path, stem)]
    absent = sorted(set(modules) - set(stems))
    is_hosts_own = not _exists(path, "learner") and set(stems) <= set(HOST_FILES)
    if not is_hosts_own and (absent or not _exists(path, "learner")):
        names = ", ".join(f"{stem}.th" for stem in absent) or STATE_FILE
        raise CheckpointError(f"{path}: incomplete, {names} is missing")
    if is_hosts_own:
        stems = [stem for stem in stems if stem != "opt"]
    loaded = {stem: read(os.path.join(path, f"{stem}.th")) for stem in stems}
    state = None if is_hosts_own else read(os.path.join(path, STATE_FILE))
    if _exists(path, "agent"):  # refuse a hostile one before the host loads it
        read(os.path.join(path, "agent.th"))
    for stem, content in loaded.items():
        _load_into(modules[stem], content, os.path.join(path, f"{stem}.th"))
    mac.load_models(path)
    if is_hosts_own:
        log.warning(
            "%s is a host's own checkpoint, without Q̂* or any other network of ours: "
            "the utilities and the monotonic mixer are loaded, the rest starts anew",
            path,
        )
    return state


def read(file: str) -> Any:
    """Read tensors and plain types from a file, executing nothing that it contains.

    Raises:
        CheckpointError: the file is absent, broken or holds anything else.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except READ_ERRORS as error:
        reason = str(error).strip().splitlines()[0] if str(error) else repr(error)
        message = f"{file}: cannot be read as tensors ({reason})"
        raise CheckpointError(message) from error


def _exists(path: str, stem: str) -> bool:
    return os.path.isfile(os.path.join(path, f"{stem}.th"))


def _load_into(module: Any, content: Any, file: str) -> None:
    try:
        module.load_state_dict(content)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{file}: is of another network ({reason})") from error
