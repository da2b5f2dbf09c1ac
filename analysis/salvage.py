"""JSON that may have been cut off while it was written: what is whole in it is read.

Sacred rewrites its files at each heartbeat, in most hosts not at once, so a run that is
killed can leave half of one. Data only: nothing in a file is executed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Tuple

from wqmix.config.reading import ReadingError, read_bytes

MAX_BYTES = 500_000_000
MAX_DEPTH = 100
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|["\[\]{},]', re.DOTALL)
_CLOSERS = {"[": "]", "{": "}"}


def read_json(path: Path) -> Tuple[Any, bool]:
    """Read a JSON file, or the beginning of one.

    Returns:
        What is in it, and whether it was whole.

    Raises:
        ReadingError: it cannot be read, or nothing can be saved of it.
    """
    text = read_bytes(path, MAX_BYTES).decode("utf-8", "replace")
    try:
        return json.loads(text), True
    except RecursionError:
        raise ReadingError("nested too deeply") from None
    except ValueError:
        return salvage(text), False


def salvage(text: str) -> Any:
    """Return what a JSON text holds up to its last whole element.

    Raises:
        ReadingError: it does not begin like a JSON list or mapping.
    """
    stack, cut, closers = [], 0, ""
    for token in _TOKEN.finditer(text):
        symbol = token.group()
        if symbol == '"':
            break  # a text without its end: what follows is still in it
        if symbol in _CLOSERS:
            stack.append(_CLOSERS[symbol])
            cut, closers = token.end(), "".join(reversed(stack))
        elif symbol == "," and stack:
            cut, closers = token.start(), "".join(reversed(stack))
        elif symbol in ("]", "}"):
            if not stack or stack.pop() != symbol:
                break
            cut, closers = token.end(), "".join(reversed(stack))
        if len(stack) > MAX_DEPTH:
            raise ReadingError("nested too deeply")
    try:
        return json.loads(text[:cut] + closers)
    except (ValueError, RecursionError):
        raise ReadingError("not JSON, nor the beginning of it") from None
