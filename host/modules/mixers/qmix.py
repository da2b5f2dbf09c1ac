"""The monotonic mixer of QMIX (Rashid et al. 2018)."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch as th
import torch.nn as nn
import torch.nn.functional as F

from ...utils.initial import orthogonal


class QMixer(nn.Module):
    """q_tot from utilities, by weights that hypernetworks draw from the state.

        q_tot = |w_final(s)|^T elu(|w_1(s)|^T q + b_1(s)) + V(s)

    The absolute values make q_tot monotonic in every utility. `hypernet_layers` is
    1 (linear) or 2 (one hidden layer of `hypernet_embed`). With `use_orthogonal` all
    layers start orthogonal (PyMARL2). What they draw is multiplied by
    `mixer_init_scale` at the start: their last layers are, weights and biases.
    """

    def __init__(self, args: SimpleNamespace) -> None:
        super().__init__()
        self.args = args
        self.n_agents = args.n_agents
        self.state_dim = int(np.prod(args.state_shape))
        self.embed_dim = args.mixing_embed_dim
        self.hyper_w_1 = self._hypernet(self.embed_dim * self.n_agents)
        self.hyper_w_final = self._hypernet(self.embed_dim)
        self.hyper_b_1 = nn.Linear(self.state_dim, self.embed_dim)
        self.V = nn.Sequential(
            nn.Linear(self.state_dim, self.embed_dim),
            nn.ReLU(),
            nn.Linear(self.embed_dim, 1),
        )
        if args.use_orthogonal:
            orthogonal(self)
        self.mixer_init_scale = args.mixer_init_scale
        self._scale_last_layers(self.mixer_init_scale)

    def _hypernet(self, size: int) -> nn.Module:
        layers = getattr(self.args, "hypernet_layers", 1)
        if layers == 1:
            return nn.Linear(self.state_dim, size)
        if layers == 2:
            return nn.Sequential(
                nn.Linear(self.state_dim, self.args.hypernet_embed),
                nn.ReLU(),
                nn.Linear(self.args.hypernet_embed, size),
            )
        raise ValueError(f"hypernet_layers must be 1 or 2, not {layers}")

    @th.no_grad()
    def _scale_last_layers(self, factor: float) -> None:
        for net in self.children():
            last = net[-1] if isinstance(net, nn.Sequential) else net
            for parameter in last.parameters():
                parameter.mul_(factor)

    def forward(self, agent_qs: th.Tensor, states: th.Tensor) -> th.Tensor:
        """Utilities `[B, T, A]` and states `[B, T, S]` to q_tot `[B, T, 1]`."""
        batch_size = agent_qs.size(0)
        states = states.reshape(-1, self.state_dim)
        agent_qs = agent_qs.reshape(-1, 1, self.n_agents)
        w1 = th.abs(self.hyper_w_1(states)).view(-1, self.n_agents, self.embed_dim)
        b1 = self.hyper_b_1(states).view(-1, 1, self.embed_dim)
        hidden = F.elu(th.bmm(agent_qs, w1) + b1)
        w_final = th.abs(self.hyper_w_final(states)).view(-1, self.embed_dim, 1)
        v = self.V(states).view(-1, 1, 1)
        return (th.bmm(hidden, w_final) + v).view(batch_size, -1, 1)
