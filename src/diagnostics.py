"""What `diagnostics: true` logs about the weights and about Q̂* against Q_tot.

Nothing here runs otherwise, nor on any step but log steps.
`B` episodes, `T` transitions, `A` agents, `U` actions, `E` outputs per action.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

import torch
from torch import Tensor, nn

from . import central

SEED = 0  # of the drawn joint actions: training's random numbers stay untouched


class Mixers(NamedTuple):
    """The online mixers; the second is None where there is no Q̂*."""

    monotonic: nn.Module
    central: Optional[nn.Module]


@torch.no_grad()
def diagnose(
    mixers: Mixers, data: Any, values: Any, weights: Tensor, joint_actions: int
) -> Dict[str, Tensor]:
    """Return what is logged as its mean over the real transitions, all [B, T, 1].

    `diag_weight_one`: w = 1. `diag_greedy_joint`: u = û. And where there is a Q̂*:
    `diag_argmax_agrees`: û maximises Q̂*(s, ·) (exactly, or among the joint actions
    drawn: then an upper bound). `diag_greedy_gap`: Q̂*(s, û) − Q_tot(s, û).
    `diag_overestimation`, `diag_underestimation`: the positive parts of Q_tot − Q̂*
    and of Q̂* − Q_tot at the actions taken.

    Args:
        mixers: see there.
        data: the learner's `Transitions`.
        values: the learner's `Values`.
        weights: w [B, T, 1].
        joint_actions: how many are looked at in each state: all of them if there are
            no more, else so many drawn from the available ones.
    """
    greedy, state = values.greedy[:, :-1], data.state[:, :-1]
    found = {
        "diag_weight_one": (weights == 1).to(weights.dtype),
        "diag_greedy_joint": _all_equal(data.actions, greedy).to(weights.dtype),
    }
    if mixers.central is None:
        return found
    q, q_star_i = values.q[:, :-1], values.q_star_i[:, :-1]
    avail = data.avail_actions[:, :-1]
    star_at_greedy = mixers.central(central.take(q_star_i, greedy), state)
    tot_at_greedy = mixers.monotonic(central.take(q, greedy), state)
    if avail.shape[3] ** avail.shape[2] <= joint_actions:
        args = (mixers.central, q_star_i, state, greedy, avail)
        agrees = central.is_optimal_joint(*args)
    else:
        best = best_drawn(mixers.central, q_star_i, state, avail, joint_actions)
        agrees = star_at_greedy >= best
    excess = values.q_tot - values.q_star
    return {
        **found,
        "diag_argmax_agrees": agrees.to(weights.dtype),
        "diag_greedy_gap": star_at_greedy - tot_at_greedy,
        "diag_overestimation": excess.clamp(min=0),
        "diag_underestimation": (-excess).clamp(min=0),
    }


def best_drawn(
    mixer: nn.Module, q: Tensor, state: Tensor, avail: Tensor, count: int
) -> Tensor:
    """Return the largest Q̂*(s, ·) among `count` drawn available joint actions.

    Args:
        mixer: of Q̂*.
        q: per-agent outputs of all actions [B, T, A, U, E].
        state: [B, T, S].
        avail: [B, T, A, U].

    Returns:
        [B, T, 1].
    """
    generator = torch.Generator(q.device).manual_seed(SEED)
    joint = central.draw_joint(avail, count, generator)
    best = torch.full_like(state[..., :1], float("-inf"))
    at_once = max(1, central.ROWS_AT_ONCE // best.numel())
    for chunk in joint.split(at_once):
        rows = torch.stack([central.take(q, actions) for actions in chunk])
        states = state.expand(len(chunk), *state.shape)
        best = torch.maximum(best, mixer(rows, states).amax(0))
    return best


def _all_equal(actions: Tensor, greedy: Tensor) -> Tensor:
    return (actions == greedy).all(dim=2)
