"""Weighted QMIX for every PyMARL-family checkout; `python -m wqmix --help`."""

from __future__ import annotations

from importlib import import_module
from typing import Any, List

# Each imported when it is asked for.
FUNCTIONS = {"get_runner": ".session", "load_policy": ".host.policy"}
MODULES = ("host", "plugin", "weightings")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("pymarl-wqmix")
    if name in FUNCTIONS:
        return getattr(import_module(FUNCTIONS[name], __name__), name)
    if name in MODULES:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted(["__version__", *FUNCTIONS, *MODULES])
