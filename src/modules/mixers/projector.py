"""Q_proj, the unrestricted term of the projector variant (docs/projector.md)."""

from __future__ import annotations

from typing import List

from torch import Tensor, nn

from ...errors import ConfigError

LAST_LAYER = 3e-3  # its initial weights and biases are uniform within ±


class Projector(nn.Module):
    """Q_proj = clamp(Σ heads), each head Linear, ReLU, Linear, over s or (s, u).

    The clamp is hard: where the sum of the heads is beyond it, no gradient passes.
    """

    def __init__(
        self, inputs: int, embed_dim: int, heads: int, clamp: float, batch_norm: bool
    ) -> None:
        super().__init__()
        self.clamp, self.batch_norm = clamp, batch_norm
        self.heads = nn.ModuleList(
            _head(inputs, embed_dim, batch_norm) for _ in range(heads)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Value each slot.

        Args:
            x: the state, and the joint action one-hot where it is an input [B, T, I].
            mask: 1 where a slot is real [B, T, 1]: batch normalisation sees no other.

        Returns:
            [B, T, 1].

        Raises:
            ConfigError: batch normalisation over a single transition.
        """
        if not (self.batch_norm and self.training):
            return self._sum(x)
        real = mask.squeeze(-1) > 0
        rows = x[real]
        if len(rows) == 1:
            raise ConfigError(
                "projector_batch_norm: a batch of one transition has no variance, "
                "choose a larger batch_size"
            )
        value = x.new_zeros(mask.shape)
        value[real] = self._sum(rows)
        return value

    def _sum(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        total: Tensor = sum(head(rows) for head in self.heads)
        return total.clamp(-self.clamp, self.clamp).reshape(*x.shape[:-1], 1)


def _head(inputs: int, embed_dim: int, batch_norm: bool) -> nn.Sequential:
    last = nn.Linear(embed_dim, 1)
    for p in last.parameters():
        nn.init.uniform_(p, -LAST_LAYER, LAST_LAYER)
    layers: List[nn.Module] = [nn.Linear(inputs, embed_dim)]
    layers += [nn.BatchNorm1d(embed_dim)] if batch_norm else []
    return nn.Sequential(*layers, nn.ReLU(), last)
