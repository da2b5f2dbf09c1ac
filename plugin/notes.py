"""What the launcher says: few lines on standard error, prefixed `wqmix:`."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable

from ..config.ending import tell
from ..config.reading import one_line
from ..storage.errors import UserError

WHO = "wqmix: error"  # before what a user has to mend


def note(text: str) -> None:
    """Print one `wqmix:` line to standard error."""
    print(f"wqmix: {one_line(text)}", file=sys.stderr, flush=True)


def or_one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function: a `UserError` becomes one line and the exit code it names."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise SystemExit(tell(error, WHO)) from None

    return guarded
