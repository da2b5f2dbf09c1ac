"""Run Python so that it ends with the process that started it: no run is orphaned.

    python -m wqmix.analysis.sweep.guard PARENT_PID -m wqmix …

If a worker is killed, its run is started elsewhere; were the first one still alive,
there would be two.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Become `python ARGUMENTS`, to be killed when the parent ends (Linux)."""
    parent, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            return 1
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    sys.exit(main())
