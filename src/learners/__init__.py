"""Learners, by the key under which they are registered into a host."""

from .wqmix_learner import WQMixLearner

LEARNERS = {"wqmix_learner": WQMixLearner}
