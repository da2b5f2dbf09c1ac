"""PettingZoo's parallel environments, and mpe2's, which are of that kind."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import re
from typing import Any, Collection, Dict, List, Optional, Sequence, Tuple

from ..errors import ConfigError
from . import outcomes
from .checks import whole
from .packages import build, load
from .spaces import SpacesEnv, Step, check_reward_settings

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
        self,
        key: str,
        time_limit: int,
        common_reward: bool,
        reward_scalarisation: str,
        options: Dict[str, Any],
        seed: Optional[int],
    ) -> None:
        check_reward_settings(common_reward, reward_scalarisation)
        self._scalarisation = reward_scalarisation
        self._env = build(_find(key).parallel_env, options)
        self._agents = list(self._env.possible_agents)
        limit = whole("time_limit", time_limit, 1)
        obs_spaces = [self._env.observation_space(agent) for agent in self._agents]
        action_spaces = [self._env.action_space(agent) for agent in self._agents]
        obs_spaces = [_without_mask(space) for space in obs_spaces]
        self._ends = outcomes.Ends(self._agents)
        own_state = getattr(self._env, "state", None)
        super().__init__(obs_spaces, action_spaces, limit, seed, own_state)

    def _begin(self, seed: Optional[int]) -> Tuple[Any, Any]:
        observations, infos = outcomes.start(self._env, seed)
        self._ends.begin(self._listed())
        return self._seen(observations, infos)

    def _play(self, actions: List[Any]) -> Step:
        pairs = zip(self._agents, actions, self._ends.alive)
        acting = {agent: action for agent, action, is_alive in pairs if is_alive}
        step = outcomes.of_step(self._env.step(acting))
        observations, rewards, ended, truncated, infos = step
        reward = outcomes.team_reward(rewards, self._agents, self._scalarisation)
        ended, truncated = self._ends.take(ended, truncated, self._listed())
        return *self._seen(observations, infos), reward, ended, truncated, {}

    def _listed(self) -> Any:
        return getattr(self._env, "agents", None)

    def _seen(self, observations: Any, infos: Any) -> Tuple[List[Any], List[Any]]:
        """Observations and masks; None for agents that are gone.

        When all end at once, they may be out of time: what they see then still counts.
        """
        observations = _each(observations, self._agents, "observations")
        infos = _each(infos, self._agents, "infos")
        seen, masks = [], []
        for i, present in enumerate(self._ends.present):
            observation = observations[i] if present else None
            mask = (infos[i] or {}).get("action_mask")
            if isinstance(observation, dict) and "action_mask" in observation:
                mask = observation["action_mask"]
                rest = {k: v for k, v in observation.items() if k != "action_mask"}
                observation = rest.popitem()[1] if len(rest) == 1 else rest
            seen.append(observation)
            masks.append(mask)
        return seen, masks

    def render(self) -> Any:
        return self._env.render()

    def close(self) -> None:
        self._env.close()


def mpe(
    key: str, time_limit: int, options: Dict[str, Any], **env_args: Any
) -> ParallelEnv:
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


def _find(key: str) -> Any:
    """The module named `key`, which must have `parallel_env`."""
    load("pettingzoo", "pettingzoo", "pettingzoo")
    needed = ConfigError(
        f"env_args.key is {key!r}: a module is needed, such as mpe2.simple_spread_v3, "
        f"pettingzoo.butterfly.cooperative_pong_v6, or one of your own in {os.getcwd()}"
    )
    if not isinstance(key, str) or not re.fullmatch(r"\w+(\.\w+)*", key):
        raise needed
    folder, _, name = key.rpartition(".")
    parent = load(folder, "pettingzoo", "pettingzoo") if folder else None
    try:
        module = importlib.import_module(key)
    except ModuleNotFoundError as error:
        if error.name == key and parent is None:
            raise needed from None
        if error.name == key:
            raise ConfigError(
                f"env_args.key {key!r}: {folder} has no {name!r}; "
                f"{_nearest(name, _modules(parent))}"
            ) from None
        extra = f", such as 'pettingzoo[{folder.rpartition('.')[2]}]'" if folder else ""
        raise ConfigError(
            f"env_args.key {key!r} needs {error.name}: install what its package asks "
            f"for{extra}"
        ) from None
    if not hasattr(module, "parallel_env"):
        raise ConfigError(
            f"env_args.key {key!r}: has no parallel_env; only environments in which "
            "all agents act at once can be used"
        )
    return module


def _modules(package: Any) -> List[str]:
    path = getattr(package, "__path__", [])  # a plain module has none
    return [name for _, name, _ in pkgutil.iter_modules(path)]


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name), names, n=_N_OFFERED, cutoff=0.4)
    return f"the nearest are {', '.join(near or sorted(names)) or 'none'}"


def _each(values: Any, agents: Sequence[Any], what: str) -> List[Any]:
    """A list for each agent; other entries of a dict (`__common__`) are left out."""
    if isinstance(values, dict):
        return [values.get(agent) for agent in agents]
    return outcomes.by_agent(values, agents, what)


def _without_mask(space: Any) -> Any:
    """A Dict space of observation and mask: the observation's alone."""
    parts = getattr(space, "spaces", None)
    if not isinstance(parts, dict) or "action_mask" not in parts:
        return space
    rest = {name: part for name, part in parts.items() if name != "action_mask"}
    return rest.popitem()[1] if len(rest) == 1 else type(space)(rest)
