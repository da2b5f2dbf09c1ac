"""What the theory package raises when the user's input is wrong."""

from __future__ import annotations

import difflib
from typing import Iterable

from wqmix.config.ending import UserError


class TheoryError(UserError, ValueError):
    """A user's mistake: the message is one complete line."""


def unknown(kind: str, value: str, accepted: Iterable[str]) -> TheoryError:
    """The error for a name that is not among ``accepted``, with the nearest one."""
    names = sorted(accepted)
    close = difflib.get_close_matches(value, names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return TheoryError(f"unknown {kind} {value!r}{hint}; accepted: {', '.join(names)}")
