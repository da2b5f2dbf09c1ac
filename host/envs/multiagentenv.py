"""The two environment interfaces: PyMARL's for one game, ours for many at once."""

import numpy as np

from ..errors import ConfigError

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

    def step(self, actions):
        """Play one joint action; returns ``(reward, terminated, info)``.

        ``info["episode_limit"]`` is true when time, not the game, ended the episode:
        a learner may then bootstrap from the last state.
        """
        raise NotImplementedError

    def reset(self):
        """Start an episode; returns ``(observations, state)``."""
        raise NotImplementedError

    def get_obs(self):
        """The observations of all agents, a list of arrays."""
        return [self.get_obs_agent(agent) for agent in range(self.n_agents)]

    def get_obs_agent(self, agent_id):
        """The observation of one agent."""
        raise NotImplementedError

    def get_obs_size(self):
        """The length of one agent's observation."""
        raise NotImplementedError

    def get_state(self):
        """The global state, for training only."""
        raise NotImplementedError

    def get_state_size(self):
        """The length of the state."""
        raise NotImplementedError

    def get_avail_actions(self):
        """For each agent a 0/1 list over its actions."""
        return [self.get_avail_agent_actions(agent) for agent in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id):
        """The 0/1 list of one agent's actions."""
        raise NotImplementedError

    def get_total_actions(self):
        """The number of actions an agent could ever take."""
        raise NotImplementedError

    def get_stats(self):
        """Statistics over all episodes so far; none unless a game keeps some."""
        return {}

    def render(self):
        """Show the game."""
        raise NotImplementedError

    def close(self):
        """Free what the game holds."""

    def seed(self):
        """The seed in use."""
        raise NotImplementedError

    def save_replay(self):
        """Write a replay."""
        raise ConfigError(NO_REPLAY)

    def state_dict(self):
        """What the next episodes depend on, in plain types and tensors; or None.

        Asked between episodes. None, the default: this game cannot say, and a resumed
        run has its random numbers start anew.
        """
        return None

    def load_state_dict(self, state):
        """Take what `state_dict` returned."""
        raise NotImplementedError

    def get_env_info(self):
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

    def reset(self, copies=None):
        raise NotImplementedError

    def step(self, actions):
        raise NotImplementedError

    def get_obs(self):
        raise NotImplementedError

    def get_state(self):
        raise NotImplementedError

    def get_avail_actions(self):
        raise NotImplementedError

    def render(self, copy=0):
        """One copy as text."""
        raise NotImplementedError

    def close(self):
        """Free what the copies hold."""

    def state_dict(self):
        """As :meth:`MultiAgentEnv.state_dict`, of all copies."""
        return None

    def load_state_dict(self, state):
        """Take what `state_dict` returned."""
        raise NotImplementedError

    def get_env_info(self):
        """The sizes from which the host builds its buffers and networks."""
        return {
            "state_shape": self.state_size,
            "obs_shape": self.obs_size,
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
        }


def records_replays(env):
    """Whether an environment, ported or not, has a `save_replay` of its own."""
    own = getattr(env, "save_replay", None)
    return callable(own) and (
        getattr(own, "__func__", own) is not MultiAgentEnv.save_replay
    )


def state_of(env):
    """``env.state_dict()``; None for a ported game that has no such method."""
    return env.state_dict() if hasattr(env, "state_dict") else None


class SingleEnv(MultiAgentEnv):
    """The only copy of a :class:`BatchEnv`, with PyMARL's methods.

    So a game's rules are written once. What the methods return is copied, and the
    caller's to keep.
    """

    def __init__(self, batch):
        if batch.n_copies != 1:
            raise ValueError(f"a single game needs 1 copy, not {batch.n_copies}")
        self.batch = batch
        self.n_agents = batch.n_agents
        self.n_actions = batch.n_actions
        self.episode_limit = batch.episode_limit

    def step(self, actions):
        reward, terminated, info = self.batch.step(np.asarray(actions)[None])
        info = {key: value[0].item() for key, value in info.items()}
        return reward[0].item(), terminated[0].item(), info

    def reset(self):
        self.batch.reset()
        return self.get_obs(), self.get_state()

    def get_obs(self):
        return list(self.batch.get_obs()[0].copy())

    def get_obs_agent(self, agent_id):
        return self.batch.get_obs()[0, agent_id].copy()

    def get_obs_size(self):
        return self.batch.obs_size

    def get_state(self):
        return self.batch.get_state()[0].copy()

    def get_state_size(self):
        return self.batch.state_size

    def get_avail_actions(self):
        return self.batch.get_avail_actions()[0].tolist()

    def get_avail_agent_actions(self, agent_id):
        return self.batch.get_avail_actions()[0, agent_id].tolist()

    def get_total_actions(self):
        return self.n_actions

    def render(self):
        got = self.batch.render()
        if not isinstance(got, str):  # a picture
            return got
        print(got)

    def seed(self):
        return self.batch.seed

    def state_dict(self):
        return self.batch.state_dict()

    def load_state_dict(self, state):
        self.batch.load_state_dict(state)
