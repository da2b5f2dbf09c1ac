"""One adapter per host; `docs/adding_a_host.md` says how to write one."""

from __future__ import annotations

from .base import HostAdapter
from .embedded import EMBEDDED_ROOT, Embedded
from .generic import Generic
from .pymarl import PyMARL

HOSTS = {adapter.name: adapter for adapter in (Embedded(), PyMARL(), Generic())}

__all__ = ["EMBEDDED_ROOT", "HOSTS", "HostAdapter"]
