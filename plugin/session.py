"""Weighted QMIX from Python, on the embedded host: `wqmix.get_runner`."""

from __future__ import annotations

import importlib
import random
from typing import Any, Dict, List, Optional, Tuple

from . import command_line, registration
from .configs import ConfigFiles
from .hosts.embedded import EMBEDDED_ROOT, Embedded


class Runner:
    """One experiment on the embedded host, in this process and without sacred.

    Attributes:
        args: all settings, as the host and the learner read them.
        learner: the host's baseline or `WQMixLearner`, with its networks.
        buffer: the replay buffer.
        stats: logged values by key, as (t_env, value) pairs.
        episodes: played by `play` so far.
    """

    def __init__(self, argv: List[str]) -> None:
        host = _host_modules()
        config = host["config"].load_config(host["config"].parse_command_line(argv))
        config = host["validation"].validate(config)
        self._run = host["run"]
        seed_everything(config["seed"])
        log = host["utils.logging"].get_logger()
        self.args = self._run.make_args(config, log, run_id="python")
        self._logger = host["utils.logging"].Logger(log)
        self.stats = self._logger.stats
        self.episodes = 0
        make_runner = host["runners"].REGISTRY[self.args.runner]
        self._episodes = make_runner(args=self.args, logger=self._logger)
        self.buffer, self.learner = self._run.build(
            self.args, self._logger, self._episodes
        )

    def run(self) -> Dict[str, List[Tuple[int, float]]]:
        """Train until `t_max`, testing as the schedule says.

        Returns:
            `stats`.
        """
        self._run.train_sequential(
            self.args, self._logger, self._episodes, self.buffer, self.learner
        )
        return self.stats

    def play(self, episodes: int, train: bool = True) -> int:
        """Play episodes, and store and learn from them if asked to.

        Args:
            episodes: a multiple of `batch_size_run`.

        Returns:
            The environment steps made.
        """
        before = self._episodes.t_env
        for _ in range(episodes // self.args.batch_size_run):
            batch = self._episodes.run(test_mode=False)
            if train:
                self.buffer.insert_episode_batch(batch)
                parts = (self.buffer, self.learner, self._episodes, self.episodes)
                self._run.update(self.args, *parts)
            self.episodes += self.args.batch_size_run
        return self._episodes.t_env - before

    def finish(self) -> None:
        """Close the environments."""
        self._episodes.close_env()


def get_runner(
    method: str, env: str, seed: Optional[int] = None, **settings: Any
) -> Runner:
    """Build an experiment on the embedded host, as the command line would.

    Args:
        method: what `--config` takes: a name (`cw_qmix`, `qmix`, ...) or a YAML's path.
        env: what `--env-config` takes.
        seed: for everything random; None draws one.
        settings: what follows `with`; `env_args` as a dict of its keys.

    Raises:
        ConfigError: a mistake in our settings; the host's own error for one in its.
    """
    host = Embedded()
    keys = registration.learner_keys(EMBEDDED_ROOT)
    files = ConfigFiles(host, EMBEDDED_ROOT, keys)
    argv = [f"--config={method}", f"--env-config={env}", "with", *_words(settings)]
    argv += [] if seed is None else [f"seed={seed}"]
    registration.register_on_import(host, keys)
    return Runner(command_line.rewrite(files, argv).argv)


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and PyTorch's generators, as the host's main does."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def _words(settings: Dict[str, Any], prefix: str = "") -> List[str]:
    """Return settings as `key=value` words."""
    words = []
    for key, value in settings.items():
        if isinstance(value, dict):
            words += _words(value, f"{prefix}{key}.")
        else:
            words.append(f"{prefix}{key}={value}")
    return words


def _host_modules() -> Dict[str, Any]:
    names = ("config", "validation", "run", "runners", "utils.logging")
    return {name: importlib.import_module(f"wqmix.host.{name}") for name in names}
