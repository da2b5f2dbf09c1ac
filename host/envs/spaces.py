"""Environments whose agents have gymnasium spaces: what gymma and PettingZoo share."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError, EnvError, quote
from .contract import as_array
from .multiagentenv import MultiAgentEnv, Outcome
from .outcomes import by_agent, numbers_in
from .packages import EpisodeSeeds, Seeded

# Observations, masks, reward, terminated, truncated, info.
Step = Tuple[Any, Any, float, bool, bool, Dict[str, Any]]


class Actions:
    """One agent's actions as numbers from 0, whatever its space calls them.

    Raises:
        ConfigError: the space is not a finite one.
    """

    def __init__(self, agent: int, space: Any) -> None:
        self.shape: Optional[Tuple[int, ...]] = None
        if hasattr(space, "nvec"):  # MultiDiscrete: every combination is one action
            self.shape = tuple(int(n) for n in np.ravel(space.nvec))
            self.count = int(np.prod(self.shape))
        elif hasattr(space, "n") and hasattr(space, "start"):  # Discrete
            self.start, self.count = int(space.start), int(space.n)
        else:
            raise ConfigError(
                f"agent {agent} acts in {space}: Q-learning needs a finite number of "
                "actions (Discrete or MultiDiscrete)"
            )

    def named(self, action: int) -> Any:
        """Action number `action` as the space has it."""
        if self.shape is None:
            return self.start + int(action)
        return np.array(np.unravel_index(int(action), self.shape))


class SpacesEnv(Seeded, MultiAgentEnv):
    """Agents of unlike spaces, brought to one size.

    Observations are flattened (one-hot where the space is discrete) and padded with
    zeros. An agent that has fewer actions than others has the missing ones marked
    unavailable. One that is gone observes zeros and can only take action 0. The state
    is the environment's own, where it gives numbers; else all observations, one after
    the other.

    A subclass gives `_begin` and `_play`.

    Args:
        observation_spaces, action_spaces: one for each agent.
        episode_limit: after so many steps an episode ends, for reasons of time.
        seed: of the episodes' seeds.
        own_state: the environment's function that returns the state; None: it has none.
    """

    def __init__(
        self,
        observation_spaces: Iterable[Any],
        action_spaces: Iterable[Any],
        episode_limit: int,
        seed: Optional[int],
        own_state: Optional[Callable[[], Any]] = None,
    ) -> None:
        from gymnasium.spaces import flatdim, flatten

        self._flatten, self._spaces = flatten, list(observation_spaces)
        self._sizes = [flatdim(space) for space in self._spaces]
        self._actions = [Actions(*pair) for pair in enumerate(action_spaces)]
        self.n_agents, self.episode_limit = len(self._actions), episode_limit
        self.n_actions = max(actions.count for actions in self._actions)
        self._obs = np.zeros((self.n_agents, max(self._sizes)), dtype=np.float32)
        counts = np.array([[actions.count] for actions in self._actions])
        self._own_actions = (np.arange(self.n_actions) < counts).astype(np.uint8)
        self._avail = self._own_actions.copy()
        self._seeds, self._t = EpisodeSeeds(seed), 0
        self._own_state: Optional[Callable[[], Any]] = None
        self._n_state = self._obs.size
        if own_state is not None:
            self._begin(self._seeds.seed)
            self._take_state_of(own_state)

    def _take_state_of(self, own_state: Callable[[], Any]) -> None:
        try:
            state = as_array(own_state())
        except (NotImplementedError, AttributeError):
            return
        if state is not None:
            self._own_state, self._n_state = own_state, state.size

    def _begin(self, seed: Optional[int]) -> Tuple[Any, Any]:
        """Start the episode of a seed; returns observations and masks by agent.

        An observation of None: the agent is gone. Masks of None: all its own actions.
        """
        raise NotImplementedError

    def _play(self, actions: List[Any]) -> Step:
        """Take a step, the actions as the spaces have them.

        Returns:
            observations and masks as `_begin`, the team's reward, terminated,
            truncated, info.
        """
        raise NotImplementedError

    def reset(self) -> Tuple[List[np.ndarray], np.ndarray]:
        self._t = 0
        self._see(*self._begin(self._seeds.draw()))
        return self.get_obs(), self.get_state()

    def step(self, actions: np.ndarray) -> Outcome:
        named = [own.named(action) for own, action in zip(self._actions, actions)]
        observations, masks, reward, terminated, truncated, info = self._play(named)
        self._see(observations, masks)
        self._t += 1
        out_of_time = bool(truncated) or self._t >= self.episode_limit
        told = numbers_in(info)
        told["episode_limit"] = out_of_time and not terminated
        return float(reward), bool(terminated) or out_of_time, told

    def _see(self, observations: Any, masks: Any) -> None:
        self._obs[:] = 0
        self._avail[:] = self._own_actions
        agents = range(self.n_agents)
        masks = [None] * self.n_agents if masks is None else masks
        masks = by_agent(masks, agents, "action masks")
        for agent, seen in enumerate(by_agent(observations, agents, "observations")):
            if seen is None:
                self._avail[agent] = np.arange(self.n_actions) == 0
                continue
            self._see_one(agent, seen)
            if masks[agent] is not None:
                count = self._actions[agent].count
                self._avail[agent, :count] = _mask_of(agent, masks[agent], count)

    def _see_one(self, agent: int, observation: Any) -> None:
        space, size = self._spaces[agent], self._sizes[agent]
        try:
            flat = np.asarray(self._flatten(space, observation), dtype=np.float32)
        except Exception as error:  # whatever a space makes of what is none of its
            raise EnvError(
                f"agent {agent}'s observation {quote(observation)} is none of its "
                f"space {space}"
            ) from error
        if len(flat) != size:
            raise EnvError(
                f"agent {agent}'s observation has {len(flat)} numbers; its space has "
                f"{size}"
            )
        self._obs[agent, :size] = flat

    def get_obs(self) -> List[np.ndarray]:
        return list(self._obs.copy())

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self._obs[agent_id].copy()

    def get_obs_size(self) -> int:
        return self._obs.shape[1]

    def get_state(self) -> np.ndarray:
        if self._own_state is None:
            return self._obs.ravel().copy()
        return np.array(self._own_state(), dtype=np.float32).ravel()

    def get_state_size(self) -> int:
        return self._n_state

    def get_avail_actions(self) -> List[List[int]]:
        return self._avail.tolist()

    def get_avail_agent_actions(self, agent_id: int) -> List[int]:
        return self._avail[agent_id].tolist()

    def get_total_actions(self) -> int:
        return self.n_actions


def _mask_of(agent: int, mask: Any, count: int) -> np.ndarray:
    """An agent's mask over its `count` actions; zeros beyond these are cut off."""
    mask = np.ravel(mask)
    if len(mask) < count or mask[count:].any():
        raise EnvError(
            f"agent {agent}'s mask has {len(mask)} numbers; its space has {count}"
        )
    if not ((mask == 0) | (mask == 1)).all():
        raise EnvError(f"agent {agent}'s mask is {quote(mask)}; 0 or 1 is needed")
    return mask[:count]


def check_reward_settings(common_reward: bool, scalarisation: str) -> None:
    """EPyMARL's two keys, as far as one reward for the team allows."""
    if common_reward is not True:
        raise ConfigError(
            f"env_args.common_reward is {common_reward!r}: QMIX and its kin learn from "
            "one reward for the team, so it must be True"
        )
    if scalarisation not in ("sum", "mean"):
        raise ConfigError(
            f"env_args.reward_scalarisation is {scalarisation!r}: sum or mean is needed"
        )
