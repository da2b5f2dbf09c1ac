"""PyMARLzoo+ (AILabDsUnipi/pymarlzooplus): EPyMARL as an installed package."""

from __future__ import annotations

from typing import Any, Callable, List

from ...errors import ConfigError
from .base import Config, HostAdapter, each_steps_or_soft, nothing


class PyMARLzooPlus(HostAdapter):
    name = "pymarlzooplus"
    title = "PyMARLzoo+"
    about = "AILabDsUnipi/pymarlzooplus, also on PyPI: run it with -m"
    package = "pymarlzooplus"
    present = (
        "run.py",
        "components/episodic_memory_buffer.py",
        "config/algs/qmix.yaml",
    )
    text = (("run.py", "from pymarlzooplus.learners import"),)
    results_beside_main = True
    models_named_by = ("results_path",)  # all runs share it
    target_update = each_steps_or_soft

    def check(self, config: Config) -> None:
        """Refuse its episodic memory, which only its own learner reads."""
        if config.get("use_emdqn"):
            raise ConfigError(
                f"{self.title}: use_emdqn=True hands the learner an episodic memory, "
                "which Weighted QMIX has no use for: set use_emdqn=False"
            )

    def optimizer(self, config: Config) -> str:
        """Its learners know Adam alone."""
        return "adam"

    def train_returns(self, config: Config) -> Callable[[Any, Any], Any]:
        """With its prioritised buffer, the episodes' squared TD errors."""
        return squared_td_errors if config.get("prioritized_buffer") else nothing


def squared_td_errors(td_error: Any, mask: Any) -> List[float]:
    """Priorities of episodes: mean over steps of δ², a number each.

    The host's own learner returns δ² for each step, which its sum tree can hold only
    where episodes have one step; there both are the same.
    """
    steps = mask.sum(1).clamp(min=1.0)
    found: List[float] = (((td_error * mask) ** 2).sum(1) / steps).flatten().tolist()
    return found
