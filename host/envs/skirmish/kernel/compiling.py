"""How the kernel is compiled, and where the result is kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable

import numba
import platformdirs
from numba import njit

HERE = Path(__file__).resolve().parent
config: Any = numba.config  # its settings are no names that a type checker sees
compiled = njit(error_model="numpy")  # as part of what is entered from Python


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function that Python calls, once for each version of the kernel.

    Numba itself keeps a function until its own file changes, whatever becomes of the
    functions that it calls from other files.
    """
    before, config.CACHE_DIR = config.CACHE_DIR, str(_folder(config.CACHE_DIR))
    try:
        return njit(error_model="numpy", cache=True)(function)
    finally:
        config.CACHE_DIR = before


def _folder(wanted: str) -> Path:
    """Where this version is kept: in `wanted`, else beside it, else with the user."""
    digest = hashlib.sha256()
    for path in sorted(HERE.glob("*.py")):
        digest.update(path.read_bytes())
    name = f"skirmish-{digest.hexdigest()[:16]}"
    if wanted:
        return Path(wanted) / name
    beside = HERE / "__pycache__"
    if os.access(beside if beside.is_dir() else HERE, os.W_OK):
        return beside / name
    return platformdirs.user_cache_path("wqmix") / name
