"""Targets of Q-learning, as pure tensor functions."""

from __future__ import annotations

import torch as th


def td_targets(
    rewards: th.Tensor,
    discount: th.Tensor,
    mask: th.Tensor,
    values: th.Tensor,
    td_lambda: float,
) -> th.Tensor:
    """One-step targets (`td_lambda` 0), or those of TD(lambda).

        y_t = r_t + gamma (1 - terminated_t) ((1 - lambda) v_{t+1} + lambda y_{t+1})

    backwards, with y_{t+1} := v_{t+1} where transition t + 1 did not happen. So they
    are PyMARL2's wherever an episode terminated or filled its batch; where it was cut
    short, PyMARL2's take in the padding.

    Args:
        rewards: `[B, T, 1]`.
        discount: gamma (1 - terminated), `[B, T, 1]`.
        mask: 1 for the transitions that happened, as `values`.
        values: of the states that they led to, slots 1 to T: `[B, T, 1]` of a mixer or
            `[B, T, A]`.
        td_lambda: within [0, 1].
    """
    if td_lambda == 0:
        return rewards + discount * values
    targets, following = th.empty_like(values), values[:, -1]
    for t in reversed(range(values.shape[1])):
        blend = (1 - td_lambda) * values[:, t] + td_lambda * following
        targets[:, t] = rewards[:, t] + discount[:, t] * blend
        following = th.where(mask[:, t] > 0, targets[:, t], values[:, t - 1])
    return targets
