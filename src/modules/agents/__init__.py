"""Per-agent networks of Q̂*, by the name that `central_agent` selects."""

from .central_ff_agent import CentralFFAgent
from .central_rnn_agent import CentralRNNAgent, NonSharedCentralRNNAgent

CENTRAL_AGENTS = {
    "central_ff": CentralFFAgent,
    "central_rnn": CentralRNNAgent,
    "central_rnn_ns": NonSharedCentralRNNAgent,
}
