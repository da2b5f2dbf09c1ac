"""What a per-agent network sees, for all slots of a batch at once.

`P` slots in the order of `Slots`, `A` agents, `I` inputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .slots import Slots


def agent_inputs(batch: Any, args: Any, slots: Slots, observed: str = "obs") -> Tensor:
    """Build inputs as the hosts' controllers do.

    The observation (or the state), then the last action one-hot if `obs_last_action`,
    then the agent's id one-hot if `obs_agent_id`.

    Args:
        batch: the host's EpisodeBatch.
        args: the host's arguments.
        slots: the batch's slots to be computed.
        observed: `obs` or `state`.

    Returns:
        [P, A, I].
    """
    onehot = batch["actions_onehot"]
    b, t, a, _ = onehot.shape
    if observed == "state":
        parts = [batch["state"].flatten(2).unsqueeze(2).expand(b, t, a, -1)]
    else:
        parts = [batch["obs"]]
    dtype = parts[0].dtype
    if args.obs_last_action:
        last = torch.zeros_like(onehot, dtype=dtype)
        last[:, 1:] = onehot[:, :-1]
        parts.append(last)
    if args.obs_agent_id:
        ids = torch.eye(a, dtype=dtype, device=onehot.device)
        parts.append(ids.expand(b, t, a, a))
    return slots.pack_side_by_side(parts)


def input_size(scheme: Any, args: Any, observed: str) -> int:
    """Return I of `agent_inputs`."""
    size = flat_size(scheme[observed]["vshape"])
    size += args.n_actions if args.obs_last_action else 0
    return size + (args.n_agents if args.obs_agent_id else 0)


def flat_size(shape: Any) -> int:
    """Return the number of elements of a scheme's `vshape` (an int or a tuple)."""
    size = 1
    for extent in (shape,) if isinstance(shape, int) else shape:
        size *= int(extent)
    return size
