"""Files in folders that others can write to: no link is followed, nothing waits.

Imports nothing but the standard library, so that every reader may use it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import BinaryIO, Union, cast

Path = Union[str, "os.PathLike[str]"]
_ANY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# A FIFO that nobody writes to would otherwise wait for ever.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_LINKED = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file, or a link to one, to be read as bytes.

    Raises:
        OSError: it cannot be opened, or is anything else: a folder, FIFO or device.
    """
    return _regular(path, os.open(path, _READ | _ANY), "rb")


def open_own(path: Path) -> BinaryIO:
    """Open a file to be written to, made if it is not there; its content stays.

    Raises:
        OSError: it cannot be opened, or is a link or no regular file.
    """
    flags = os.O_RDWR | os.O_CREAT | _LINKED | getattr(os, "O_NONBLOCK", 0)
    return _regular(path, os.open(path, flags | _ANY, 0o666), "rb+")


def create(path: Path) -> BinaryIO:
    """Open a new file to be written; a file or link of that name is removed before."""
    if os.path.lexists(path):
        os.unlink(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    return os.fdopen(os.open(path, flags | _ANY, 0o666), "wb")


def replace(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there as it is."""
    partial = f"{path}.partial"
    try:
        with create(partial) as stream:
            stream.write(content)
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _regular(path: Path, descriptor: int, mode: str) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return cast(BinaryIO, os.fdopen(descriptor, mode))
    except BaseException:
        os.close(descriptor)
        raise
