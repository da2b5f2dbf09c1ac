"""Memory that a process frees and will want again."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's mallopt
_LARGEST = 2**31 - 1


def keep_freed() -> bool:
    """Have this process keep what it frees, however large the block.

    glibc gives blocks of more than 32 MiB back at once, so that each update of many
    agents or episodes would take them anew, page by page (docs/performance.md). The
    peak stays as it is. Left alone where the user has said what malloc should do.

    Returns:
        Whether it does; not where the C library is another one.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _LARGEST))
