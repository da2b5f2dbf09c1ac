"""Mixers: utilities of the taken actions to one joint value.

`REGISTRY[name](args)` builds one; `mixer(agent_qs [B, T, A], states [B, T, S])`
returns `[B, T, 1]`.
"""

from .qmix import QMixer
from .vdn import VDNMixer

REGISTRY = {"vdn": lambda args: VDNMixer(), "qmix": QMixer}
