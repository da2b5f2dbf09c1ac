"""The embedded host: a small PyMARL-compatible framework (`python -m wqmix.host`)."""

from __future__ import annotations

from typing import Any, List

__all__ = ["register_env"]


def __dir__() -> List[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name == "register_env":  # imports numpy and YAML: when it is asked for
        from .envs import register_env

        return register_env
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
