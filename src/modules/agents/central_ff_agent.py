"""The feed-forward per-agent network of Q̂*, for hosts whose agents have no memory.

`P` slots in the order of `Slots`, `A` agents, `I` inputs, `U` actions, `E` outputs per
action.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...registry import CENTRAL_AGENTS
from ...slots import Slots


@CENTRAL_AGENTS.register("central_ff")
class CentralFFAgent(nn.Module):
    """Parameters shared by the agents: Linear, ReLU, Linear, ReLU, Linear to U·E.

    Not in the paper: EPyMARL's agent of `use_rnn: False`, with E outputs per action.
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
        self.fc2 = nn.Linear(hidden_dim, hidden_dim)
        self.fc3 = nn.Linear(hidden_dim, n_actions * action_embed)

    def forward(self, inputs: Tensor, slots: Slots) -> Tensor:
        """Run each slot by itself, [P, A, I] → [P, A, U, E]."""
        h = torch.relu_(self.fc2(torch.relu_(self.fc1(inputs.flatten(0, 1)))))
        q = self.fc3(h).unflatten(-1, self.out_shape)
        by_slot: Tensor = q.unflatten(0, inputs.shape[:2])
        return by_slot
