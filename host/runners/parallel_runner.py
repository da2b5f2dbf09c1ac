"""Many environments, each in a worker process, stepped together."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

import numpy as np
import torch as th

from ..components.episode_buffer import EpisodeBatch
from ..envs import maker
from ..envs.outcomes import numbers_in
from ..utils import random_state
from ..utils.logging import Logger
from .base import Runner
from .pair import Pair
from .worker import Limits, Team, until_whole


class ParallelRunner(Runner):
    """Plays `batch_size_run` episodes at once, one in each worker.

    Workers get seeds of their own, derived from `env_args.seed`. They end when they are
    told to, and when this process is gone, however it ended.
    """

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        super().__init__(args, logger)
        make = partial(_make_player, maker(args.env), self.shares_env())
        log = logger.console_logger
        self.team = Team(make, args.env_args, self.batch_size, Limits.of(args), log)
        try:
            self.env_info = self.team.insist("get_env_info")[0]
        except BaseException:
            self.close_env()
            raise
        self.episode_limit = self.env_info["episode_limit"]

    def get_env_info(self) -> Dict[str, Any]:
        return self.env_info

    def close_env(self) -> None:
        self.team.close()

    def env_states(self) -> List[Optional[Dict[str, Any]]]:
        return self.team.insist("state_dict")

    def load_env_states(self, states: List[Dict[str, Any]]) -> None:
        self.team.insist("load_state_dict", [(state,) for state in states])

    def run(self, test_mode: bool = False) -> EpisodeBatch:
        """Play an episode in each worker; returns their EpisodeBatch.

        If a worker is lost, the whole rollout is played again: a batch has as many
        episodes as ever, all of them whole, and only those are counted.
        """
        return until_whole(self._play, test_mode)

    @th.no_grad()
    def _play(self, test_mode: bool) -> EpisodeBatch:
        """One try of `run`.

        The batch's contents are those that the episode runner would write: an
        episode's last filled slot holds its last state and the actions selected there.
        """
        batch = self.new_batch()
        self._reset(batch, test_mode)
        self.mac.init_hidden(batch_size=self.batch_size)
        lengths = [0] * self.batch_size
        returns = [0.0] * self.batch_size
        infos: List[Dict[str, Any]] = [{}] * self.batch_size
        acting = running = list(range(self.batch_size))
        t = 0
        while True:
            actions = self.mac.select_actions(
                batch, t_ep=t, t_env=self.t_env, bs=acting, test_mode=test_mode
            )
            new_actions = {"actions": actions.unsqueeze(1)}
            batch.update(new_actions, bs=acting, ts=t, mark_filled=False)
            if not running:
                break
            chosen = dict(zip(acting, actions.cpu().numpy()))
            # An episode that ends now still selects actions in its last state.
            acting = running
            steps = self._step({i: chosen[i] for i in acting})
            self._store(batch, acting, steps, t)
            t += 1
            for i, step in zip(acting, steps):
                lengths[i] = t
                returns[i] += step["reward"]
                infos[i] = step["info"]
            running = [i for i, s in zip(acting, steps) if not s["terminated"]]
        self._finish(returns, lengths, infos, test_mode)
        return batch

    def _reset(self, batch: EpisodeBatch, test_mode: bool) -> None:
        everyone = range(self.batch_size)
        first = self.team.ask(everyone, "reset", [(test_mode,) for _ in everyone])
        batch.update(_gather(first, _OBSERVED), ts=0)

    def _step(self, actions: Dict[int, Any]) -> List[Dict[str, Any]]:
        return self.team.ask(list(actions), "step", [(a,) for a in actions.values()])

    @staticmethod
    def _store(
        batch: EpisodeBatch, bs: List[int], steps: List[Dict[str, Any]], t: int
    ) -> None:
        """Write a step's outcome at `t`, and what is then observed at `t` + 1."""
        ended = [s["terminated"] and not s["info"].get("episode_limit") for s in steps]
        outcome = {
            "reward": [(s["reward"],) for s in steps],
            "terminated": [(e,) for e in ended],
        }
        batch.update(outcome, bs=bs, ts=t, mark_filled=False)
        batch.update(_gather(steps, _OBSERVED), bs=bs, ts=t + 1)


_OBSERVED = ("state", "avail_actions", "obs")


def _gather(
    replies: Sequence[Dict[str, Any]], keys: Iterable[str]
) -> Dict[str, np.ndarray]:
    return {key: np.stack([reply[key] for reply in replies]) for key in keys}


class _Player:
    """What a worker serves: environments that report what is seen with each step."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.env = pair, pair.training
        self.get_env_info = self.env.get_env_info
        self.state_dict, self.load_state_dict = pair.state_dict, pair.load_state_dict
        self.close = pair.close

    def reset(self, test_mode: bool = False) -> Dict[str, Any]:
        self.env = self.pair.begin(test_mode)
        self.env.reset()
        return self._observe()

    def step(self, actions: np.ndarray) -> Dict[str, Any]:
        reward, terminated, info = self.env.step(actions)
        told = numbers_in(info)  # nothing else is logged, and some of it can't be sent
        outcome = {"reward": reward, "terminated": terminated, "info": told}
        return {**outcome, **self._observe()}

    def _observe(self) -> Dict[str, Any]:
        return {
            "state": np.asarray(self.env.get_state(), dtype=np.float32),
            "avail_actions": np.asarray(self.env.get_avail_actions(), dtype=np.int32),
            "obs": np.asarray(self.env.get_obs(), dtype=np.float32),
        }


def _make_player(
    env_fn: Callable[..., Any], is_shared: bool, env_args: Dict[str, Any], number: int
) -> _Player:
    random_state.seed_globals(env_args["seed"])  # a fork's are all alike
    return _Player(Pair(env_fn, env_args, is_shared))
