"""Value decomposition by a plain sum (VDN, Sunehag et al. 2018)."""

import torch.nn as nn


class VDNMixer(nn.Module):
    """q_tot is the sum of the utilities."""

    def forward(self, agent_qs, batch):
        """`[B, T, A]` to `[B, T, 1]`; the second argument is not looked at."""
        return agent_qs.sum(dim=2, keepdim=True)
