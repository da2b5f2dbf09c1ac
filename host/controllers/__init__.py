"""Multi-agent controllers: observations of all agents in, utilities and actions out."""

from .basic_controller import BasicMAC

REGISTRY = {"basic_mac": BasicMAC}
