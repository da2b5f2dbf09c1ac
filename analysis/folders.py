"""Sacred's run folders: finding them, and what they say of themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, Iterator

from wqmix.config.reading import ReadingError

from .salvage import read_json

CONFIG, RUN, INFO, METRICS = "config.json", "run.json", "info.json", "metrics.json"
NO_RUNS_IN = {"_sources", "models", "tb_logs", "sweeps", "tune"}


def run_folders(root: Path) -> Iterator[Path]:
    """All run folders at or below a folder, in order of their names; links too."""
    seen = set()
    for parent, below, files in os.walk(root, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:  # links may go round in circles
            below.clear()
            continue
        seen.add(place)
        if CONFIG in files or RUN in files:
            below.clear()
            yield Path(parent)
        below[:] = sorted((b for b in below if b not in NO_RUNS_IN), key=_by_number)


def _by_number(name: str) -> Any:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def read_mapping(path: Path) -> Dict[str, Any]:
    """A JSON file's mapping; an empty one if there is none to be had."""
    try:
        found, _ = read_json(path)
    except ReadingError:
        return {}
    return found if isinstance(found, dict) else {}
