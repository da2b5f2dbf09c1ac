"""SIGTERM and Ctrl-C: the first asks training to end, the second ends it at once."""

import os
import signal
import threading
from contextlib import contextmanager

_ASKED = (
    "%s: the episode and its update are finished, a checkpoint is saved, then the run "
    "ends; once more ends it at once\n"
)


class Terminated(KeyboardInterrupt):
    """SIGTERM; for sacred an interruption, as Ctrl-C is."""


class Stop:
    """Whether a signal asked for the end, and which."""

    signum = None

    def __bool__(self):
        return self.signum is not None

    def interruption(self):
        """The exception that the signal stands for."""
        return Terminated() if self.signum == signal.SIGTERM else KeyboardInterrupt()


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


@contextmanager
def sigterm_interrupts():
    """SIGTERM raises Terminated inside the `with` block (in the main thread)."""
    if not _in_main_thread():
        yield
        return

    def terminate(signum, frame):
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stop_on_signal():
    """A `Stop`, set by the first SIGTERM or SIGINT inside the `with` block.

    The second does what it did outside. What is ignored stays ignored.
    """
    stop = Stop()
    if not _in_main_thread():
        yield stop
        return

    def ask(signum, frame):
        stop.signum = signum
        restore()
        # Not through the logger: it may be the very thing that was interrupted.
        os.write(2, (_ASKED % signal.Signals(signum).name).encode("ascii"))

    def restore():
        for signum, handler in before.items():
            signal.signal(signum, handler)

    handlers = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    before = {s: h for s, h in handlers.items() if h not in (None, signal.SIG_IGN)}
    for signum in before:
        signal.signal(signum, ask)
    try:
        yield stop
    finally:
        restore()
