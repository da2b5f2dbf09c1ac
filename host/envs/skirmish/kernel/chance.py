"""The only thing left to chance: the order in which units act within a tick."""

from __future__ import annotations

import numpy as np

from .compiling import compiled, entry

STRIDE = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@compiled
def draw(luck: np.ndarray, copy: int) -> np.uint64:
    """The copy's next 64 random bits (SplitMix64, Steele et al. 2014)."""
    luck[copy] += STRIDE
    bits = luck[copy]
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND
    return bits ^ (bits >> np.uint64(31))


@entry
def shuffle(luck: np.ndarray, order: np.ndarray) -> None:
    """A new order of the units in each copy and tick.

    Args:
        luck: each copy's state, uint64 [N], changed.
        order: [N, ticks, n], changed.
    """
    n_units = order.shape[2]
    for copy in range(len(order)):
        for row in order[copy]:
            for k in range(n_units):
                row[k] = k
            for last in range(n_units - 1, 0, -1):
                drawn = np.int64(draw(luck, copy) % np.uint64(last + 1))
                row[last], row[drawn] = row[drawn], row[last]
