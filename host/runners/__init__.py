"""Runners: they play episodes. `REGISTRY[name](args, logger)` makes one."""

from typing import Callable, Dict

from .base import Runner
from .episode_runner import EpisodeRunner
from .parallel_runner import ParallelRunner
from .vector_runner import VectorRunner

REGISTRY: Dict[str, Callable[..., Runner]] = {
    "episode": EpisodeRunner,
    "parallel": ParallelRunner,
    "vector": VectorRunner,
}
