"""Environments whose agents have gymnasium spaces: what gymma and PettingZoo share."""

import numbers

import numpy as np

from ..errors import ConfigError, EnvError
from .multiagentenv import MultiAgentEnv
from .packages import EpisodeSeeds


class Actions:
    """One agent's actions as numbers from 0, whatever its space calls them.

    Raises:
        ConfigError: the space is not a finite one.
    """

    def __init__(self, agent, space):
        if hasattr(space, "nvec"):  # MultiDiscrete: every combination is one action
            self.shape = tuple(int(n) for n in np.ravel(space.nvec))
            self.count = int(np.prod(self.shape))
        elif hasattr(space, "n") and hasattr(space, "start"):  # Discrete
            self.shape, self.start, self.count = None, int(space.start), int(space.n)
        else:
            raise ConfigError(
                f"agent {agent} acts in {space}: Q-learning needs a finite number of "
                "actions (Discrete or MultiDiscrete)"
            )

    def named(self, action):
        """Action number `action` as the space has it."""
        if self.shape is None:
            return self.start + int(action)
        return np.array(np.unravel_index(int(action), self.shape))


class SpacesEnv(MultiAgentEnv):
    """Agents of unlike spaces, brought to one size.

    Observations are flattened (one-hot where the space is discrete) and padded with
    zeros. An agent that has fewer actions than others has the missing ones marked
    unavailable. One that is gone observes zeros and can only take action 0. The state
    is all observations, one after the other, unless a subclass says otherwise.

    A subclass gives `_begin` and `_play`.

    Args:
        observation_spaces, action_spaces: one for each agent.
        episode_limit: after so many steps an episode ends, for reasons of time.
        seed: of the episodes' seeds.
    """

    def __init__(self, observation_spaces, action_spaces, episode_limit, seed):
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

    def _begin(self, seed):
        """Start the episode of a seed; returns observations and masks by agent.

        An observation of None: the agent is gone. Masks of None: all its own actions.
        """
        raise NotImplementedError

    def _play(self, actions):
        """Take a step, the actions as the spaces have them.

        Returns:
            observations and masks as `_begin`, the team's reward, terminated,
            truncated, info.
        """
        raise NotImplementedError

    def reset(self):
        self._t = 0
        self._see(*self._begin(self._seeds.draw()))
        return self.get_obs(), self.get_state()

    def step(self, actions):
        named = [own.named(action) for own, action in zip(self._actions, actions)]
        observations, masks, reward, terminated, truncated, info = self._play(named)
        self._see(observations, masks)
        self._t += 1
        out_of_time = bool(truncated) or self._t >= self.episode_limit
        told = {
            key: float(value)
            for key, value in info.items()
            if isinstance(value, (numbers.Real, np.bool_))
        }
        told["episode_limit"] = out_of_time and not terminated
        return float(reward), bool(terminated) or out_of_time, told

    def _see(self, observations, masks):
        self._obs[:] = 0
        self._avail[:] = self._own_actions
        for agent, observation in enumerate(observations):
            if observation is None:
                self._avail[agent] = np.arange(self.n_actions) == 0
                continue
            flat = self._flatten(self._spaces[agent], observation)
            _insist(flat, f"agent {agent}'s observation", self._sizes[agent])
            self._obs[agent, : len(flat)] = flat
            if masks is not None and masks[agent] is not None:
                mask = np.ravel(masks[agent])
                _insist(mask, f"agent {agent}'s mask", self._actions[agent].count)
                self._avail[agent, : len(mask)] = mask

    def get_obs(self):
        return list(self._obs.copy())

    def get_obs_agent(self, agent_id):
        return self._obs[agent_id].copy()

    def get_obs_size(self):
        return self._obs.shape[1]

    def get_state(self):
        return self._obs.ravel().copy()

    def get_state_size(self):
        return self._obs.size

    def get_avail_actions(self):
        return self._avail.tolist()

    def get_avail_agent_actions(self, agent_id):
        return self._avail[agent_id].tolist()

    def get_total_actions(self):
        return self.n_actions

    def seed(self):
        return self._seeds.seed

    def state_dict(self):
        return self._seeds.state_dict()

    def load_state_dict(self, state):
        self._seeds.load_state_dict(state)


def _insist(array, what, size):
    if len(array) != size:
        raise EnvError(f"{what} has {len(array)} numbers; its space has {size}")


def team_reward(rewards, scalarisation):
    """One number of the agents' rewards: their `sum` or `mean`."""
    total = float(sum(rewards))
    return total if scalarisation == "sum" else total / len(rewards)


def check_reward_settings(common_reward, scalarisation):
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
