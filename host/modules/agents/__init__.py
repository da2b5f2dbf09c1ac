"""Utility networks. `REGISTRY[name](input_shape, args)` builds one."""

from typing import Any, Callable, Dict

from .rnn_agent import RNNAgent

REGISTRY: Dict[str, Callable[..., Any]] = {"rnn": RNNAgent}
