"""Optimiser and gradient norms."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

from .settings import HostSettings


def build_optimiser(params: List[nn.Parameter], host: HostSettings) -> Optimizer:
    """Build the optimiser that the host's own QMIX uses.

    `foreach` updates all tensors in few calls: the same numbers, sooner.
    """
    if host.optimizer == "adam":
        return Adam(params, host.lr, weight_decay=host.weight_decay, foreach=True)
    return RMSprop(
        params,
        lr=host.lr,
        alpha=host.optim_alpha,
        eps=host.optim_eps,
        weight_decay=host.weight_decay,
        foreach=True,
    )


def leading_state(optimiser: Optimizer, count: int) -> Dict[str, Any]:
    """The optimiser's state for its first `count` parameters alone.

    They are those of a host's own QMIX, whose optimiser can load this.
    """
    state = optimiser.state_dict()
    first = dict(state["param_groups"][0], params=list(range(count)))
    kept = {i: own for i, own in state["state"].items() if i < count}
    return {"state": kept, "param_groups": [first]}


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had no memory left; torch before 1.13 has no class for it."""
    return "out of memory" in str(error)


def grad_norm(params: Iterable[nn.Parameter]) -> Tensor:
    """L2 norm over the gradients of all given parameters; zero where there are none."""
    norms = [torch.linalg.norm(p.grad) for p in params if p.grad is not None]
    return torch.linalg.norm(torch.stack(norms)) if norms else torch.zeros(())


def clip_grad_norm(params: List[nn.Parameter], max_norm: float) -> Tensor:
    """Scale gradients so that their joint L2 norm is at most `max_norm`.

    Returns:
        The norm before.
    """
    return nn.utils.clip_grad_norm_(params, max_norm)
