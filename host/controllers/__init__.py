"""Multi-agent controllers: observations of all agents in, utilities and actions out."""

from typing import Any, Callable, Dict

from .basic_controller import BasicMAC

REGISTRY: Dict[str, Callable[..., Any]] = {"basic_mac": BasicMAC}
