"""How far a run is, from what every PyMARL-family host prints."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Optional

_BEGINNING = re.compile(rb"[Bb]eginning training for (\d{1,15})")
_STEP = re.compile(rb"t_env:\s*(\d{1,15})")
_OVERLAP = 100
_MOST = 4_000_000


class Progress:
    """Reads a log as it grows.

    Attributes:
        t_env, t_max: environment steps made, and to make (None: not known yet).
    """

    def __init__(self, log: Path, t_max: Optional[int]) -> None:
        self.t_env: Optional[int] = None
        self.t_max = t_max
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
        for match in _STEP.finditer(added):
            self._at(int(match.group(1)))

    def _at(self, t_env: int) -> None:
        if self.t_env is None or t_env < self._first[1]:
            self._first = (time.monotonic(), t_env)
        self.t_env = t_env

    @property
    def share(self) -> float:
        """Return how much of the run is done, from 0 to 1."""
        if not self.t_env or not self.t_max:
            return 0.0
        return min(1.0, self.t_env / self.t_max)

    @property
    def seconds_left(self) -> Optional[float]:
        """Return the seconds to the end at the rate so far; None if not known."""
        if self.t_env is None or self.t_max is None or self.t_env <= self._first[1]:
            return None
        rate = (time.monotonic() - self._first[0]) / (self.t_env - self._first[1])
        return max(0.0, rate * (self.t_max - self.t_env))
