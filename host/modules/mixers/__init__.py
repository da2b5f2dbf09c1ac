"""Mixers: utilities of the taken actions to one joint value.

`REGISTRY[name](args)` builds one; `mixer(agent_qs [B, T, A], states [B, T, S])`
returns `[B, T, 1]`.
"""

from typing import Any, Callable, Dict

from .qmix import QMixer
from .vdn import VDNMixer

REGISTRY: Dict[str, Callable[..., Any]] = {
    "vdn": lambda args: VDNMixer(),
    "qmix": QMixer,
}
