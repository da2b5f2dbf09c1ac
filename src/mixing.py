"""A host's own mixer, made ready: how large its first values are."""

from __future__ import annotations

from typing import Any, Iterator, List

import torch
from torch import nn

from .errors import ConfigError


def scale_mixer(mixer: Any, factor: float) -> None:
    """Multiply what a host's mixer draws from the state by `factor`, in place.

    Of each hypernetwork the last linear layer, weights and bias: w_1, w_final, b_1 and
    V of QMIX. Nothing is drawn, and nothing changes with 1. A mixer that was built with
    the factor, and says so (`mixer_init_scale`), is left as it is; VDN's has nothing.

    Raises:
        ConfigError: the mixer has parameters outside such networks.
    """
    if factor == getattr(mixer, "mixer_init_scale", 1):
        return
    nets = list(_hypernetworks(mixer))
    known = {id(p) for net in nets if _linears(net) for p in net.parameters()}
    if any(id(p) not in known for p in mixer.parameters()):
        raise ConfigError(
            f"mixer_init_scale={factor:g} cannot be applied to {type(mixer).__name__}, "
            "which is not made of hypernetworks that end in a linear layer: set "
            "mixer_init_scale=1"
        )
    scale_last_layers(nets, factor)


@torch.no_grad()
def scale_last_layers(nets: List[nn.Module], factor: float) -> None:
    """Multiply weights and bias of each network's last linear layer, in place."""
    for net in nets:
        for p in _linears(net)[-1].parameters():
            p.mul_(factor)


def _linears(net: nn.Module) -> List[nn.Linear]:
    return [layer for layer in net.modules() if isinstance(layer, nn.Linear)]


def _hypernetworks(mixer: nn.Module) -> Iterator[nn.Module]:
    """The networks with parameters that a mixer consists of; of a list each one."""
    for net in mixer.children():
        if isinstance(net, nn.ModuleList):
            yield from _hypernetworks(net)
        elif any(True for _ in net.parameters()):
            yield net
