"""A limit to how long somebody else's code may take."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import Any, Iterator

SECONDS_TO_CLOSE = 30


class TookTooLong(BaseException):
    """No Exception: the code that hangs may catch those, and go on."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """TookTooLong in the `with` block if that takes longer.

    Without a limit where there are no alarms: on Windows, and outside of the main
    thread. Code that never returns to Python cannot be stopped either.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not hasattr(signal, "setitimer") or not is_main:
        yield
        return

    def expire(number: int, frame: Any) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, expire)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, outer)  # from here on, where in another
