"""Learners, by the key under which they are registered into a host."""

from .pow_qmix_learner import PowQMixLearner
from .proj_qmix_learner import ProjQMixLearner
from .wqmix_learner import WQMixLearner

__all__ = ["LEARNERS", "PowQMixLearner", "ProjQMixLearner", "WQMixLearner"]
LEARNERS = {
    "wqmix_learner": WQMixLearner,
    "pow_qmix_learner": PowQMixLearner,
    "proj_qmix_learner": ProjQMixLearner,
}
