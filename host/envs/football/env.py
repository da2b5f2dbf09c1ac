"""The environment: gfootball's game, with PyMARL's methods."""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, List, Optional, Tuple

import numpy as np

from ...errors import unknown
from ..multiagentenv import MultiAgentEnv, Outcome
from ..packages import EpisodeSeeds, Seeded
from . import features, pitch
from .game import Game, package, time_limit_of
from .rewards import REWARDS

OBSERVATIONS = ("centred", "simple115")
ACTION_MASKS = ("useless", "none")
SCALARISATIONS: Dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum}


class FootballEnv(Seeded, MultiAgentEnv):
    """Some or all players of the left team, against the game's own players.

    All agents choose among gfootball's 19 actions. An episode's course follows from
    its seed and the actions. It ends as the scenario says, the academy's with a goal,
    with the ball out of play or lost; and after `time_limit` steps. That, too, is the
    game's end, from which nothing is bootstrapped: the task is to score in this time,
    as in PyMARL2, and agents and state see how much of it is left.

    Infos have `scored`, whether we have scored at all, `won`, whether more than they,
    `goal_difference`, and `out_of_time`, whether the clock has ended the episode.

    Args:
        map_name: the scenario.
        n_agents, time_limit: None: as ``config/football.yaml`` says.
        rewards: `scoring` or `scoring,checkpoints`.
        reward_scalarisation: how the agents' rewards become the team's.
        observations: `centred`, or gfootball's `simple115` (its version 2).
        action_masks: `useless` masks actions that do nothing, `none` masks none.
        seed: of the episodes' seeds.

    Raises:
        ConfigError: gfootball is missing, or a value that cannot be.
    """

    def __init__(
        self,
        map_name: str,
        n_agents: Optional[int],
        time_limit: Optional[int],
        rewards: str,
        reward_scalarisation: str,
        observations: str,
        action_masks: str,
        seed: Optional[int],
    ) -> None:
        _check("rewards", rewards, REWARDS)
        _check("reward_scalarisation", reward_scalarisation, SCALARISATIONS)
        _check("observations", observations, OBSERVATIONS)
        _check("action_masks", action_masks, ACTION_MASKS)
        self._seeds = EpisodeSeeds(seed)
        self._game = Game(map_name, n_agents)
        self.n_agents = self._game.n_agents
        self.episode_limit = time_limit_of(map_name, time_limit, self._game.duration)
        self._rewards = REWARDS[rewards](self.n_agents)
        self._in_one = SCALARISATIONS[reward_scalarisation]
        self._is_masked = action_masks == "useless"
        self._simple115 = None
        if observations == "simple115":
            self._simple115 = package("wrappers").Simple115StateWrapper
        self._begin(0)  # for the sizes

    def _begin(self, seed: int) -> None:
        self._t = 0
        self._seen = self._game.begin(seed)
        self._rewards.begin()

    def reset(self) -> Tuple[List[np.ndarray], np.ndarray]:
        self._begin(self._seeds.draw())
        return self.get_obs(), self.get_state()

    def step(self, actions: np.ndarray) -> Outcome:
        self._seen, goals, over = self._game.step(actions)
        self._t += 1
        paid = self._in_one(self._rewards.of_step(goals, self._seen))
        out_of_time = self._t >= self.episode_limit
        ours, theirs = self._seen["score"]
        info = {
            "scored": ours > 0,
            "won": ours > theirs,
            "goal_difference": ours - theirs,
            "out_of_time": out_of_time,
            "episode_limit": False,  # the clock is the game's own
        }
        return float(paid), over or out_of_time, info

    def _time_left(self) -> float:
        return 1 - self._t / self.episode_limit

    def get_obs(self) -> List[np.ndarray]:
        if self._simple115 is None:
            return list(features.centred(self._seen, self._time_left()))
        players = self._seen["left_agent_controlled_player"]
        each = [{**self._seen, "active": player} for player in players]
        return list(self._simple115.convert_observation(each, True))

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self.get_obs()[agent_id]

    def get_obs_size(self) -> int:
        return len(self.get_obs()[0])

    def get_state(self) -> np.ndarray:
        return features.state(self._seen, self._time_left())

    def get_state_size(self) -> int:
        return len(self.get_state())

    def get_avail_actions(self) -> List[List[int]]:
        shape = self.n_agents, features.N_ACTIONS
        masks = features.masks(self._seen) if self._is_masked else np.ones(shape, int)
        return masks.tolist()

    def get_avail_agent_actions(self, agent_id: int) -> List[int]:
        return self.get_avail_actions()[agent_id]

    def get_total_actions(self) -> int:
        return features.N_ACTIONS

    def render(self) -> np.ndarray:
        """The pitch from above, as a picture [H, W, 3] of bytes."""
        return pitch.picture(self._seen)

    def close(self) -> None:
        self._game.close()


def _check(key: str, value: Any, accepted: Collection[str]) -> None:
    if value not in accepted:
        raise unknown(f"env_args.{key} of football", value, accepted)
