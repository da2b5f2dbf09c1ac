"""Weighted QMIX for every PyMARL-family checkout; `python -m wqmix --help`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pymarl-wqmix")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
