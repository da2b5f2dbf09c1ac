"""The embedded host (`wqmix.host`): PyMARL's API, shipped with this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List, Optional

from .base import (
    Config,
    HostAdapter,
    adam_or_rmsprop,
    each_episodes,
    each_steps_or_soft,
    nothing,
)
from .pymarl2 import lambda_if_any, td_errors_abs

EMBEDDED_ROOT = Path(__file__).resolve().parents[2] / "host"


class Embedded(HostAdapter):
    name = "embedded"
    title = "the embedded host"
    about = "wqmix.host, shipped with this package: no checkout needed"
    package = "wqmix.host"
    compared_by_tests = True  # tests/plugin/test_parity.py
    finds_sacred = True
    models_named_by = ()
    optimizer = adam_or_rmsprop
    not_restored = ""  # with resume=True nothing; without, it says so itself

    def missing(self, root: Path) -> List[str]:
        """This host is where it was installed, nowhere else."""
        return [] if root.resolve() == EMBEDDED_ROOT else [str(EMBEDDED_ROOT)]

    def config_dir(self, root: Path) -> Path:
        """Its folder `config` lies beside it, shared with our own YAMLs."""
        return root.parent / "config"

    def td_lambda(self, config: Config) -> Optional[float]:
        """λ, where 0 means one step."""
        return lambda_if_any(self, config) or None

    def target_update(self, config: Config) -> Any:
        """By episodes, unless `target_update_interval_or_tau` is above 0."""
        by_steps = bool(config.get("target_update_interval_or_tau"))
        return (each_steps_or_soft if by_steps else each_episodes)(self, config)

    def train_returns(self, config: Config) -> Callable[[Any, Any], Any]:
        """With prioritised replay, the episodes' priorities."""
        return td_errors_abs if config.get("use_per") else nothing
