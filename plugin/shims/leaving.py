"""`os._exit` at the end of a run."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from pathlib import Path
from typing import Optional

from ..hosts.base import read_text
from ..names import RUN_FILES


def ends_by_exit(root: Path) -> bool:
    """Whether a host's run files end the process by `os._exit`."""
    files = [path for pattern in RUN_FILES for path in root.glob(pattern)]
    lines = [line.strip() for path in files for line in read_text(path).splitlines()]
    return any(line.startswith("os._exit(") for line in lines)


class QuietExit:
    """`os._exit` as a no-op in this process's main thread, until the host has returned.

    Forked workers and other threads still end by it.
    """

    code: Optional[int] = None

    def __init__(self) -> None:
        self._exit = os._exit
        self._owner = os.getpid()

    @classmethod
    def install(cls) -> None:
        """Take the place of `os._exit`."""
        os._exit = cls()  # type: ignore[assignment]

    def __call__(self, code: int) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        if os.getpid() != self._owner or not in_main:
            self._exit(code)
        self.code = code

    def finish(self) -> None:
        """End as the host asked, threads or not, after all exit handlers."""
        if self.code is not None:
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            self._exit(self.code)


def finish() -> None:
    """End the process if the host has asked for it by `os._exit`."""
    if isinstance(os._exit, QuietExit):
        os._exit.finish()
