"""How a command ends where a user has to be told something: one line, an exit code."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable, Optional

from ..storage.errors import UserError
from .reading import one_line

__all__ = ["UserError", "tell", "tells"]


def tell(error: UserError, who: str = "error") -> int:
    """Print one line to standard error; return the exit code."""
    print(f"{who}: {one_line(error)}", file=sys.stderr, flush=True)
    return error.exit_code


def tells(who: str) -> Callable[[Callable[..., Any]], Callable[..., int]]:
    """Decorate a command's `main`: errors of the user's are one line, `who: …`.

    It returns the exit code: of the error, else what `main` returned, or 0.
    """

    def decorate(main: Callable[..., Optional[int]]) -> Callable[..., int]:
        @functools.wraps(main)
        def telling(*args: Any, **kwargs: Any) -> int:
            try:
                return main(*args, **kwargs) or 0
            except UserError as error:
                return tell(error, who)

        return telling

    return decorate
