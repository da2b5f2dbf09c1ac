"""The feed-forward mixer of Q̂*."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import linear

from ...registry import CENTRAL_MIXERS


@CENTRAL_MIXERS.register("ff")
class CentralFFMixer(nn.Module):
    """Feed-forward over state and utilities: unrestricted, so Q̂* can be any function.

    Q̂* = net([s, q_1 … q_A]) + V(s): three hidden ReLU layers of `embed_dim` and a state
    value of one (Rashid et al. 2020, section 5.1). Layers and parameter names are those
    of the published mixer, so that weights can be copied across.
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
        width = embed_dim
        self.net = nn.Sequential(
            nn.Linear(state_dim + n_agents * action_embed, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, 1),
        )
        self.V = state_value(state_dim, width)

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Mix.

        Args:
            q: per-agent outputs of the chosen actions [..., A, E].
            state: [..., S].

        Returns:
            Q̂*(s, u) [..., 1].
        """
        first, *rest = self.net
        assert isinstance(first, nn.Linear)
        # One product for each part of [s, q]: no copy, and no gradient for the state.
        of_state, of_q = first.weight.tensor_split([state.shape[-1]], dim=1)
        x = linear(q.flatten(-2), of_q, first.bias).add_(linear(state, of_state))
        for layer in rest:
            x = layer(x)
        q_star: Tensor = x + self.V(state)
        return q_star


def state_value(state_dim: int, width: int) -> nn.Sequential:
    """V(s), added to a mixer's output in place of its last bias."""
    return nn.Sequential(
        nn.Linear(state_dim, width), nn.ReLU(inplace=True), nn.Linear(width, 1)
    )
