"""A host's QMIX mixer without its absolute values: any function of the utilities."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import elu

from ...errors import ConfigError

# What hosts call the networks that give w_1, b_1, w_final and V.
LAYOUTS = (
    ("hyper_w_1", "hyper_b_1", "hyper_w_final", "V"),
    ("hyper_w1", "hyper_b1", "hyper_w2", "hyper_b2"),
)


class FreeMixer(nn.Module):
    """Q_tot = w_final(s)ᵀ elu(w_1(s)ᵀ q + b_1(s)) + V(s), weights of either sign.

    Hu et al. 2026, Eq. 25 (arXiv 2511.09792): QMIX but for the absolute values, so
    Q_tot need not rise with a utility. The networks are the host's own, with its names,
    so checkpoints have the same layout.

    Args:
        mixer: the host's QMIX mixer, whose networks this one takes over.

    Raises:
        ConfigError: it is no QMIX mixer of a known layout.
    """

    def __init__(self, mixer: Any) -> None:
        super().__init__()
        found = [names for names in LAYOUTS if all(hasattr(mixer, n) for n in names)]
        if not found:
            raise ConfigError(
                f"mixing='free' takes the networks of QMIX's mixer, which "
                f"{type(mixer).__name__} does not have: set mixer=qmix or mixing=host"
            )
        self._names = found[0]
        for name, net in mixer.named_children():
            setattr(self, name, net)
        self._shape = (mixer.n_agents, mixer.embed_dim)

    def forward(self, q: Tensor, state: Tensor) -> Tensor:
        """Mix, [B, T, A] and [B, T, S] → [B, T, 1]."""
        w_1, b_1, w_final, v = (getattr(self, name)(state) for name in self._names)
        w_1 = w_1.unflatten(-1, self._shape)  # [B, T, A, E]
        hidden = elu((q.unsqueeze(-2) @ w_1).squeeze(-2) + b_1)
        q_tot: Tensor = (hidden * w_final).sum(-1, keepdim=True) + v
        return q_tot
