"""The two environment interfaces: PyMARL's for one game, ours for many at once."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError

# Reward, terminated, info: of one game, and of many.
Outcome = Tuple[float, bool, Dict[str, Any]]
Outcomes = Tuple[np.ndarray, np.ndarray, Dict[str, np.ndarray]]

NO_REPLAY = (
    "save_replay: this environment records none; "
    "`wqmix replay CHECKPOINT` shows an episode"
)


class MultiAgentEnv:
    """One game with PyMARL's methods: what every runner and every ported game knows.

    A subclass sets ``n_agents`` and ``episode_limit`` and gives the methods below.
    """

    n_agents: int
    episode_limit: int

    def step(self, actions: Any) -> Outcome:
        """Play one joint action; returns ``(reward, terminated, info)``.

        ``info["episode_limit"]`` is true when time, not the game, ended the episode:
        a learner may then bootstrap from the last state.
        """
        raise NotImplementedError

    def reset(self) -> Tuple[List[np.ndarray], np.ndarray]:
        """Start an episode; returns ``(observations, state)``."""
        raise NotImplementedError

    def get_obs(self) -> List[np.ndarray]:
        """The observations of all agents, a list of arrays."""
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        """The observation of one agent."""
        raise NotImplementedError

    def get_obs_size(self) -> int:
        """The length of one agent's observation."""
        raise NotImplementedError

    def get_state(self) -> np.ndarray:
        """The global state, for training only."""
        raise NotImplementedError

    def get_state_size(self) -> int:
        """The length of the state."""
        raise NotImplementedError

    def get_avail_actions(self) -> List[List[int]]:
        """For each agent a 0/1 list over its actions."""
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id: int) -> List[int]:
        """The 0/1 list of one agent's actions."""
        raise NotImplementedError

    def get_total_actions(self) -> int:
        """The number of actions an agent could ever take."""
        raise NotImplementedError

    def get_stats(self) -> Dict[str, Any]:
        """Statistics over all episodes so far; none unless a game keeps some."""
        return {}

    def render(self) -> Any:
        """Show the game."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the game holds."""

    def seed(self) -> Any:
        """The seed in use."""
        raise NotImplementedError

    def save_replay(self) -> None:
        """Write a replay."""
        raise ConfigError(NO_REPLAY)

    def state_dict(self) -> Optional[Dict[str, Any]]:
        """What the next episodes depend on, in plain types and tensors; or None.

        Asked between episodes. None, the default: this game cannot say, and a resumed
        run has its random numbers start anew.
        """
        return None

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned."""
        raise NotImplementedError

    def get_env_info(self) -> Dict[str, Any]:
        """The sizes from which the host builds its buffers and networks."""
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.get_total_actions(),
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }


class BatchEnv:
    """``N`` independent copies of one game, stepped together.

    Shapes: ``N`` copies, ``A`` agents, ``U`` actions, ``O`` observation, ``S`` state.

    ``reset(copies=None)`` starts a new episode in the copies named by an index array or
    a mask, in all of them when None. ``step(actions)`` takes integers ``[N, A]`` and
    returns ``reward`` float32 ``[N]``, ``terminated`` bool ``[N]`` and ``info``, a dict
    of arrays ``[N]``. ``get_obs()`` is float32 ``[N, A, O]``, ``get_state()`` float32
    ``[N, S]`` and ``get_avail_actions()`` uint8 ``[N, A, U]``.

    The returned arrays belong to the environment and are overwritten by its next call:
    copy what is to be kept. A copy that has ended yields reward 0 and ``terminated``
    until it is reset, and its other values mean nothing.
    """

    n_copies: int
    n_agents: int
    n_actions: int
    obs_size: int
    state_size: int
    episode_limit: int
    seed: object

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        raise NotImplementedError

    def step(self, actions: np.ndarray) -> Outcomes:
        raise NotImplementedError

    def get_obs(self) -> np.ndarray:
        raise NotImplementedError

    def get_state(self) -> np.ndarray:
        raise NotImplementedError

    def get_avail_actions(self) -> np.ndarray:
        raise NotImplementedError

    def render(self, copy: int = 0) -> Any:
        """One copy as text."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the copies hold."""

    def state_dict(self) -> Optional[Dict[str, Any]]:
        """As :meth:`MultiAgentEnv.state_dict`, of all copies."""
        return None

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned."""
        raise NotImplementedError

    def get_env_info(self) -> Dict[str, Any]:
        """The sizes from which the host builds its buffers and networks."""
        return {
            "state_shape": self.state_size,
            "obs_shape": self.obs_size,
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }


def records_replays(env: Any) -> bool:
    """Whether an environment, ported or not, has a `save_replay` of its own."""
    own = getattr(env, "save_replay", None)
    return callable(own) and (
        getattr(own, "__func__", own) is not MultiAgentEnv.save_replay
    )


def state_of(env: Any) -> Optional[Dict[str, Any]]:
    """``env.state_dict()``; None for a ported game that has no such method."""
    return env.state_dict() if hasattr(env, "state_dict") else None


class SingleEnv(MultiAgentEnv):
    """The only copy of a :class:`BatchEnv`, with PyMARL's methods.

    So a game's rules are written once. What the methods return is copied, and the
    caller's to keep.
    """

    def __init__(self, batch: BatchEnv) -> None:
        if batch.n_copies != 1:
            raise ValueError(f"a single game needs 1 copy, not {batch.n_copies}")
        self.batch = batch
        self.n_agents = batch.n_agents
        self.n_actions = batch.n_actions
        self.episode_limit = batch.episode_limit

    def step(self, actions: Any) -> Outcome:
        reward, terminated, info = self.batch.step(np.asarray(actions)[None])
        info = {key: value[0].item() for key, value in info.items()}
        return reward[0].item(), terminated[0].item(), info

    def reset(self) -> Tuple[List[np.ndarray], np.ndarray]:
        self.batch.reset()
        return self.get_obs(), self.get_state()

    def get_obs(self) -> List[np.ndarray]:
        return list(self.batch.get_obs()[0].copy())

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self.batch.get_obs()[0, agent_id].copy()

    def get_obs_size(self) -> int:
        return self.batch.obs_size

    def get_state(self) -> np.ndarray:
        return self.batch.get_state()[0].copy()

    def get_state_size(self) -> int:
        return self.batch.state_size

    def get_avail_actions(self) -> List[List[int]]:
        return self.batch.get_avail_actions()[0].tolist()

    def get_avail_agent_actions(self, agent_id: int) -> List[int]:
        return self.batch.get_avail_actions()[0, agent_id].tolist()

    def get_total_actions(self) -> int:
        return self.n_actions

    def render(self) -> Any:
        got = self.batch.render()
        if not isinstance(got, str):  # a picture
            return got
        print(got)

    def seed(self) -> Any:
        return self.batch.seed

    def state_dict(self) -> Optional[Dict[str, Any]]:
        return self.batch.state_dict()

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.batch.load_state_dict(state)
