"""Weighted QMIX from Python, on the embedded host: `wqmix.get_runner`."""

from .building import get_runner
from .runner import Runner

__all__ = ["Runner", "get_runner"]
