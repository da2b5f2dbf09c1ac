"""Whether Q-values fit the returns that have been seen: the learners' one warning."""

from __future__ import annotations

from typing import Callable, Optional

import torch
from torch import Tensor

MANY_TIMES, UPDATES = 5, 1000  # what is warned of, and only after so many updates


class ValueCheck:
    """Warns, once, where mean |Q_tot| stays many times the largest return seen.

    The return of an episode counts as Σ |r|, which no discounted return to go exceeds.

    Args:
        warn: is given the line.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn: Optional[Callable[[str], None]] = warn
        self._largest: Optional[Tensor] = None
        self._updates = 0
        self._since: Optional[int] = None

    @torch.no_grad()
    def see(self, reward: Tensor, mask: Tensor) -> None:
        """Note an update's rewards [B, T, 1]; nothing waits for the device."""
        self._updates += 1
        largest = (reward.abs() * mask).sum(1).amax()
        known = self._largest
        self._largest = largest if known is None else torch.maximum(known, largest)

    def judge(self, size: float) -> None:
        """Look at mean |Q_tot|, on log steps."""
        if self._warn is None or self._largest is None:
            return
        largest = self._largest.item()
        if not 0 < MANY_TIMES * largest < size:
            self._since = None
        elif self._since is None:
            self._since = self._updates
        elif self._updates - self._since >= UPDATES:
            self._warn(
                f"mean |Q_tot| is {size:.3g}, but the largest return seen is "
                f"{largest:.3g}, and has been so for {self._updates - self._since} "
                "updates: Q_tot learns from its own first values; try "
                "mixer_init_scale=0.1"
            )
            self._warn = None
