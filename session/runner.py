"""One experiment on the embedded host, in this process: what `get_runner` returns."""

from __future__ import annotations

import math
import numbers
import os
import random
import shutil
from contextlib import contextmanager, nullcontext
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

import numpy as np
import torch

from ..config.reading import in_home
from ..errors import CheckpointError, ConfigError, WQMixError
from ..host import run as experiment
from ..host.config import load_config
from ..host.runners import REGISTRY as RUNNERS
from ..host.utils import checkpoints, random_state
from ..host.utils.logging import Logger, get_logger
from ..host.validation import validate
from ..plugin.configs import temporary_folder
from .tables import Table

Stats = Dict[str, List[Tuple[int, float]]]
TEST = "test_"


class Runner:
    """One experiment on the embedded host, in this process and without sacred.

    Use it in a `with` block, or call `finish` in the end; after that its methods raise
    a `WQMixError`. Its random numbers are its own: what else draws some, other runners
    among them, neither changes them nor is changed by them.

    Attributes:
        args: all settings, as the host and the learner read them.
        learner: the host's baseline or `WQMixLearner`, with its networks.
        buffer: the replay buffer.
        stats: logged values by key, as (t_env, value) pairs.
        best_path: the checkpoint that `benchmark` kept; None before.
    """

    def __init__(self, command: Any) -> None:
        self._own_random: Any = None
        self._is_finished = False
        with self._at_work("get_runner"):
            config = validate(load_config(command))
            seed_everything(config["seed"])
            self._build(config)

    def _build(self, config: Dict[str, Any]) -> None:
        self._log = get_logger()
        self.args = experiment.make_args(config, self._log, run_id="python")
        self._logger = Logger(self._log)
        self.stats: Stats = self._logger.stats
        self.best_path: Optional[str] = None
        self._best = -math.inf
        self._temporary: Optional[str] = None
        for each in experiment.curves_asked_for(self.args, config):
            self._logger.also_to(each)
        make_runner = RUNNERS[self.args.runner]
        self._episodes = make_runner(args=self.args, logger=self._logger)
        parts = (self.args, self._logger, self._episodes)
        self.buffer, self.learner = experiment.build(*parts)
        if self.args.checkpoint_path:
            experiment.load_checkpoint(*parts, self.learner)
        self._training = experiment.Training(*parts, self.buffer, self.learner)

    @contextmanager
    def _at_work(self, method: str) -> Iterator[None]:
        """In the `with` block the global generators are in this runner's state."""
        if self._is_finished:
            raise WQMixError(f"{method}() after finish(): make another runner")
        theirs = random_state.state_dict()
        if self._own_random is not None:
            random_state.load_state_dict(self._own_random)
        try:
            yield
        except SystemExit as ended:  # what the learner makes of an error of ours
            error = ended.__context__
            raise (error if isinstance(error, WQMixError) else ended) from None
        finally:
            self._own_random = random_state.state_dict()
            random_state.load_state_dict(theirs)

    # Training -------------------------------------------------------------------------

    def run(self) -> Stats:
        """Train until `t_max`, testing as the schedule says.

        Returns:
            `stats`.
        """
        with self._at_work("run"):
            self._training.run()
        return self.stats

    def benchmark(self, path: Optional[str] = None) -> Table:
        """Train as `run`; then the networks are those of the best test.

        Args:
            path: a folder to keep that checkpoint in; else it goes with `finish`.

        Returns:
            A row for each test.

        Raises:
            WQMixError: training is over, and none of its tests was kept.
        """
        with self._at_work("benchmark"):
            if path is None:
                path = self._temporary = self._temporary or str(temporary_folder())
            self._keep_best(in_home(os.fspath(path)))
        return Table.of_stats(self.stats, TEST)

    def _keep_best(self, path: str) -> None:
        if self.best_path is None and self._episodes.t_env > self.args.t_max:
            raise WQMixError(
                "benchmark(): there are no more tests to choose from, t_max="
                f"{self.args.t_max} is reached; call it instead of run()"
            )

        def keep_if_best() -> None:
            tested = self.stats[f"{TEST}return_mean"][-1][1]
            if tested > self._best:
                self._best, self.best_path = tested, self._save(path, keep=1)

        self._training.after_test = keep_if_best
        try:
            self._training.run()
        finally:
            self._training.after_test = None
        if self.best_path is not None:
            self.learner.load_models(self.best_path)

    def evaluate(self, episodes: Optional[int] = None) -> Dict[str, float]:
        """Play test episodes; nothing is learned from them.

        Args:
            episodes: how many; otherwise `test_nepisode`.

        Returns:
            Means over the episodes, `return_mean` among them, and `return_std`.
        """
        logger = Logger(self._log)
        if episodes is not None:
            self._rollouts(episodes)  # refuses what is no number of episodes
        with self._at_work("evaluate"), self._episodes.aside(logger, episodes):
            self._episodes.test()
        return {k[len(TEST) :]: pairs[-1][1] for k, pairs in logger.stats.items()}

    def play(self, episodes: int, train: bool = True) -> int:
        """Play episodes, and store and learn from them if asked to.

        Args:
            episodes: how many, rounded up to a multiple of `batch_size_run`.

        Returns:
            The environment steps made.
        """
        before = self._episodes.t_env
        rollouts = self._rollouts(episodes)
        with self._at_work("play"):
            for _ in range(rollouts):
                self._play_once(train)
        return self._episodes.t_env - before

    def _play_once(self, train: bool) -> None:
        batch = self._episodes.run(test_mode=False)
        if train:
            self.buffer.insert_episode_batch(batch)
            parts = (self.buffer, self.learner, self._episodes, self.episodes)
            experiment.update(self.args, *parts)
        self._training.episode += self.args.batch_size_run

    def rollout(self, test_mode: bool = True) -> Any:
        """Play `batch_size_run` episodes; return the host's EpisodeBatch of them."""
        aside = self._episodes.aside(Logger(self._log))
        with self._at_work("rollout"), aside if test_mode else nullcontext():
            return self._episodes.run(test_mode=test_mode)

    def _rollouts(self, episodes: int) -> int:
        """Return how many rollouts have at least so many episodes."""
        is_whole = isinstance(episodes, numbers.Integral) and episodes is not True
        if not is_whole or episodes < 1:
            needed = "a whole number >= 1 is needed"
            raise ConfigError(f"episodes is {episodes!r}: {needed}")
        rollouts: int = math.ceil(episodes / self.args.batch_size_run)
        return rollouts

    @property
    def episodes(self) -> int:
        """Episodes of training so far."""
        return self._training.episode

    def table(self) -> Table:
        """Return all of `stats`, a row for each step at which something was logged."""
        return Table.of_stats(self.stats)

    # Checkpoints ----------------------------------------------------------------------

    def save(self, path: Union[str, os.PathLike[str]]) -> str:
        """Write a checkpoint, as training does: into `path/<steps so far>/`.

        The command line can go on from it (`resume=True checkpoint_path=path`), test it
        (`evaluate=True`), and draw it (`wqmix replay path`).

        Returns:
            Its folder.

        Raises:
            CheckpointError: it cannot be written.
        """
        with self._at_work("save"):
            return self._save(in_home(os.fspath(path)), keep=0)

    def _save(self, path: str, keep: int) -> str:
        saves_buffer = self.args.save_buffer
        folder = checkpoints.RunFolder(path, keep, saves_buffer, self._log)
        target = os.path.join(path, str(self._episodes.t_env))
        try:
            self._training.save_into(folder)
        except OSError as error:
            raise CheckpointError(f"{path}: {error.strerror}") from None
        if not os.path.isdir(target):
            raise CheckpointError(f"{target}: nothing could be written there")
        return target

    def load(self, path: Union[str, os.PathLike[str]]) -> None:
        """Load networks, optimiser and step count from what `save` or training wrote.

        Args:
            path: a checkpoint, or the folder of a run, of which the last one is taken.

        Raises:
            CheckpointError: it is missing, damaged, or of other networks; or the
                host's own error that says so.
        """
        with self._at_work("load"):
            self._load(in_home(os.fspath(path)))

    def _load(self, path: str) -> None:
        if not os.path.basename(os.path.abspath(path)).isdigit():
            step = checkpoints.nearest_step(path, 0)
            path = os.path.join(path, str(step))
        facts = checkpoints.verify(path) or {}
        self.learner.load_models(path)
        if "t_env" in facts:
            self._episodes.t_env = facts["t_env"]

    # The end --------------------------------------------------------------------------

    def finish(self) -> None:
        """Close the environments; remove what `benchmark` kept for itself."""
        if self._is_finished:
            return
        self._is_finished = True
        self._episodes.close_env()
        self._logger.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.finish()


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and PyTorch's generators, as the host's main does."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
