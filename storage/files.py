"""Opening a file that somebody else may have put there: a regular one, or none.

Imports nothing but the standard library, so that every reader may use it.
"""

import errno
import os
import stat

_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
# A FIFO that nobody writes to would otherwise wait for ever.
_FLAGS |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def open_regular(path):
    """Open a regular file, or a link to one, to be read as bytes.

    Raises:
        OSError: it cannot be opened, or is anything else: a folder, FIFO or device.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
