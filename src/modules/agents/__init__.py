"""Per-agent networks of Q̂*, by the name that `central_agent` selects."""

from ...registry import CENTRAL_AGENTS
from . import central_ff_agent, central_rnn_agent  # noqa: F401  they register themselves

__all__ = ["CENTRAL_AGENTS"]
