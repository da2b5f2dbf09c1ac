"""SIGTERM, SIGHUP, Ctrl-C: the first asks for the end, the second ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import Any, Dict, Iterable, Iterator, Optional

_ASKED = (
    "%s: the episode and its update are finished, a checkpoint is saved, then the run "
    "ends; once more ends it at once\n"
)


_HANGUP = getattr(signal, "SIGHUP", None)  # not on Windows
_ENDING = (signal.SIGTERM,) if _HANGUP is None else (signal.SIGTERM, _HANGUP)


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP; for sacred an interruption, as Ctrl-C is."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.signum = signum


class Stop:
    """Whether a signal asked for the end, and which."""

    signum: Optional[int] = None

    def __bool__(self) -> bool:
        return self.signum is not None

    def interruption(self) -> KeyboardInterrupt:
        """The exception that the signal stands for."""
        if self.signum == signal.SIGINT:
            return KeyboardInterrupt()
        assert self.signum is not None  # it is asked once there was one
        return Terminated(self.signum)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Terminated inside the `with` block (in the main thread).

    What is ignored, by `nohup` for example, stays ignored.
    """
    if not _in_main_thread():
        yield
        return

    def terminate(signum: int, frame: Any) -> None:
        raise Terminated(signum)

    before = _not_ignored(_ENDING)
    for signum in before:
        signal.signal(signum, terminate)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _not_ignored(signums: Iterable[int]) -> Dict[int, Any]:
    handlers = {signum: signal.getsignal(signum) for signum in signums}
    return {s: h for s, h in handlers.items() if h not in (None, signal.SIG_IGN)}


@contextmanager
def stop_on_signal() -> Iterator[Stop]:
    """A `Stop`, set by the first SIGTERM or SIGINT inside the `with` block.

    The second does what it did outside; but of a terminal that is closed, kernel and
    shell both tell. What is ignored stays ignored.
    """
    stop = Stop()
    if not _in_main_thread():
        yield stop
        return

    def ask(signum: int, frame: Any) -> None:
        stop.signum = signum
        restore()
        if signum == _HANGUP:
            signal.signal(signum, signal.SIG_IGN)
        # Not through the logger: it may be the very thing that was interrupted.
        with suppress(OSError):
            os.write(2, (_ASKED % signal.Signals(signum).name).encode("ascii"))

    def restore() -> None:
        for signum, handler in before.items():
            signal.signal(signum, handler)

    before = _not_ignored((signal.SIGINT, *_ENDING))
    for signum in before:
        signal.signal(signum, ask)
    try:
        yield stop
    finally:
        restore()
