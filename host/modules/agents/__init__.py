"""Utility networks. `REGISTRY[name](input_shape, args)` builds one."""

from .rnn_agent import RNNAgent

REGISTRY = {"rnn": RNNAgent}
