"""How networks start."""

from __future__ import annotations

import torch as th
import torch.nn as nn


def orthogonal(net: th.nn.Module, gain: float = 1) -> None:
    """Orthogonal weights times `gain` and zero biases, in each linear layer of `net`.

    As PyMARL2 and 3 do with `use_orthogonal`.
    """
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.orthogonal_(layer.weight, gain=gain)
            nn.init.zeros_(layer.bias)
