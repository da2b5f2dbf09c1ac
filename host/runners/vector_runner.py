"""Many copies of an environment, stepped together and acted for in one batch."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any, Dict, List, Optional, Sequence, Union

import numpy as np
import torch as th

from ..components.episode_buffer import EpisodeBatch
from ..envs import BATCH_REGISTRY, BatchEnv
from ..envs.outcomes import numbers_in
from ..utils.logging import Logger
from .base import Runner
from .pair import Pair
from .shared_batch import SharedBatch
from .worker import Limits, until_whole


class VectorRunner(Runner):
    """Plays `batch_size_run` episodes at once, and asks for an update after each.

    A game with a batched form is stepped in this process, any other in worker processes
    with shared memory. The batch that `run` returns is used again by the next call.
    """

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        super().__init__(args, logger)
        shares, env_args = self.shares_env(), args.env_args
        if args.env in BATCH_REGISTRY:
            make = partial(BATCH_REGISTRY[args.env], self.batch_size)
            self.pair: Union[Pair, SharedBatch] = Pair(make, env_args, shares)
        else:
            limits, log = Limits.of(args), logger.console_logger
            self.pair = SharedBatch(
                self.batch_size, args.env, env_args, limits, log, shares
            )
        self.env: BatchEnv = self.pair.training
        self.episode_limit = self.env.episode_limit
        self.batch: Optional[EpisodeBatch] = None
        self._used = 0

    def get_env_info(self) -> Dict[str, Any]:
        return self.env.get_env_info()

    def close_env(self) -> None:
        self.pair.close()

    def env_states(self) -> List[Optional[Dict[str, Any]]]:
        return [self.pair.state_dict()]

    def load_env_states(self, states: List[Dict[str, Any]]) -> None:
        self.pair.load_state_dict(states[0])

    def episodes_to_update_after(self, episode: int) -> Sequence[int]:
        """Every episode of the rollout, once `batch_size` of them were played.

        So that there are as many updates for each episode as with the episode runner.
        """
        first = max(episode, self.args.batch_size - 1)
        return range(first, episode + self.batch_size)

    def run(self, test_mode: bool = False) -> EpisodeBatch:
        """Play an episode in each copy; returns their EpisodeBatch.

        If a worker is lost, the whole rollout is played again, as in the parallel one.
        """
        self.env = self.pair.begin(test_mode)
        try:
            return until_whole(self._play, test_mode)
        finally:
            self.pair.end()
            self.env = self.pair.training

    @th.no_grad()
    def _play(self, test_mode: bool) -> EpisodeBatch:
        """One try of `run`.

        The batch's contents are those that the other runners would write: an
        episode's last filled slot holds its last state and the actions selected there.
        """
        batch = self._empty_batch()
        self.env.reset()
        self.mac.init_hidden(batch_size=self.batch_size)
        lengths = np.zeros(self.batch_size, dtype=int)
        returns = np.zeros(self.batch_size)
        infos: List[Dict[str, Any]] = [{}] * self.batch_size
        chosen = np.zeros((self.batch_size, self.env.n_agents), dtype=np.intp)
        acting = running = np.ones(self.batch_size, dtype=bool)
        self._observe(batch, running, 0)
        t = 0
        while True:
            chosen[acting] = self._act(batch, acting, t, test_mode)
            if not running.any():
                break
            # An episode that ends now still selects actions in its last state.
            acting = running
            reward, over, info = self.env.step(chosen)
            self._store(batch, acting, t, reward, over & ~info["episode_limit"])
            t += 1
            self._observe(batch, acting, t)
            lengths[acting] = t
            returns += reward
            for copy in np.flatnonzero(acting & over):
                own = {key: value[copy] for key, value in info.items()}
                infos[copy] = numbers_in(own)
            running = acting & ~over
        self._finish(returns.tolist(), lengths.tolist(), infos, test_mode)
        return batch

    def _empty_batch(self) -> EpisodeBatch:
        """The batch of the last run, all zeros again."""
        if self.batch is None:
            self.batch = self.new_batch()
        for field in self.batch.data.transition_data.values():
            field[:, : self._used] = 0
        self._used = 0
        return self.batch

    def _act(
        self, batch: EpisodeBatch, acting: np.ndarray, t: int, test_mode: bool
    ) -> np.ndarray:
        rows = _rows(acting)
        actions = self.mac.select_actions(
            batch, t_ep=t, t_env=self.t_env, bs=rows, test_mode=test_mode
        )
        new_actions = {"actions": actions.unsqueeze(1)}
        batch.update(new_actions, bs=rows, ts=t, mark_filled=False)
        return actions.cpu().numpy()

    def _store(
        self,
        batch: EpisodeBatch,
        acting: np.ndarray,
        t: int,
        reward: np.ndarray,
        ended: np.ndarray,
    ) -> None:
        rows = _rows(acting)
        outcome = {"reward": reward[rows], "terminated": ended[rows]}
        batch.update(outcome, bs=rows, ts=t, mark_filled=False)

    def _observe(self, batch: EpisodeBatch, acting: np.ndarray, t: int) -> None:
        rows = _rows(acting)
        observed = {
            "state": self.env.get_state()[rows],
            "avail_actions": self.env.get_avail_actions()[rows],
            "obs": self.env.get_obs()[rows],
        }
        batch.update(observed, bs=rows, ts=t)
        self._used = t + 1


def _rows(mask: np.ndarray) -> Any:
    """The index of the copies in `mask`; one slice for all, which is faster."""
    return slice(None) if mask.all() else np.flatnonzero(mask)
