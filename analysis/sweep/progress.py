"""How far a run is, from what every PyMARL-family host prints."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Optional

_BEGINNING = re.compile(rb"[Bb]eginning training for (\d{1,15})")
_STEP = re.compile(rb"t_env:\s*(\d{1,15})")
_LOADED = re.compile(rb"Loading model from [^\n]*/(\d{1,15})\s")
_OVERLAP = 100
_MOST = 4_000_000


class Progress:
    """Reads a log as it grows.

    Attributes:
        t_env, t_max: environment steps made, and to make (None: not known yet).
        loaded: those of them that a checkpoint brought, made at another time.
    """

    def __init__(self, log: Path, t_max: Optional[int]) -> None:
        self.t_env: Optional[int] = None
        self.t_max = t_max
        self.loaded = 0
        self._log, self._offset = log, 0
        self._first = (0.0, 0)

    def read(self) -> None:
        """Take in what has been added."""
        try:
            with open(self._log, "rb") as file:
                file.seek(max(0, self._offset - _OVERLAP))
                added = file.read(_MOST)
                self._offset = file.tell()
        except OSError:
            return  # not there yet
        for match in _BEGINNING.finditer(added):
            self.t_max = int(match.group(1))
        for match in _LOADED.finditer(added):
            self.loaded = int(match.group(1))
        for match in _STEP.finditer(added):
            self._at(int(match.group(1)))

    def _at(self, t_env: int) -> None:
        if self.t_env is None or t_env < self._first[1]:
            self._first = (time.monotonic(), t_env)
        self.t_env = t_env

    @property
    def share(self) -> float:
        """Return how much of the run is done, from 0 to 1."""
        return self._share(self.t_env or self.loaded)

    @property
    def loaded_share(self) -> float:
        """Return how much of it a checkpoint brought."""
        return self._share(self.loaded)

    def _share(self, steps: int) -> float:
        return min(1.0, steps / self.t_max) if self.t_max else 0.0

    @property
    def seconds_left(self) -> Optional[float]:
        """Return the seconds to the end at the rate so far; None if not known."""
        if self.t_env is None or self.t_max is None or self.t_env <= self._first[1]:
            return None
        rate = (time.monotonic() - self._first[0]) / (self.t_env - self._first[1])
        return max(0.0, rate * (self.t_max - self.t_env))
