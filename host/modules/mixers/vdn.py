"""Value decomposition by a plain sum (VDN, Sunehag et al. 2018)."""

from __future__ import annotations

from typing import Any

import torch as th
import torch.nn as nn


class VDNMixer(nn.Module):
    """q_tot is the sum of the utilities."""

    def forward(self, agent_qs: th.Tensor, batch: Any) -> th.Tensor:
        """`[B, T, A]` to `[B, T, 1]`; the second argument is not looked at."""
        return agent_qs.sum(dim=2, keepdim=True)
