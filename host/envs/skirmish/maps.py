"""Units, maps and ground, as they are written in ``config/skirmish``."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ....config import reading
from ...errors import unknown

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
FOLDER = os.path.join(os.path.abspath(_ROOT), "config", "skirmish")


@lru_cache(maxsize=None)
def read(name: str) -> Dict[str, Any]:
    """One of ``units``, ``maps`` and ``terrains``: name -> entry."""
    return reading.read_yaml(os.path.join(FOLDER, name + ".yaml"))


def map_named(name: str) -> Dict[str, Any]:
    """The entry of a map.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in read("maps"):
        raise unknown("env_args.map_name", name, read("maps"))
    return read("maps")[name]


def ground_named(name: str) -> np.ndarray:
    """Where one can stand: bool [rows, columns], the south first."""
    rows = read("terrains")[name].split()
    return np.array([[cell == "." for cell in row] for row in reversed(rows)])


def limit_of(entry: Dict[str, Any], time_limit: Optional[int]) -> int:
    """The steps of an episode: the map's own where `time_limit` is None."""
    return entry["limit"] if time_limit is None else time_limit


def walls_of(ground: np.ndarray) -> np.ndarray:
    """The walls as rectangles, x0, y0, x1, y1 [W, 4], from the south-west on.

    Each begins where the first is that no other covers, goes as far east as there is
    wall, and as far north as all of that is wall.
    """
    left: np.ndarray = ~ground
    walls = []
    for y, x in np.ndindex(*ground.shape):
        if not left[y, x]:
            continue
        row = ground[y, x:]
        x1 = x + (int(row.argmax()) if row.any() else len(row))
        is_open = np.any(ground[y:, x:x1], axis=1)
        y1 = y + (int(is_open.argmax()) if is_open.any() else len(is_open))
        left[y:y1, x:x1] = False
        walls.append((x, y, x1, y1))
    return np.array(walls, dtype=np.float64).reshape(-1, 4)


def units_of(entry: Dict[str, Any]) -> List[Tuple[str, str]]:
    """The units of a map in their order: (side, name) for each."""
    return [
        (group["side"], name)
        for group in entry["groups"]
        for name, count in group["units"].items()
        for _ in range(count)
    ]
