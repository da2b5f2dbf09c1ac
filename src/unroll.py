"""Networks over whole sequences: the host's MAC, and recurrences in one call.

`B` episodes, `T` time slots, `A` agents, `U` actions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .errors import ConfigError


def step_unroll(mac: Any, batch: Any, n_actions: int) -> Tensor:
    """Utilities of the host's controller, slot by slot, as the host does it.

    Returns:
        Q_i(τ, ·) [B, T, A, U].

    Raises:
        ConfigError: the controller's output has another shape.
    """
    mac.init_hidden(batch.batch_size)
    q = torch.stack([mac.forward(batch, t=t) for t in range(batch.max_seq_length)], 1)
    expected = (*batch["actions"].shape[:3], n_actions)
    if tuple(q.shape) != expected:
        raise ConfigError(
            f"the agent network's output over time has shape {tuple(q.shape)}, not "
            f"(episodes, slots, agents, actions) = {expected}: Weighted QMIX needs one "
            "value per action (agent_output_type: q)"
        )
    return q


def gru_sequence(cell: nn.GRUCell, x: Tensor) -> Tensor:
    """Run a GRU cell from zero hidden states over sequences, in one call.

    Args:
        x: [B, T, A, input_size]; the A agents of an episode are sequences of their own.

    Returns:
        The hidden states [B, T, A, hidden_size].
    """
    b, t, a, _ = x.shape
    sequences = x.transpose(0, 1).reshape(t, b * a, -1)
    h0 = x.new_zeros(1, b * a, cell.hidden_size)
    weights = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    h, _ = torch.gru(sequences, h0, weights, True, 1, 0.0, cell.training, False, False)
    return h.unflatten(1, (b, a)).transpose(0, 1)
