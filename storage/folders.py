"""Folders that appear at once, complete and on disk, or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
import weakref
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, Iterator, MutableMapping, Optional, Tuple

from . import Refused, files, manifest

try:
    import fcntl
except ImportError:  # not on Windows; runs are then not kept apart
    fcntl = None  # type: ignore[assignment]  # Windows

PARTIAL, REPLACED, LOCK = ".partial", ".replaced", ".lock"
ABANDONED = 3600  # seconds after which a partial folder is nobody's any more
_TAKEN = (errno.EACCES, errno.EAGAIN)
_STEP = re.compile("0|[1-9][0-9]{0,17}")
# (lock, process) → its open file
_held: MutableMapping[Tuple[str, int], BinaryIO] = weakref.WeakValueDictionary()


@contextmanager
def writing(path: str, **facts: Any) -> Iterator[str]:
    """A temporary folder, which becomes `path` once the `with` block has ended well.

    It gets a manifest with `facts`. Whenever this process is killed, either what was
    at `path` before or the new folder can be had: there, or restored by `settle`.
    """
    path = os.path.abspath(path)
    settle(path)
    tidy(os.path.dirname(path))
    partial = path + PARTIAL
    delete(partial)
    os.makedirs(partial)
    try:
        yield partial
        manifest.write(partial, facts)
        _put(partial, path)
    finally:
        _try_to_delete(partial)


def remove(path: str) -> None:
    """Delete a folder; if killed meanwhile, no half of it stays under its name."""
    partial = os.path.abspath(path) + PARTIAL
    delete(partial)
    os.rename(path, partial)
    delete(partial)


def delete(path: str) -> None:
    """Delete a folder with all that is in it; of a link, the link alone.

    Raises:
        OSError: something stays.
    """
    if os.path.islink(path):
        os.unlink(path)
        return
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def settle(path: str) -> None:
    """Finish or undo a replacement of `path` that was cut short.

    Raises:
        Refused: it cannot be undone here.
    """
    replaced = path + REPLACED
    if os.path.islink(replaced) or not os.path.isdir(replaced):
        return
    if _has_content(path):
        _try_to_delete(replaced)
        return
    try:
        _rename(replaced, path)
    except OSError as error:
        reason = f"was being replaced, and cannot be put back ({error.strerror})"
        raise Refused(f"{path}: {reason}; what it was is in {replaced}") from error


def tidy(folder: str, age: float = ABANDONED) -> None:
    """Delete partial folders left by killed processes, `age` seconds ago or longer."""
    if not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(PARTIAL) and not os.path.islink(path) and _age(path) >= age:
            _try_to_delete(path)


def hold(folder: files.Path) -> Optional[BinaryIO]:
    """Keep all other processes out of a folder, which is made if need be.

    Returns:
        The lock: the folder is held as long as somebody in this process keeps it. None
        where the file system knows no locks.

    Raises:
        Refused: another live process holds it, or the lock is not a file of ours.
    """
    if fcntl is None:
        return None
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(os.path.realpath(folder), LOCK)
    key = path, os.getpid()
    # Opened twice, closing one would end the lock; but it may have been removed.
    held = _held.get(key)
    if held is not None and _is_at(path, held):
        return held
    try:
        lock = files.open_own(path)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EINVAL):
            raise Refused(f"{path}: is a link, or no regular file") from error
        raise
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if error.errno not in _TAKEN:
            return None
        raise Refused(f"{folder}: another run uses it") from error
    _held[key] = lock
    return lock


def step_of(name: str) -> Optional[int]:
    """The step that a checkpoint's folder of this name is of, or None."""
    return int(name) if _STEP.fullmatch(name) else None


def _put(new: str, path: str) -> None:
    """Put folder `new` in the place of `path`, which may exist."""
    if _has_content(path):
        os.rename(path, path + REPLACED)
    _rename(new, path)
    manifest.sync_folder(os.path.dirname(path))
    _try_to_delete(path + REPLACED)


def _rename(source: str, path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.isdir(path):  # a host makes the folder before it asks for the files
        os.rmdir(path)
    os.rename(source, path)


def _has_content(path: str) -> bool:
    return os.path.isdir(path) and bool(os.listdir(path))


def _try_to_delete(path: str) -> None:
    with suppress(OSError):
        delete(path)


def _is_at(path: str, lock: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(lock.fileno()))
    except OSError:
        return False


def _age(path: str) -> float:
    try:
        return time.time() - os.path.getmtime(path)
    except OSError:
        return 0  # gone meanwhile
