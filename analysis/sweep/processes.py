"""One run as a process: what every engine ends up doing, on whichever machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import List

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ASKED_TO_END = {128 + signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGKILL}


def start(arguments: List[str], log: str, threads: int) -> subprocess.Popen[bytes]:
    """Start `python ARGUMENTS`, its output appended to `log`."""
    limits = {name: str(threads) for name in THREADS}
    guard = ["-m", "wqmix.analysis.sweep.guard", str(os.getpid())]
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "ab") as output:
        return subprocess.Popen(
            [sys.executable, *guard, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **limits},
            start_new_session=True,
        )


def run(arguments: List[str], log: str, threads: int, folder: str) -> int:
    """Run `python ARGUMENTS` in `folder`; return its exit code (-N: by signal N)."""
    os.chdir(folder)
    return start(arguments, log, threads).wait()


def is_lost(code: int) -> bool:
    """Whether a run was ended from outside: it may well succeed elsewhere."""
    return code < 0 or code in ASKED_TO_END
