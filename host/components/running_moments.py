"""Running mean and variance, as EPyMARL standardises rewards and returns."""

from __future__ import annotations

from typing import NamedTuple

import torch as th


class RunningMoments(NamedTuple):
    """Mean and variance of each column of all batches so far.

    EPyMARL's numbers: a batch's variance is the unbiased one, and the
    count starts at 1e-4 with mean 0 and variance 1.
    """

    mean: th.Tensor  # [W]
    var: th.Tensor  # [W]
    count: float  # type: ignore[assignment]  # instead of tuple.count

    @classmethod
    def at_start(cls, width: int) -> RunningMoments:
        return cls(th.zeros(width), th.ones(width), 1e-4)

    def merged(self, x: th.Tensor) -> RunningMoments:
        """The moments with those of a batch `[..., W]`."""
        x = x.reshape(-1, x.shape[-1])
        n, total = len(x), self.count + len(x)
        mean, var = self.mean.to(x), self.var.to(x)
        delta = x.mean(0) - mean
        spread = var * self.count + x.var(0, unbiased=n > 1) * n
        spread = spread + delta**2 * self.count * n / total
        return RunningMoments(mean + delta * n / total, spread / total, total)

    def standardise(self, x: th.Tensor) -> th.Tensor:
        return (x - self.mean.to(x)) / self.var.to(x).sqrt()

    def unstandardise(self, x: th.Tensor) -> th.Tensor:
        return x * self.var.to(x).sqrt() + self.mean.to(x)
