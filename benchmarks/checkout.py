"""Load classes out of a host's checkout given by path, for comparison with ours.

A checkout's modules have top-level names (`learners`, `modules`, ...); they are imported
under those names and then taken out of `sys.modules` again, so that several checkouts can
be loaded one after another in one process.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from pathlib import Path
from typing import Iterator
from unittest import mock

TOP_LEVEL = ("components", "controllers", "envs", "learners", "modules", "utils")
# Imported by some checkouts, used by nothing that is compared, absent from PyPI or from
# the checkout itself.
ABSENT = (
    "modules.mixers.qmix_ablations",
    "envs.matrix_game",
    "envs.matrix_game.matrix_game",
    "envs.starcraft",
    "smac",
    "smac.env",
    "pygame",
    "pysc2",
    "absl",
    "s2clientprotocol",
    "smaclite",
)


@contextlib.contextmanager
def imported(checkout: Path) -> Iterator[types.SimpleNamespace]:
    """Make the modules of `checkout/src` importable while the block runs."""
    saved = {name: sys.modules.pop(name) for name in _loaded()}
    source = str(Path(checkout) / "src")
    sys.path.insert(0, source)
    for name in ABSENT:
        sys.modules.setdefault(name, mock.MagicMock())
    try:
        yield types.SimpleNamespace(load=importlib.import_module)
    finally:
        sys.path.remove(source)
        for name in (*_loaded(), *ABSENT):
            sys.modules.pop(name, None)
        sys.modules.update(saved)


def _loaded() -> list:
    return [name for name in sys.modules if name.split(".")[0] in TOP_LEVEL]
