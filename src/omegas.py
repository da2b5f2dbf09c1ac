"""Forms of ω in Q_tot = Q_mono + ω · Q_proj, by the name that `omega` selects.

`B` episodes, `T` slots, `S` state size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Optional

import torch
from torch import Tensor, nn

from .registry import OMEGAS

__all__ = ["OMEGAS", "Advantage", "OmegaInputs"]
EPS = 1e-6
MOMENTUM = 0.01  # of the running mean of |A|


@dataclass(frozen=True)
class OmegaInputs:
    """What ω may depend on.

    Attributes:
        state: [B, T, S].
        q_mono: Q_mono(s, u), without gradient [B, T, 1].
        sampled_value: call it for the mean of Q_mono(s, ·) over drawn joint actions
            [B, T, 1].
        t_env: environment steps so far.
        mask: 1 where a slot is real [B, T, 1]; None where nothing is learnt from it.
    """

    state: Tensor
    q_mono: Tensor
    sampled_value: Callable[[], Tensor]
    t_env: int
    mask: Optional[Tensor]


@OMEGAS.register("constant")
class Constant(nn.Module):
    """ω = `omega_max`."""

    def __init__(self, state_dim: int, settings: Any) -> None:
        super().__init__()
        self.omega = settings.omega_max

    def forward(self, x: OmegaInputs) -> Tensor:
        """[B, T, 1]."""
        return torch.full_like(x.q_mono, self.omega)


@OMEGAS.register("annealed")
class Annealed(nn.Module):
    """ω = `omega_max` (1 − exp(−t / `omega_anneal_steps`)), from 0 at the start."""

    def __init__(self, state_dim: int, settings: Any) -> None:
        super().__init__()
        self.most, self.steps = settings.omega_max, settings.omega_anneal_steps

    def forward(self, x: OmegaInputs) -> Tensor:
        """[B, T, 1]."""
        omega = self.most * (1 - math.exp(-x.t_env / self.steps))
        return torch.full_like(x.q_mono, omega)


@OMEGAS.register("learned")
class Learned(nn.Module):
    """ω = σ(net(s)) in (0, 1), learnt from the same loss."""

    def __init__(self, state_dim: int, settings: Any) -> None:
        super().__init__()
        self.net = _two_layers(state_dim, settings.omega_embed_dim)

    def forward(self, x: OmegaInputs) -> Tensor:
        """[B, T, 1], with gradient."""
        return torch.sigmoid(self.net(x.state))


@OMEGAS.register("advantage")
class Advantage(nn.Module):
    """ω = |A| / (running mean of |A| + ε), A = Q_mono(s, u) − V(s).

    V by sampling joint actions, or a network fitted to Q_mono at the actions taken
    (`advantage_value`). ω carries no gradient.
    """

    mean: Tensor
    seen: Tensor

    def __init__(self, state_dim: int, settings: Any) -> None:
        super().__init__()
        self.value: Optional[nn.Module] = None
        if settings.advantage_value == "network":
            self.value = _two_layers(state_dim, settings.omega_embed_dim)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    @torch.no_grad()
    def forward(self, x: OmegaInputs) -> Tensor:
        """[B, T, 1]; the running mean moves where there is a mask."""
        value = x.sampled_value() if self.value is None else self.value(x.state)
        size = (x.q_mono - value).abs()
        if x.mask is not None:
            mean = (size * x.mask).sum() / x.mask.sum().clamp(min=1)
            self.mean.lerp_(mean, MOMENTUM)
            self.seen.lerp_(torch.ones_like(self.seen), MOMENTUM)
        return size / (self.mean / self.seen.clamp(min=EPS) + EPS)

    def value_error(self, x: OmegaInputs) -> Optional[Tensor]:
        """V(s) − Q_mono(s, u) [B, T, 1], to be made small; None where V is sampled."""
        return None if self.value is None else self.value(x.state) - x.q_mono


def _two_layers(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 1))
