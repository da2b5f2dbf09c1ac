"""The attention mixer of Q̂*."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...registry import CENTRAL_MIXERS
from .central_ff import state_value


@CENTRAL_MIXERS.register("atten")
class CentralAttenMixer(nn.Module):
    """State-dependent attention over the agents, then feed-forward (SMAC's `corridor`).

    Each of `embed_dim` heads averages the agents' outputs with weights
    softmax_A(atten(s)); two hidden ReLU layers and V(s) follow (Rashid et al. 2020,
    appendix). Layers and parameter names are those of the published mixer. With
    `action_embed` E > 1, which the published code cannot run, the heads average each of
    the E outputs, so the first layer has E · `embed_dim` inputs.
    """

    def __init__(
        self,
        n_agents: int,
        state_dim: int,
        action_embed: int,
        embed_dim: int,
        hypernet_embed: int,
    ) -> None:
        super().__init__()
        self.heads_shape = (n_agents, embed_dim)
        self.atten_layer = nn.Sequential(
            nn.Linear(state_dim, hypernet_embed),
            nn.ReLU(inplace=True),
            nn.Linear(hypernet_embed, n_agents * embed_dim),
        )
        self.net = nn.Sequential(
            nn.Linear(action_embed * embed_dim, embed_dim),
            nn.ReLU(inplace=True),
            nn.Linear(embed_dim, embed_dim),
            nn.ReLU(inplace=True),
            nn.Linear(embed_dim, 1),
        )
        self.V = state_value(state_dim, embed_dim)

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Mix: `q` [..., A, E] and `state` [..., S] → Q̂*(s, u) [..., 1]."""
        attention = self.atten_layer(state).unflatten(-1, self.heads_shape)
        heads = q.transpose(-1, -2) @ torch.softmax(attention, dim=-2)
        q_star: Tensor = self.net(heads.flatten(-2)) + self.V(state)
        return q_star
