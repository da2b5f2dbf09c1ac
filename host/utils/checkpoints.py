"""A run's checkpoints: numbered folders, the buffer's files, which of them to load."""

from __future__ import annotations

import logging
import math
import os
from contextlib import contextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    BinaryIO,
    ContextManager,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
)

import torch as th

from ...config.layers import leaves
from ...storage import Refused, folders, manifest, tensors
from ..errors import CheckpointError
from .buffer_files import BufferFiles
from .lines import Line, extended, is_on, line_of, number_of
from .logging import get_logger

if TYPE_CHECKING:
    from ..components.episode_buffer import ReplayBuffer

HOST_FILE = "host.th"
EVIDENCE_FILE = "nonfinite.th"


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise CheckpointError(str(error)) from error


@contextmanager
def same_networks(path: str, what: str = "is of other networks") -> Iterator[None]:
    """What a state of other networks makes of loading it is a CheckpointError."""
    try:
        yield
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason = tensors.what_differs(error)
        raise CheckpointError(f"{path}: {what} ({reason})") from error


def own_state(path: str) -> ContextManager[None]:
    """What a forged or foreign state of a run makes of taking it is one, too."""
    return same_networks(path, "holds no state that this host can go on from")


def load_tensors(path: str) -> Any:
    """Read a file of tensors, plain containers and numbers onto the CPU.

    Raises:
        CheckpointError: the file is absent, unreadable, or holds anything else.
    """
    with _refusals():
        return tensors.load(path)


def verify(path: str) -> Optional[Dict[str, Any]]:
    """Hold a checkpoint's files against its manifest, where it has one.

    Raises:
        CheckpointError: a file is absent, damaged, or was added.
    """
    with _refusals():
        folders.settle(path)
        return manifest.verify(path)


def steps_in(folder: str) -> List[int]:
    """The numbers of the checkpoints in a run's folder, in order.

    Raises:
        CheckpointError: the folder cannot be read.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint_path {folder!r} cannot be read: {error.strerror}"
        ) from error
    for name in names:
        if name.endswith(folders.REPLACED):
            _settle(os.path.join(folder, name[: -len(folders.REPLACED)]))
    steps = [folders.step_of(name) for name in os.listdir(folder)]
    paths = {
        step: os.path.join(folder, str(step)) for step in steps if step is not None
    }
    return sorted(step for step, path in paths.items() if os.path.isdir(path))


def _settle(path: str) -> None:
    try:
        folders.settle(path)
    except Refused as error:
        get_logger().warning("%s", error)


def _newest_first(folder: str) -> List[Tuple[int, Optional[Dict[str, Any]]]]:
    """(step, manifest) of a run's checkpoints by the time of their saves.

    The manifest is None where there is none. Where it is broken, the checkpoint is left
    out, and named.
    """
    found = []
    for step in steps_in(folder):
        try:
            found.append((step, manifest.read(os.path.join(folder, str(step)))))
        except Refused as error:
            get_logger().warning("%s; not used", error)
    return sorted(found, key=lambda pair: number_of(pair[1], pair[0]), reverse=True)


class RunFolder:
    """`results/models/<run>/`: a folder for each saved step, and the buffer's files.

    What is kept: of the line that is being gone on with, the last `keep` checkpoints
    (0: all), and the one with the highest test return; all of other lines. The folder
    is locked by the first save until this process ends.
    """

    def __init__(
        self, path: str, keep: int, saves_buffer: bool, log: logging.Logger
    ) -> None:
        self.path, self.keep, self.log = path, keep, log
        self.saves_buffer = saves_buffer
        self.buffer_files = BufferFiles(os.path.join(path, "buffer"))
        self.reason = ""  # why the last save failed
        self._line: Optional[Line] = None
        self._lock: Optional[BinaryIO] = None
        self._is_tidy = False

    @property
    def has_failed(self) -> bool:
        """Whether the last save did."""
        return bool(self.reason)

    def lock(self) -> None:
        """Keep other runs out; clean up what a killed one left half written."""
        with _refusals():
            self._lock = folders.hold(self.path)
        if self._is_tidy:
            return
        self._is_tidy = True
        if self._lock is not None:
            folders.tidy(self.path, age=0)
        elif os.name == "posix":
            self.log.warning(
                "%s cannot be locked on this file system: see to it that no other run "
                "uses it",
                self.path,
            )

    def go_on_from(self, step: int) -> None:
        """Go on from a checkpoint: it is the last one of all from now on.

        What was saved after it belongs to another line, and stays.
        """
        saved = self._saved()
        line = line_of(saved[step], step)
        last = max(number_of(facts, other) for other, facts in saved.items())
        if line[-1][1] != last:
            line = extended(line, last)
            manifest.note(os.path.join(self.path, str(step)), line=line)
            self.log.warning(
                "%s: going back to step %s; what was saved after it stays, and is no "
                "longer what resume=True goes on from",
                self.path,
                step,
            )
        self._line = line

    def save(
        self,
        learner: Any,
        t_env: int,
        state: Optional[Dict[str, Any]],
        buffer: ReplayBuffer,
        **facts: Any,
    ) -> None:
        """Save a checkpoint; if the disk refuses it, say so once and go on.

        Args:
            state: what `host.th` is to hold, or None.
            facts: for the manifest.
        """
        self.lock()
        try:
            self._save(learner, t_env, state, buffer, facts)
        # torch says RuntimeError on full disks
        except (OSError, RuntimeError, Refused) as error:
            reason = " ".join(str(error).split())[:300]
            if not self.reason:
                self.log.error(
                    "cannot save a checkpoint in %s (%s): training goes on, earlier "
                    "checkpoints stay as they are",
                    self.path,
                    reason,
                )
            self.reason = reason or type(error).__name__
        else:
            self.reason = ""

    def _save(
        self,
        learner: Any,
        t_env: int,
        state: Optional[Dict[str, Any]],
        buffer: ReplayBuffer,
        facts: Dict[str, Any],
    ) -> None:
        path = os.path.join(self.path, str(t_env))
        before = self._saved()
        if state is not None:
            files = self.buffer_files.save(buffer) if self.saves_buffer else []
            line = self._next_line(before)
            facts = {**facts, "t_env": t_env, "buffer": files, "line": line}
        with folders.writing(path, **facts) as partial:
            learner.save_models(partial)
            if state is not None:
                th.save(state, os.path.join(partial, HOST_FILE))
        if state is not None:
            self._line = line
        self.log.info("Saved models to %s", path)
        self._remove_old(before)

    def _saved(self) -> Dict[int, Dict[str, Any]]:
        """step → manifest of the checkpoints here that a run can go on from."""
        steps = steps_in(self.path) if os.path.isdir(self.path) else []
        facts = {s: _facts(os.path.join(self.path, str(s))) for s in steps}
        return {step: each for step, each in facts.items() if each is not None}

    def _next_line(self, saved: Dict[int, Dict[str, Any]]) -> Line:
        numbers = {number_of(facts, step): step for step, facts in saved.items()}
        last = max(numbers, default=0)
        if self._line is None:  # whoever saves here first goes on with what is here
            latest = numbers.get(last)
            self._line = [] if latest is None else line_of(saved[latest], latest)
        return extended(self._line, last)

    def save_evidence(
        self, learner: Any, t_env: int, content: Any, **facts: Any
    ) -> None:
        """Save the networks with what made their loss a number no more."""
        self.lock()
        path = os.path.join(self.path, str(t_env))
        with folders.writing(path, **facts) as partial:
            learner.save_models(partial)
            th.save(content, os.path.join(partial, EVIDENCE_FILE))
        self.log.error("the networks and the batch are saved in %s", path)

    def _remove_old(self, before: Dict[int, Dict[str, Any]]) -> None:
        """Remove what is not kept; of the buffer's files, those it alone needed."""
        saved = self._saved()
        numbers = {step: number_of(facts, step) for step, facts in saved.items()}
        own = self._line or []
        line = [step for step in saved if is_on(numbers[step], own)]
        line.sort(key=numbers.__getitem__)
        best = max(line, key=lambda step: (_test_return(saved[step]), numbers[step]))
        for step in line[: -self.keep] if self.keep else []:
            if step != best:
                folders.remove(os.path.join(self.path, str(step)))
                del saved[step]
        self.buffer_files.remove(_files(before) - _files(saved))


def _files(saved: Dict[int, Dict[str, Any]]) -> Set[str]:
    return {file["name"] for facts in saved.values() for file in facts["buffer"]}


def _facts(path: str) -> Optional[Dict[str, Any]]:
    """The manifest of a checkpoint that a run can go on from; None for another's."""
    try:
        facts = manifest.read(path)
    except Refused:
        return None
    return facts if _is_whole(facts) else None


def _is_whole(facts: Optional[Dict[str, Any]]) -> bool:
    """Whether a manifest is that of a checkpoint which a run can go on from."""
    return facts is not None and HOST_FILE in facts["files"] and "buffer" in facts


def _test_return(facts: Dict[str, Any]) -> float:
    value: Any = facts.get("test_return")
    is_number = isinstance(value, (int, float)) and math.isfinite(value)
    return value if is_number else -math.inf


def nearest_step(folder: str, load_step: int) -> int:
    """The step to load: the saved one nearest to `load_step`; for 0, the last saved.

    Raises:
        CheckpointError: no readable folder with numbered folders in it.
    """
    steps = [step for step, _ in _newest_first(folder)]
    if not steps:
        raise CheckpointError(
            f"checkpoint_path {folder!r} holds no folder named by its step, as "
            "results/models/<run>/ does"
        )
    if load_step == 0:
        return steps[0]
    return min(steps, key=lambda step: abs(step - load_step))


def find(path: str) -> Tuple[str, Dict[str, Any]]:
    """A checkpoint's folder and its manifest, both whole.

    Args:
        path: of a checkpoint, or of a run's folder, whose last one is taken.

    Raises:
        CheckpointError: it is missing, damaged, or says nothing of its settings.
    """
    path = os.path.abspath(os.path.expanduser(path))
    is_run = not os.path.isfile(os.path.join(path, manifest.NAME))
    if is_run and not os.path.basename(path).isdigit():
        path = os.path.join(path, str(nearest_step(path, 0)))
    facts = verify(path)
    if facts is None or not isinstance(facts.get("config"), dict):
        raise CheckpointError(
            f"{path}: holds no settings ({manifest.NAME}): only checkpoints that wqmix "
            "wrote do"
        )
    return path, facts


def step_to_resume(folder: str, load_step: int) -> Tuple[int, Dict[str, Any]]:
    """As `nearest_step`, but only intact ones count; those refused are named.

    Returns:
        The step and its manifest.

    Raises:
        CheckpointError: there is none.
    """
    steps = [step for step, _ in _newest_first(folder)]
    if load_step:
        steps.sort(key=lambda step: abs(step - load_step))
    for step in steps:
        facts = _intact(folder, step)
        if facts is not None:
            return step, facts
    raise CheckpointError(
        f"checkpoint_path {folder!r} holds no checkpoint that a run can go on from "
        "(resume=True needs one saved by this host)"
    )


def _intact(folder: str, step: int) -> Optional[Dict[str, Any]]:
    """The manifest if the checkpoint and its buffer's files are whole, or None."""
    path = os.path.join(folder, str(step))
    try:
        facts = manifest.verify(path)
        if facts is None or not _is_whole(facts):
            return None
        BufferFiles(os.path.join(folder, "buffer")).check(facts["buffer"])
    except Refused as error:
        get_logger().warning("%s; not used", error)
        return None
    return facts


def find_run(models: str, config: Dict[str, Any]) -> Optional[Tuple[str, int]]:
    """Folder and step of the furthest intact checkpoint of this very configuration.

    Of a folder, the last saved that is intact; folders that cannot be read are named.

    Args:
        models: the folder of all runs' folders.
        config: its `manifest.identity` is looked for.

    Returns:
        (folder, step), or None.
    """
    wanted = manifest.digest(manifest.identity(config))
    found = {}  # folder → steps, newest last
    for run in sorted(os.listdir(models)) if os.path.isdir(models) else []:
        folder = os.path.join(models, run)
        steps = _steps_of(folder, wanted) if os.path.isdir(folder) else []
        if steps:
            found[folder] = steps[::-1]
    while found:
        folder = max(found, key=lambda folder: (found[folder][-1], folder))
        step = found[folder].pop()
        if _intact(folder, step) is not None:
            return folder, step
        if not found[folder]:
            del found[folder]
    return None


def _steps_of(folder: str, wanted: str) -> List[int]:
    """Steps of the checkpoints of a configuration in a run's folder, newest first."""
    try:
        saved = _newest_first(folder)
    except CheckpointError as error:
        get_logger().warning("%s; passed over", error)
        return []
    return [
        step
        for step, facts in saved
        if facts and _is_whole(facts) and facts["config_digest"] == wanted
    ]


def differences(
    config: Dict[str, Any], facts: Dict[str, Any], besides: Iterable[str] = ()
) -> str:
    """What of a configuration differs from a checkpoint's, as one line; or "".

    Args:
        besides: settings that may, such as `env_args.seed`.
    """
    here, there = (
        {".".join(map(str, key)): value for key, value in leaves(each)}
        for each in (manifest.identity(config), facts["config"])
    )
    unlike = {k for k in {*here, *there} if here.get(k) != there.get(k)}
    keys = sorted(unlike.difference(besides))
    return "; ".join(f"{k} is {here.get(k)!r}, was {there.get(k)!r}" for k in keys)
