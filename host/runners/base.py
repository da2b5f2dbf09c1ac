"""What every runner does: count steps, gather statistics, log them."""

from __future__ import annotations

import math
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence

import numpy as np

from ..components.episode_buffer import EpisodeBatch, Preprocess, Scheme
from ..envs.outcomes import numbers_in
from ..utils.logging import Logger

# What runners and learners log as `<name>_mean`, or count. An environment's number of
# such a name is logged as `env_<name>_mean`; so is one that looks like a test's.
OURS = {"ep_length", "n_episodes", "q_star", "q_taken", "return", "target"}


class Runner:
    """Plays `batch_size` episodes at a time; `t_env` counts the training steps.

    A subclass makes its environments in `__init__`, sets `episode_limit`, and gives
    `get_env_info`, `run(test_mode)` and `close_env`.
    """

    episode_limit: int

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        self.args = args
        self.logger = logger
        self.batch_size = args.batch_size_run
        self.t_env = 0
        self.train_returns: List[float] = []
        self.test_returns: List[float] = []
        self.train_stats: Dict[str, float] = {}
        self.test_stats: Dict[str, float] = {}
        # Called with what `_finish` is, where asked for.
        self.after_rollout: Optional[Callable[..., Any]] = None
        self.log_train_stats_t = -math.inf  # so that the first episode is logged
        self.test_episodes = args.test_nepisode

    def setup(
        self, scheme: Scheme, groups: Dict[str, int], preprocess: Preprocess, mac: Any
    ) -> None:
        """Give the runner the shape of its batches, and who acts."""
        self.new_batch = partial(
            EpisodeBatch,
            scheme,
            groups,
            self.batch_size,
            self.episode_limit + 1,
            preprocess=preprocess,
            device="cpu" if self.args.cpu_inference else self.args.device,
        )
        self.mac = mac

    def get_env_info(self) -> Dict[str, Any]:
        """The sizes from which the host builds its buffers and networks."""
        raise NotImplementedError

    def run(self, test_mode: bool = False) -> EpisodeBatch:
        """Play `batch_size` episodes."""
        raise NotImplementedError

    def close_env(self) -> None:
        """Close the environments."""
        raise NotImplementedError

    def episodes_to_update_after(self, episode: int) -> Sequence[int]:
        """Of the rollout that began with episode `episode`: after which to update."""
        return [episode]

    def test(self) -> None:
        """Play `test_episodes` episodes, and log their means."""
        for _ in range(math.ceil(self.test_episodes / self.batch_size)):
            self.run(test_mode=True)

    @contextmanager
    def aside(
        self, logger: Optional[Logger] = None, test_episodes: Optional[int] = None
    ) -> Iterator[None]:
        """In the `with` block tests are counted, and logged, for themselves."""
        names = "logger test_episodes test_returns test_stats".split()
        before = {name: getattr(self, name) for name in names}
        self.logger = logger or self.logger
        self.test_episodes = test_episodes or self.test_episodes
        self.test_returns, self.test_stats = [], {}
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def shares_env(self) -> bool:
        """Whether tests play in training's environment, or in one of their own."""
        args = self.args
        return args.evaluate or args.save_replay or not args.own_test_env

    def env_states(self) -> List[Optional[Dict[str, Any]]]:
        """The `state_dict` of each pair of environments, None where it has none."""
        raise NotImplementedError

    def load_env_states(self, states: List[Dict[str, Any]]) -> None:
        """Take what `env_states` returned, with no None in it."""
        raise NotImplementedError

    def state_dict(self) -> Dict[str, Any]:
        """All that the next rollout depends on, in plain types."""
        return {
            "t_env": self.t_env,
            "log_train_stats_t": self.log_train_stats_t,
            "returns": [_floats(self.train_returns), _floats(self.test_returns)],
            "stats": [dict(self.train_stats), dict(self.test_stats)],
            "envs": self.env_states(),
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned; says so where an environment cannot."""
        self.t_env = state["t_env"]
        self.log_train_stats_t = state["log_train_stats_t"]
        self.train_returns, self.test_returns = state["returns"]
        self.train_stats, self.test_stats = state["stats"]
        if None not in state["envs"]:
            self.load_env_states(state["envs"])
            return
        self.logger.console_logger.warning(
            "env %r keeps no state (state_dict): its random numbers start anew",
            self.args.env,
        )

    def save_replay(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} cannot save replays")

    def _finish(
        self,
        returns: Sequence[float],
        lengths: Sequence[int],
        infos: Sequence[Dict[str, Any]],
        test_mode: bool,
    ) -> None:
        """Count and log finished episodes: their returns, lengths and last infos."""
        if self.after_rollout is not None:
            self.after_rollout(returns, lengths, infos)
        stats = self.test_stats if test_mode else self.train_stats
        all_returns = self.test_returns if test_mode else self.train_returns
        if test_mode:  # of the last rollout, what the test's number still asks for
            missing = self.test_episodes - len(all_returns)
            returns, lengths = returns[:missing], lengths[:missing]
            infos = infos[:missing]
        else:
            self.t_env += sum(lengths)
        for info in infos:
            for key, value in under_own_names(numbers_in(info)).items():
                stats[key] = stats.get(key, 0) + value
        stats["n_episodes"] = stats.get("n_episodes", 0) + len(returns)
        stats["ep_length"] = stats.get("ep_length", 0) + sum(lengths)
        all_returns.extend(returns)
        if test_mode:
            if len(all_returns) >= self.test_episodes:
                self._log(all_returns, stats, "test_")
        elif self.t_env - self.log_train_stats_t >= self.args.runner_log_interval:
            self._log(all_returns, stats, "")
            if hasattr(self.mac.action_selector, "epsilon"):
                epsilon = self.mac.action_selector.epsilon
                self.logger.log_stat("epsilon", epsilon, self.t_env)
            self.log_train_stats_t = self.t_env

    def _log(self, returns: List[float], stats: Dict[str, float], prefix: str) -> None:
        self.logger.log_stat(prefix + "return_mean", np.mean(returns), self.t_env)
        self.logger.log_stat(prefix + "return_std", np.std(returns), self.t_env)
        for key, value in stats.items():
            if key != "n_episodes":
                mean = value / stats["n_episodes"]
                self.logger.log_stat(f"{prefix}{key}_mean", mean, self.t_env)
        returns.clear()
        stats.clear()


def under_own_names(info: Dict[Any, float]) -> Dict[str, float]:
    """An environment's numbers, under names that neither runner nor learner logs."""
    return {_own_name(str(key), info): value for key, value in info.items()}


def _own_name(key: str, info: Dict[Any, float]) -> str:
    name = key
    while name in OURS or name.startswith("test_") or (name != key and name in info):
        name = f"env_{name}"
    return name


def _floats(values: Iterable[float]) -> List[float]:
    return [float(value) for value in values]
