"""Standard output and error, which may close or fill up while something runs."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from typing import Any, Callable, ContextManager, Dict, Iterable, Iterator, TextIO

OnError = Callable[[OSError], None]
NAMES = ("stdout", "stderr", "__stderr__")


class OutputLost(Exception):
    """Standard output takes no more; `args` are the error that said so."""


class _Stream:
    """A stream whose `write` and `flush` hand an OSError to `on_error`."""

    def __init__(self, stream: TextIO, on_error: OnError) -> None:
        self._stream, self._on_error = stream, on_error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._on_error(error)
            return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._on_error(error)


def going_on() -> ContextManager[None]:
    """Whatever becomes of the output, the `with` block goes on."""
    return _guarded(dict.fromkeys(NAMES, _go_on))


def ending_when_lost() -> ContextManager[None]:
    """The `with` block ends by `OutputLost` once standard output takes no more."""
    return _guarded({**dict.fromkeys(NAMES, _go_on), "stdout": _end})


def _go_on(error: OSError) -> None:
    pass


def _end(error: OSError) -> None:
    raise OutputLost(error) from error


@contextmanager
def _guarded(on_errors: Dict[str, OnError]) -> Iterator[None]:
    _fill_gaps()
    # None where its descriptor was closed before Python began.
    before = {name: getattr(sys, name) or _nowhere() for name in on_errors}
    made = {}
    for name, stream in before.items():
        _spell_out(stream)
        made[name] = _Stream(stream, on_errors[name])
        setattr(sys, name, made[name])
    try:
        try:
            yield
        finally:
            for stream in made.values():
                stream.flush()
    finally:
        for name, stream in made.items():
            if getattr(sys, name) is stream:
                setattr(sys, name, before[name])
            _silence_if_lost(before[name])


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _fill_gaps() -> None:
    """A closed descriptor is not left to the next file that is opened."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _spell_out(stream: Any) -> None:
    """What the terminal's encoding has no character for is written as its number."""
    is_utf8 = "utf" in (getattr(stream, "encoding", None) or "")
    strict = ("strict",) if is_utf8 else ("strict", "surrogateescape")
    if getattr(stream, "errors", None) in strict and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


def _silence_if_lost(stream: TextIO) -> None:
    """Else Python would fail once more, when it ends."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            stream.flush()
