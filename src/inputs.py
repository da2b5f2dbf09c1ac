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
    a = batch["obs"].shape[2]
    if observed == "state":
        state = slots.pack(batch["state"].flatten(2))
        parts = [state.unsqueeze(1).expand(-1, a, -1)]
    else:
        parts = [slots.pack(batch["obs"])]
    like = parts[0]
    if args.obs_last_action:
        parts.append(slots.pack_previous(batch["actions_onehot"]).to(like.dtype))
    if args.obs_agent_id:
        ids = torch.eye(a, dtype=like.dtype, device=like.device)
        parts.append(ids.expand(len(like), a, a))
    return torch.cat(parts, dim=2)


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
