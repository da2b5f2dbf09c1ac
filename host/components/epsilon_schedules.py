"""Exploration schedules over environment steps."""

from __future__ import annotations

import math


class DecayThenFlatSchedule:
    """From `start` to `finish` within `time_length` steps, then constant.

    `decay` is "linear" or "exp" (exp(-T / s), with s such that it meets `finish`
    after `time_length` steps).
    """

    def __init__(
        self, start: float, finish: float, time_length: int, decay: str = "exp"
    ) -> None:
        if decay not in ("linear", "exp"):
            raise ValueError(f"decay must be 'linear' or 'exp', not {decay!r}")
        self.start = start
        self.finish = finish
        self.time_length = time_length
        self.delta = (start - finish) / time_length
        self.decay = decay
        self.exp_scaling = -time_length / math.log(finish) if 0 < finish < 1 else 1

    def eval(self, T: int) -> float:
        if self.decay == "linear":
            bound = max if self.start >= self.finish else min
            return bound(self.finish, self.start - self.delta * T)
        return min(self.start, max(self.finish, math.exp(-T / self.exp_scaling)))
