"""Learners. `REGISTRY[name](mac, scheme, logger, args)` builds one."""

from typing import Any, Callable, Dict

from .q_learner import QLearner

REGISTRY: Dict[str, Callable[..., Any]] = {"q_learner": QLearner}
