"""One environment, one episode at a time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List, Optional

import torch as th

from ..components.episode_buffer import EpisodeBatch
from ..envs import maker
from ..utils.logging import Logger
from .base import Runner
from .pair import Pair


class EpisodeRunner(Runner):
    """Plays in this process."""

    def __init__(self, args: SimpleNamespace, logger: Logger) -> None:
        super().__init__(args, logger)
        if self.batch_size != 1:
            raise ValueError("the episode runner needs batch_size_run: 1")
        self.pair = Pair(maker(args.env), args.env_args, self.shares_env())
        self.episode_limit = self.env.episode_limit

    @property
    def env(self) -> Any:
        """The environment to train in; tests', too, where they share it."""
        return self.pair.training

    @env.setter
    def env(self, env: Any) -> None:
        self.pair.training = env

    def get_env_info(self) -> Dict[str, Any]:
        return self.env.get_env_info()

    def save_replay(self) -> None:
        self.env.save_replay()

    def close_env(self) -> None:
        self.pair.close()

    def env_states(self) -> List[Optional[Dict[str, Any]]]:
        return [self.pair.state_dict()]

    def load_env_states(self, states: List[Dict[str, Any]]) -> None:
        self.pair.load_state_dict(states[0])

    def run(self, test_mode: bool = False) -> EpisodeBatch:
        """Play one episode; returns its EpisodeBatch of `episode_limit` + 1 slots.

        The last filled slot holds the state in which the episode ended, with the
        actions that would have been taken there.
        """
        try:
            return self._play(self.pair.begin(test_mode), test_mode)
        finally:
            self.pair.end()

    @th.no_grad()
    def _play(self, env: Any, test_mode: bool) -> EpisodeBatch:
        batch = self.new_batch()
        env.reset()
        self.mac.init_hidden(batch_size=self.batch_size)
        terminated, episode_return, t, info = False, 0.0, 0, {}
        while not terminated:
            actions = self._observe_and_act(env, batch, t, test_mode)
            reward, terminated, info = env.step(actions[0].cpu().numpy())
            episode_return += reward
            # An episode that time ended has not terminated: its value goes on.
            ended = terminated and not info.get("episode_limit", False)
            post_transition_data = {"reward": [(reward,)], "terminated": [(ended,)]}
            batch.update(post_transition_data, ts=t)
            t += 1
        self._observe_and_act(env, batch, t, test_mode)
        self._finish([episode_return], [t], [info], test_mode)
        return batch

    def _observe_and_act(
        self, env: Any, batch: EpisodeBatch, t: int, test_mode: bool
    ) -> th.Tensor:
        pre_transition_data = {
            "state": [env.get_state()],
            "avail_actions": [env.get_avail_actions()],
            "obs": [env.get_obs()],
        }
        batch.update(pre_transition_data, ts=t)
        actions = self.mac.select_actions(
            batch, t_ep=t, t_env=self.t_env, test_mode=test_mode
        )
        batch.update({"actions": actions}, ts=t)
        return actions
