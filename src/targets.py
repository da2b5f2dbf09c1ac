"""Masks and targets of the update, as pure tensor functions.

`B` episodes, `T` transitions, batches of `T + 1` slots, `A` agents, `U` actions.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor


def transition_mask(filled: Tensor, terminated: Tensor) -> Tensor:
    """Which transitions are real.

    m_t = filled_t · filled_{t+1} · Π_{k<t} (1 − terminated_k). The factor filled_{t+1}
    matters where an episode was cut short without `terminated`: its last slot holds a
    state and no transition, and its successor is padding.

    Args:
        filled: [B, T+1, 1], 1 where a slot was written.
        terminated: [B, T+1, 1], floating.

    Returns:
        [B, T, 1] in the dtype of `terminated`.
    """
    _check_same_rank(filled, terminated)
    filled = filled.to(terminated.dtype)
    alive = (1 - terminated[:, :-2]).cumprod(dim=1)
    mask = filled[:, :-1] * filled[:, 1:]
    mask[:, 1:] *= alive
    return mask


def greedy_actions(q: Tensor, avail_actions: Tensor) -> Tensor:
    """û: each agent's best available action, the first of equals.

    Args:
        q: utilities [B, T+1, A, U].
        avail_actions: the same shape, non-zero where available.

    Returns:
        [B, T+1, A, 1], int64; 0 where nothing is available (padding).
    """
    _check_same_rank(q, avail_actions)
    return q.masked_fill(avail_actions == 0, float("-inf")).argmax(dim=3, keepdim=True)


def td_targets(
    reward: Tensor,
    terminated: Tensor,
    mask: Tensor,
    value: Tensor,
    gamma: float,
    td_lambda: Optional[float],
) -> Tensor:
    """Targets y of Eq. 8, or their TD(λ) form.

    One step (`td_lambda` None): y_t = r_t + γ (1 − term_t) v_{t+1}. TD(λ), backwards:

        y_t = r_t + γ (1 − term_t) ((1 − λ) v_{t+1} + λ y_{t+1}),

    with y_{t+1} := v_{t+1} where transition t + 1 is not real (m_{t+1} = 0, or the end
    of the batch), so that nothing of the padding leaks in. λ = 0 is the one-step
    target; λ = 1 the discounted return, bootstrapped where the episode was cut.

    Args:
        reward, terminated, mask: [B, T, 1].
        value: v = Q̂*⁻(s, û) [B, T+1, 1].

    Returns:
        [B, T, 1]; meaningless where mask is 0.
    """
    _check_same_rank(reward, terminated, mask, value)
    discount = gamma * (1 - terminated)
    v_next = value[:, 1:]
    if td_lambda is None:
        return reward + discount * v_next
    is_real = mask > 0
    now = reward + discount * (1 - td_lambda) * v_next
    y = torch.where(is_real, now, value[:, :-1])
    share = torch.where(is_real, td_lambda * discount, torch.zeros_like(discount))
    y_next = _backwards(y, share, v_next[:, -1:])
    return now + td_lambda * discount * y_next


def _backwards(y: Tensor, share: Tensor, last: Tensor) -> Tensor:
    """Solve y_t ← y_t + share_t · y_{t+1}, in log₂ T steps instead of T.

    After k of them each y_t holds what comes from 2^k slots, and `share` its factor
    of the rest.

    Args:
        y, share: [B, T, 1].
        last: y_T [B, 1, 1].

    Returns:
        y_1 … y_T [B, T, 1].
    """
    y = torch.cat([y, last], 1)
    share = torch.cat([share, torch.zeros_like(last)], 1)
    step = 1
    while step < y.shape[1]:
        own = share[:, :-step]
        more = (own * y[:, step:]).masked_fill(own == 0, 0)  # y may be anything there
        y = torch.cat([y[:, :-step] + more, y[:, -step:]], 1)
        share = torch.cat(
            [own * share[:, step:], torch.zeros_like(share[:, -step:])], 1
        )
        step *= 2
    return y[:, 1:]


def _check_same_rank(*tensors: Tensor) -> None:
    """A [B, T, 1] must never meet a [B, T] by broadcasting."""
    ranks = {tensor.dim() for tensor in tensors}
    if len(ranks) != 1:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise ValueError(f"tensors of different rank: {shapes}")
