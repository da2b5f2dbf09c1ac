"""Weighted QMIX for every PyMARL-family checkout; `python -m wqmix --help`."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pymarl-wqmix")
    if name == "get_runner":
        from .plugin.session import get_runner

        return get_runner
    if name == "load_policy":
        from .host.policy import load_policy

        return load_policy
    if name == "weighting":  # imports torch: when it is asked for
        return import_module(".weighting", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
