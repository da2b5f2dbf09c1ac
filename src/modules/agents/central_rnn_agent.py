"""The recurrent per-agent network of Q̂*, over whole sequences.

`P` slots in the order of `Slots`, `A` agents, `I` inputs, `H` hidden, `U` actions, `E`
outputs per action.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...recurrence import recurrent_agents
from ...registry import CENTRAL_AGENTS
from ...slots import Slots


@CENTRAL_AGENTS.register("central_rnn")
class CentralRNNAgent(nn.Module):
    """Recurrent, parameters shared by the agents: Linear, ReLU, GRU, Linear to U·E.

    Layers, order and parameter names are those of the published central agent
    (Rashid et al. 2020, appendix), so that weights can be copied across.
    """

    def __init__(
        self,
        input_size: int,
        hidden_dim: int,
        n_agents: int,
        n_actions: int,
        action_embed: int,
    ) -> None:
        super().__init__()
        self.out_shape = (n_actions, action_embed)
        self.fc1 = nn.Linear(input_size, hidden_dim)
        self.rnn = nn.GRUCell(hidden_dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, n_actions * action_embed)

    def forward(self, inputs: Tensor, slots: Slots) -> Tensor:
        """Run from zero hidden states over whole sequences.

        Args:
            inputs: [P, A, I].
            slots: which ones they are.

        Returns:
            [P, A, U, E].
        """
        return self.head(recurrent_agents([(self.fc1, self.rnn)], inputs, slots)[0])

    def head(self, h: Tensor) -> Tensor:
        """Outputs of hidden states, [P, A, H] → [P, A, U, E]."""
        q: Tensor = self.fc2(h).unflatten(-1, self.out_shape)
        return q


@CENTRAL_AGENTS.register("central_rnn_ns")
class NonSharedCentralRNNAgent(nn.Module):
    """Recurrent, with parameters of its own for each agent."""

    def __init__(
        self,
        input_size: int,
        hidden_dim: int,
        n_agents: int,
        n_actions: int,
        action_embed: int,
    ) -> None:
        super().__init__()
        sizes = (input_size, hidden_dim, 1, n_actions, action_embed)
        self.agents = nn.ModuleList(CentralRNNAgent(*sizes) for _ in range(n_agents))

    def forward(self, inputs: Tensor, slots: Slots) -> Tensor:
        """As `CentralRNNAgent.forward`."""
        single = inputs.split(1, dim=1)
        return torch.cat([net(x, slots) for net, x in zip(self.agents, single)], dim=1)
