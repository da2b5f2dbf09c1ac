"""The launcher's few log lines: standard error, prefixed `wqmix:`."""

from __future__ import annotations

import sys

from ..config.reading import one_line


def note(text: str) -> None:
    """Print one `wqmix:` line to standard error."""
    print(f"wqmix: {one_line(text)}", file=sys.stderr, flush=True)
