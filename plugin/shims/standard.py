"""collections.Mapping, gone since Python 3.10."""

from __future__ import annotations

import collections
import collections.abc


def restore_mapping() -> None:
    """Give `collections` its `Mapping` back."""
    collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]
