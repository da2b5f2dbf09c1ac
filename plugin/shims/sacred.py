"""sacred beside any setuptools."""

from __future__ import annotations

import importlib

from ...config import sacred


def import_sacred() -> None:
    """Import all of sacred that hosts use, while it finds a `pkg_resources`."""
    with sacred.importable():
        for name in ("sacred", "sacred.observers", "sacred.utils"):
            importlib.import_module(name)
