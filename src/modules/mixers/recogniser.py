"""POW's recogniser Q_r."""

from __future__ import annotations

from typing import Tuple

import torch
from torch import Tensor, nn


class Recogniser(nn.Module):
    """Q_r(s, u) = V(s) + A_r(s, u), with A_r = Σ_i λ_i(s, u) (q_i(u_i) − max q_i) ≤ 0.

    λ_i ≥ 0 depends on the joint action, so A_r may be 0 for any joint action and not
    only for the greedy one: where it is (nearly) 0, Q_r takes u to be as good as the
    greedy joint action or better (Huang et al. 2026, arXiv 2405.08036). λ = |W| |v|
    with W [A, E] and v [E] from two hypernetworks of two hidden layers, V(s) of two
    hidden layers, as in the authors' release.
    """

    def __init__(
        self,
        n_agents: int,
        n_actions: int,
        state_dim: int,
        embed_dim: int,
        hypernet_embed: int,
        value_embed: int,
    ) -> None:
        super().__init__()
        self.weights_shape = (n_agents, embed_dim)
        inputs = state_dim + n_agents * n_actions
        self.hyper_w = _two_hidden(inputs, hypernet_embed, n_agents * embed_dim)
        self.hyper_v = _two_hidden(inputs, hypernet_embed, embed_dim)
        self.V = _two_hidden(state_dim, value_embed, 1)

    def forward(
        self, gaps: Tensor, state: Tensor, actions: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Value the actions taken.

        Args:
            gaps: q_i(u_i) − max q_i ≤ 0 [..., A], without gradient.
            state: [..., S].
            actions: the joint action, one-hot [..., A · U].

        Returns:
            Q_r and A_r, both [..., 1].
        """
        inputs = torch.cat([state, actions], dim=-1)
        w = self.hyper_w(inputs).abs().unflatten(-1, self.weights_shape)
        v = self.hyper_v(inputs).abs().unsqueeze(-1)
        advantage = (gaps.unsqueeze(-2) @ w @ v).squeeze(-1)
        return self.V(state) + advantage, advantage


def _two_hidden(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )
