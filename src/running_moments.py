"""Running mean and variance, for hosts that standardise rewards or returns."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import torch
from torch import Tensor

from .guard import chosen


class RunningMoments:
    """Mean and variance of all values seen, merged batch by batch, as EPyMARL does it.

    A batch's variance is the unbiased one (divided by n − 1), weighed with n. Starts at
    mean 0, variance 1 with a count of 1e-4.
    """

    def __init__(self) -> None:
        self.mean = torch.zeros(())
        self.var = torch.ones(())
        self.count = torch.tensor(1e-4)

    def update(self, x: Tensor, mask: Optional[Tensor] = None) -> None:
        """Merge the values of `x` [B, T, 1], where `mask` [B, T, 1] is 1 if given."""
        mask = torch.ones_like(x) if mask is None else mask
        mean_before, var_before, count = (
            old.to(x.device, torch.float64) for old in self.snapshot()
        )
        n = mask.sum(dtype=torch.float64)
        mean = (x * mask).sum() / n.clamp(min=1)
        var = ((x - mean).square() * mask).sum() / (n - 1).clamp(min=1)
        total = count + n
        delta = mean - mean_before
        spread = var_before * count + var * n + delta.square() * count * n / total
        self.mean = (mean_before + delta * n / total).to(x.dtype)
        self.var, self.count = (spread / total).to(x.dtype), total

    def standardise(self, x: Tensor) -> Tensor:
        """Return (x − mean) / √var."""
        return (x - self.mean.to(x)) / self.var.to(x).sqrt()

    def unstandardise(self, x: Tensor) -> Tensor:
        """Return x · √var + mean."""
        return x * self.var.to(x).sqrt() + self.mean.to(x)

    def snapshot(self) -> Tuple[Tensor, ...]:
        """Return the three moments; `update` replaces them."""
        return self.mean, self.var, self.count

    def restore(self, taken: Tuple[Tensor, ...], unless: Tensor) -> None:
        """Take back what `snapshot` returned, unless `unless` [] is true."""
        self.mean, self.var, self.count = chosen(unless, self.snapshot(), taken)

    def state_dict(self) -> Dict[str, Any]:
        """Return the three moments."""
        return {"mean": self.mean, "var": self.var, "count": self.count}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take the three moments of `state_dict`."""
        self.mean, self.var, self.count = state["mean"], state["var"], state["count"]
