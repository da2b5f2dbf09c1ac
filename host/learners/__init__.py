"""Learners. `REGISTRY[name](mac, scheme, logger, args)` builds one."""

from .q_learner import QLearner

REGISTRY = {"q_learner": QLearner}
