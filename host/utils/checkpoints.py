"""A run's checkpoints: numbered folders, the buffer's files, which of them to load."""

import math
import os
from contextlib import contextmanager

import torch as th

from ...storage import Refused, folders, manifest, tensors
from ..errors import CheckpointError
from .buffer_files import BufferFiles
from .logging import get_logger

try:
    import fcntl
except ImportError:  # not on Windows; runs are then not kept apart
    fcntl = None

HOST_FILE = "host.th"
EVIDENCE_FILE = "nonfinite.th"


@contextmanager
def _refusals():
    try:
        yield
    except Refused as error:
        raise CheckpointError(str(error)) from error


@contextmanager
def same_networks(path):
    """What a state of other networks makes of loading it is a CheckpointError."""
    try:
        yield
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: is of other networks ({reason})") from error


def load_tensors(path):
    """Read a file of tensors, plain containers and numbers onto the CPU.

    Raises:
        CheckpointError: the file is absent, unreadable, or holds anything else.
    """
    with _refusals():
        return tensors.load(path)


def verify(path):
    """Hold a checkpoint's files against its manifest, where it has one.

    Raises:
        CheckpointError: a file is absent, damaged, or was added.
    """
    with _refusals():
        folders.settle(path)
        return manifest.verify(path)


def steps_in(folder):
    """The numbers of the checkpoints in a run's folder, in order."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint_path {folder!r} cannot be read: {error.strerror}"
        ) from error
    for name in names:
        if name.endswith(folders.REPLACED):
            folders.settle(os.path.join(folder, name[: -len(folders.REPLACED)]))
    names = [name for name in os.listdir(folder) if name.isdigit()]
    return sorted(int(n) for n in names if os.path.isdir(os.path.join(folder, n)))


class RunFolder:
    """`results/models/<run>/`: a folder for each saved step, and the buffer's files.

    What is kept: the last `keep` checkpoints (0: all), and the one with the highest
    test return. The folder is locked by the first save until this process ends.
    """

    def __init__(self, path, keep, saves_buffer, log):
        self.path, self.keep, self.log = path, keep, log
        self.saves_buffer = saves_buffer
        self.buffer_files = BufferFiles(os.path.join(path, "buffer"))
        self._lock = None
        self._has_failed = False

    def lock(self):
        """Keep other runs out; clean up what a killed one left half written."""
        if self._lock is not None or fcntl is None:
            return
        os.makedirs(self.path, exist_ok=True)
        lock = open(os.path.join(self.path, ".lock"), "w")
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise CheckpointError(f"{self.path}: another run uses it") from error
        self._lock = lock
        folders.tidy(self.path, age=0)

    def save(self, learner, t_env, state, buffer, **facts):
        """Save a checkpoint; if the disk refuses it, say so once and go on.

        Args:
            state: what `host.th` is to hold, or None.
            facts: for the manifest.
        """
        try:
            self._save(learner, t_env, state, buffer, facts)
        except (
            OSError,
            RuntimeError,
        ) as error:  # torch says RuntimeError on full disks
            if not self._has_failed:
                reason = " ".join(str(error).split())
                self.log.error(
                    "cannot save a checkpoint in %s (%s): training goes on, earlier "
                    "checkpoints stay as they are",
                    self.path,
                    reason[:300],
                )
            self._has_failed = True
        else:
            self._has_failed = False

    def _save(self, learner, t_env, state, buffer, facts):
        self.lock()
        path = os.path.join(self.path, str(t_env))
        if state is not None:
            files = self.buffer_files.save(buffer) if self.saves_buffer else []
            facts = {**facts, "t_env": t_env, "buffer": files}
        with folders.writing(path, **facts) as partial:
            learner.save_models(partial)
            if state is not None:
                th.save(state, os.path.join(partial, HOST_FILE))
        self.log.info("Saved models to %s", path)
        self._remove_old()

    def save_evidence(self, learner, t_env, content, **facts):
        """Save the networks with what made their loss a number no more."""
        path = os.path.join(self.path, str(t_env))
        with folders.writing(path, **facts) as partial:
            learner.save_models(partial)
            th.save(content, os.path.join(partial, EVIDENCE_FILE))
        self.log.error("the networks and the batch are saved in %s", path)

    def _remove_old(self):
        kept = {}
        for step in steps_in(self.path):
            facts = _facts(os.path.join(self.path, str(step)))
            if facts is not None:  # what others put here stays
                kept[step] = facts
        best = max(kept, key=lambda step: (_test_return(kept[step]), step))
        for step in list(kept)[: -self.keep] if self.keep else []:
            if step != best:
                folders.remove(os.path.join(self.path, str(step)))
                del kept[step]
        used = {file["name"] for facts in kept.values() for file in facts["buffer"]}
        self.buffer_files.clean(used)


def _facts(path):
    """The manifest of a checkpoint that a run can go on from; None for another's."""
    try:
        facts = manifest.read(path)
    except Refused:
        return None
    return facts if facts is not None and HOST_FILE in facts["files"] else None


def _test_return(facts):
    value = facts.get("test_return")
    return value if value is not None and math.isfinite(value) else -math.inf


def nearest_step(folder, load_step):
    """The step to load: the saved one nearest to `load_step`, or the last one for 0.

    Raises:
        CheckpointError: no readable folder with numbered folders in it.
    """
    steps = steps_in(folder)
    if not steps:
        raise CheckpointError(
            f"checkpoint_path {folder!r} holds no folder named by its step, as "
            "results/models/<run>/ does"
        )
    if load_step == 0:
        return steps[-1]
    return min(steps, key=lambda step: abs(step - load_step))


def find(path):
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


def step_to_resume(folder, load_step):
    """As `nearest_step`, but only intact ones count; those refused are named.

    Returns:
        The step and its manifest.

    Raises:
        CheckpointError: there is none.
    """
    steps = steps_in(folder)
    steps.sort(key=lambda s: abs(s - load_step) if load_step else -s)
    for step in steps:
        facts = _intact(folder, step)
        if facts is not None:
            return step, facts
    raise CheckpointError(
        f"checkpoint_path {folder!r} holds no checkpoint that a run can go on from "
        "(resume=True needs one saved by this host)"
    )


def _intact(folder, step):
    """The manifest if the checkpoint and its buffer's files are whole, or None."""
    path = os.path.join(folder, str(step))
    try:
        facts = manifest.verify(path)
        if facts is None or HOST_FILE not in facts["files"]:
            return None
        BufferFiles(os.path.join(folder, "buffer")).check(facts["buffer"])
    except Refused as error:
        get_logger().warning("%s; not used", error)
        return None
    return facts


def find_run(models, config):
    """Folder and step of the furthest intact checkpoint of this very configuration.

    Args:
        models: the folder of all runs' folders.
        config: its `manifest.identity` is looked for.

    Returns:
        (folder, step), or None.
    """
    wanted = manifest.digest(manifest.identity(config))
    found = []
    for run in sorted(os.listdir(models)) if os.path.isdir(models) else []:
        folder = os.path.join(models, run)
        for step in steps_in(folder) if os.path.isdir(folder) else []:
            facts = _facts(os.path.join(folder, str(step)))
            if facts is not None and facts["config_digest"] == wanted:
                found.append((step, folder))
    for step, folder in sorted(found, reverse=True):
        if _intact(folder, step) is not None:
            return folder, step
    return None


def differences(config, facts):
    """What of a configuration differs from a checkpoint's, as one line; or ""."""
    here, there = manifest.identity(config), facts["config"]
    keys = [k for k in sorted({*here, *there}) if here.get(k) != there.get(k)]
    return "; ".join(f"{k} is {here.get(k)!r}, was {there.get(k)!r}" for k in keys[:5])
