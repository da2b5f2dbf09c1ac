"""Runners: they play episodes. `REGISTRY[name](args, logger)` makes one."""

from .episode_runner import EpisodeRunner
from .parallel_runner import ParallelRunner
from .vector_runner import VectorRunner

REGISTRY = {
    "episode": EpisodeRunner,
    "parallel": ParallelRunner,
    "vector": VectorRunner,
}
