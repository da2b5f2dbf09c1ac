"""Running normalisation of the state that mixers see."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import torch
from torch import Tensor

from .guard import chosen

# As usual for observations: what is added under the root; the largest result.
EPSILON, LARGEST = 1e-5, 10.0


class StateNorm:
    """(s − mean) / √(var + ε), within ± `LARGEST`, of all real states so far.

    Mean and variance are of each number in the state, over the states in which a real
    transition began, merged batch by batch (Chan et al. 1979).
    """

    def __init__(self, size: int) -> None:
        zeros = torch.zeros(size)
        self.moments: Tuple[Tensor, ...] = (zeros, zeros, torch.zeros(()))

    @torch.no_grad()
    def update(self, state: Tensor, mask: Tensor) -> None:
        """Merge `state` [B, T, S] where `mask` [B, T, 1] is 1."""
        old_mean, old_var, count = (old.to(state) for old in self.moments)
        n = mask.sum()
        total = (count + n).clamp(min=1)
        mean = (state * mask).sum((0, 1)) / n.clamp(min=1)
        var = ((state - mean).square() * mask).sum((0, 1)) / n.clamp(min=1)
        delta = mean - old_mean
        spread = old_var * count + var * n + delta.square() * count * n / total
        self.moments = old_mean + delta * n / total, spread / total, count + n

    def __call__(self, state: Tensor) -> Tensor:
        """Normalise [..., S]."""
        mean, var, _ = (x.to(state) for x in self.moments)
        return ((state - mean) / (var + EPSILON).sqrt()).clamp(-LARGEST, LARGEST)

    def snapshot(self) -> Tuple[Tensor, ...]:
        """Return the moments; `update` replaces them."""
        return self.moments

    def restore(self, taken: Tuple[Tensor, ...], unless: Tensor) -> None:
        """Take back what `snapshot` returned, unless `unless` [] is true."""
        self.moments = chosen(unless, self.moments, taken)

    def state_dict(self) -> Dict[str, Any]:
        """Return what a checkpoint keeps."""
        return dict(zip(("mean", "var", "count"), self.moments))

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned."""
        self.moments = tuple(state[key] for key in ("mean", "var", "count"))
