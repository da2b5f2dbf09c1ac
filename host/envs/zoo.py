"""PettingZoo's parallel environments, and mpe2's, which are of that kind."""

import difflib
import importlib
import pkgutil
import re

import numpy as np

from ..errors import ConfigError
from .checks import whole
from .packages import build, load
from .spaces import SpacesEnv, check_reward_settings, team_reward

_VERSION = re.compile(r"_v\d+$")
_N_OFFERED = 3


class ParallelEnv(SpacesEnv):
    """A PettingZoo environment in which all agents act at once.

    Action masks are taken from an observation's or an info's `action_mask`, the state
    from the environment's `state()` where it has one.

    Args:
        key: the module that has `parallel_env`, such as `mpe2.simple_spread_v3`.
        time_limit: steps after which an episode ends, if it has not before.
        common_reward, reward_scalarisation: how agents' rewards become the team's.
        options: for `parallel_env`.
        seed: of the episodes' seeds.

    Raises:
        ConfigError: a package that is missing, an unknown key, or a value that cannot
            be.
    """

    def __init__(
        self, key, time_limit, common_reward, reward_scalarisation, options, seed
    ):
        check_reward_settings(common_reward, reward_scalarisation)
        self._scalarisation = reward_scalarisation
        self._env = build(_find(key).parallel_env, options)
        self._agents = list(self._env.possible_agents)
        limit = whole("time_limit", time_limit, 1)
        obs_spaces = [self._env.observation_space(agent) for agent in self._agents]
        action_spaces = [self._env.action_space(agent) for agent in self._agents]
        obs_spaces = [_without_mask(space) for space in obs_spaces]
        super().__init__(obs_spaces, action_spaces, limit, seed)
        self._env.reset(seed=self._seeds.seed)
        try:
            self._n_state = int(np.size(self._env.state()))
        except (NotImplementedError, AttributeError):
            self._n_state = None

    def _begin(self, seed):
        observations, infos = self._env.reset(seed=seed)
        return self._by_agent(observations, infos)

    def _play(self, actions):
        chosen = dict(zip(self._agents, actions))
        alive = {agent: chosen[agent] for agent in self._env.agents}
        observations, rewards, ended, truncated, infos = self._env.step(alive)
        observations, masks = self._by_agent(observations, infos)
        rewards = [rewards.get(agent, 0.0) for agent in self._agents]
        reward = team_reward(rewards, self._scalarisation)
        over = not self._env.agents
        by_time = over and any(truncated.values()) and not all(ended.values())
        return observations, masks, reward, over and not by_time, by_time, {}

    def _by_agent(self, observations, infos):
        """Observations and masks; None for agents that are gone while others play on.

        When all end at once, they may be out of time: what they see then still counts.
        """
        gone = set(self._agents).difference(self._env.agents or self._agents)
        seen, masks = [], []
        for agent in self._agents:
            observation, info = observations.get(agent), infos.get(agent) or {}
            if agent in gone:
                observation = None
            mask = info.get("action_mask")
            if isinstance(observation, dict) and "action_mask" in observation:
                mask = observation["action_mask"]
                rest = {k: v for k, v in observation.items() if k != "action_mask"}
                observation = rest.popitem()[1] if len(rest) == 1 else rest
            seen.append(observation)
            masks.append(mask)
        return seen, masks

    def get_state(self):
        if self._n_state is None:
            return super().get_state()
        return np.asarray(self._env.state(), dtype=np.float32).ravel()

    def get_state_size(self):
        return super().get_state_size() if self._n_state is None else self._n_state

    def render(self):
        return self._env.render()

    def close(self):
        self._env.close()


def mpe(key, time_limit, options, **env_args):
    """One of mpe2's particle worlds: `key` is its name there."""
    mpe2 = load("mpe2", "mpe", "mpe")
    names = [name for _, name, _ in pkgutil.iter_modules(mpe2.__path__)]
    names = [name for name in names if _VERSION.search(name)]
    if key not in names:
        raise ConfigError(
            f"env_args.key {key!r}: mpe2 has no such world; {_nearest(key, names)}"
        )
    # They end themselves after max_cycles steps, 25 unless they are told.
    options = {"max_cycles": time_limit, **options}
    return ParallelEnv(f"mpe2.{key}", time_limit, options=options, **env_args)


def _find(key):
    """The module named `key`, which must have `parallel_env`."""
    load("pettingzoo", "pettingzoo", "pettingzoo")
    if not isinstance(key, str) or not re.fullmatch(r"\w+(\.\w+)+", key):
        raise ConfigError(
            f"env_args.key is {key!r}: a module is needed, such as "
            "mpe2.simple_spread_v3 or pettingzoo.butterfly.cooperative_pong_v6"
        )
    folder, _, name = key.rpartition(".")
    parent = load(folder, "pettingzoo", "pettingzoo")
    try:
        module = importlib.import_module(key)
    except ModuleNotFoundError as error:
        if error.name == key:
            raise ConfigError(
                f"env_args.key {key!r}: {folder} has no {name!r}; "
                f"{_nearest(name, _modules(parent))}"
            ) from None
        raise ConfigError(
            f"env_args.key {key!r} needs {error.name}: install what its package asks "
            f"for, such as 'pettingzoo[{folder.rpartition('.')[2]}]'"
        ) from None
    if not hasattr(module, "parallel_env"):
        raise ConfigError(
            f"env_args.key {key!r}: has no parallel_env; only environments in which "
            "all agents act at once can be used"
        )
    return module


def _modules(package):
    return [name for _, name, _ in pkgutil.iter_modules(package.__path__)]


def _nearest(name, names):
    near = difflib.get_close_matches(str(name), names, n=_N_OFFERED, cutoff=0.4)
    return f"the nearest are {', '.join(near or sorted(names))}"


def _without_mask(space):
    """A Dict space of observation and mask: the observation's alone."""
    parts = getattr(space, "spaces", None)
    if not isinstance(parts, dict) or "action_mask" not in parts:
        return space
    rest = {name: part for name, part in parts.items() if name != "action_mask"}
    return rest.popitem()[1] if len(rest) == 1 else type(space)(rest)
