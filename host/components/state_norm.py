"""Running normalisation of the state that mixers see."""

from __future__ import annotations

from typing import NamedTuple

import torch as th

EPSILON, LARGEST = 1e-5, 10.0  # under the root; of the result


class StateNorm(NamedTuple):
    """(s - mean) / sqrt(var + epsilon), within +-10, of all states so far.

    Of each number in the state, over the states in which a transition began.
    """

    mean: th.Tensor  # [S]
    var: th.Tensor  # [S]
    count: th.Tensor  # type: ignore[assignment]  # [], instead of tuple.count

    @classmethod
    def at_start(cls, size: int) -> StateNorm:
        return cls(th.zeros(size), th.zeros(size), th.zeros(()))

    @th.no_grad()
    def merged(self, states: th.Tensor, mask: th.Tensor) -> StateNorm:
        """With `states` `[B, T, S]` where `mask` `[B, T, 1]` is 1."""
        old_mean, old_var, count = (old.to(states) for old in self)
        n, total = mask.sum(), (count + mask.sum()).clamp(min=1)
        mean = (states * mask).sum((0, 1)) / n.clamp(min=1)
        var = ((states - mean) ** 2 * mask).sum((0, 1)) / n.clamp(min=1)
        delta = mean - old_mean
        spread = old_var * count + var * n + delta**2 * count * n / total
        return StateNorm(old_mean + delta * n / total, spread / total, count + n)

    def normalise(self, states: th.Tensor) -> th.Tensor:
        mean, var, _ = (old.to(states) for old in self)
        return ((states - mean) / (var + EPSILON).sqrt()).clamp(-LARGEST, LARGEST)
