"""Weightings w(s, u) of the QMIX loss: a registry of pure functions.

Each takes `WeightingInputs` and returns weights [B, T, 1] in (0, 1]. To add one::

    from wqmix.weightings import register, full_or_alpha

    @register("mine")
    def mine(x):
        \"\"\"One line for `wqmix list`.\"\"\"
        return full_or_alpha(x.target > 0, x)

after which `weighting: mine` selects it. `B` episodes, `T` transitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict

import torch
from torch import Tensor

from .errors import ConfigError


@dataclass(frozen=True)
class WeightingInputs:
    """What a weighting may look at; no tensor of it carries a gradient.

    Attributes:
        q_tot: Q_tot(s, u) of the actions taken [B, T, 1].
        target: y, Eq. 8 [B, T, 1].
        greedy_value: v = Q̂*⁻(s, û), target networks at the greedy joint action
            [B, T, 1].
        is_greedy_joint: whether every agent's u equals û [B, T, 1], bool.
        is_optimal_joint: call it for whether u maximises Q̂*(s, ·) over all available
            joint actions [B, T, 1], bool; enumerates them, so it costs.
        alpha: α.
        t_env: environment steps so far, for schedules.
    """

    q_tot: Tensor
    target: Tensor
    greedy_value: Tensor
    is_greedy_joint: Tensor
    is_optimal_joint: Callable[[], Tensor]
    alpha: float
    t_env: int


Weighting = Callable[[WeightingInputs], Tensor]
WEIGHTINGS: Dict[str, Weighting] = {}


def register(name: str) -> Callable[[Weighting], Weighting]:
    """Decorate a weighting to make `weighting: name` select it.

    Raises:
        ConfigError: the name is taken.
    """

    def add(function: Weighting) -> Weighting:
        if name in WEIGHTINGS:
            raise ConfigError(f"weighting {name!r} is registered already")
        WEIGHTINGS[name] = function
        return function

    return add


def full_or_alpha(is_full: Tensor, x: WeightingInputs) -> Tensor:
    """Return 1 where `is_full` [B, T, 1] and α elsewhere, typed as the target."""
    one = torch.ones((), dtype=x.target.dtype, device=x.target.device)
    return torch.where(is_full, one, one * x.alpha)


@register("cw")
def centrally_weighted(x: WeightingInputs) -> Tensor:
    """CW-QMIX: 1 where u is the greedy joint action or y > Q̂*⁻(s, û) (Eq. 12)."""
    return full_or_alpha(x.is_greedy_joint | (x.target > x.greedy_value), x)


@register("ow")
def optimistically_weighted(x: WeightingInputs) -> Tensor:
    """OW-QMIX: 1 where Q_tot(s, u) underestimates the target (Eq. 13)."""
    return full_or_alpha(x.q_tot < x.target, x)


@register("ideal")
def idealised_central(x: WeightingInputs) -> Tensor:
    """Idealised central: 1 where u maximises Q̂* over all joint actions (Eq. 6)."""
    return full_or_alpha(x.is_optimal_joint(), x)


@register("uniform")
def uniform(x: WeightingInputs) -> Tensor:
    """1 everywhere: QMIX's own projection, with targets from Q̂* (ablation)."""
    return torch.ones_like(x.target)
