"""One adapter per host; `docs/adding_a_host.md` says how to write one."""

from __future__ import annotations

from .base import HostAdapter
from .embedded import EMBEDDED_ROOT, Embedded
from .epymarl import EPyMARL
from .generic import Generic
from .pymarl import PyMARL
from .pymarl2 import PyMARL2
from .pymarl3 import PyMARL3
from .pymarlzooplus import PyMARLzooPlus
from .wqmix import WQMix

ADAPTERS = (
    Embedded,
    PyMARL,
    WQMix,
    PyMARL2,
    PyMARL3,
    EPyMARL,
    PyMARLzooPlus,
    Generic,
)
HOSTS = {adapter.name: adapter() for adapter in ADAPTERS}

__all__ = ["EMBEDDED_ROOT", "HOSTS", "HostAdapter"]
