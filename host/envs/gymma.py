"""Any multi-agent environment that is registered with gymnasium, by EPyMARL's keys."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..errors import ConfigError
from . import outcomes
from .checks import whole
from .packages import build, load
from .spaces import SpacesEnv, Step, check_reward_settings

# Packages that register environments, and the extra that installs each.
EXTRAS = {"lbforaging": "lbf", "rware": "rware"}
_N_OFFERED = 3


class GymmaEnv(SpacesEnv):
    """`gymnasium.make(key)`, where both spaces are a Tuple, an entry for each agent.

    Action masks are taken from `info["action_mask"]`, one for each agent, or from the
    environment's own `get_avail_actions()`; the state from its own `get_state()`.

    Args:
        key: `id`, or `package:id` where the package registers it when imported.
        time_limit: steps after which an episode ends.
        pretrained_wrapper: EPyMARL's; only null here.
        common_reward, reward_scalarisation: how agents' rewards become the team's.
        options: for the environment's own constructor.
        seed: of the episodes' seeds.

    Raises:
        ConfigError: a package that is missing, an unknown id, an environment for a
            single agent, or a value that cannot be.
    """

    def __init__(
        self,
        key: str,
        time_limit: int,
        pretrained_wrapper: Any,
        common_reward: bool,
        reward_scalarisation: str,
        options: Dict[str, Any],
        seed: Optional[int],
    ) -> None:
        check_reward_settings(common_reward, reward_scalarisation)
        if pretrained_wrapper is not None:
            raise ConfigError(
                f"env_args.pretrained_wrapper is {pretrained_wrapper!r}: it is "
                "EPyMARL's own; null is needed here"
            )
        self._scalarisation = reward_scalarisation
        self._env = _make(key, options)
        self._own_masks = _own(self._env, "get_avail_actions")
        obs_spaces, action_spaces = _of_agents(key, self._env)
        limit = whole("time_limit", time_limit, 1)
        self._agents = range(len(action_spaces))
        self._ends = outcomes.Ends(self._agents)
        own_state = _own(self._env, "get_state")
        super().__init__(obs_spaces, action_spaces, limit, seed, own_state)

    def _begin(self, seed: Optional[int]) -> Tuple[Any, Any]:
        observations, info = self._env.reset(seed=seed)
        self._ends.begin()
        return observations, self._masks(info)

    def _play(self, actions: List[Any]) -> Step:
        observations, rewards, ended, truncated, info = self._env.step(actions)
        reward = outcomes.team_reward(rewards, self._agents, self._scalarisation)
        ended, truncated = self._ends.take(ended, truncated)
        own = info if self._infos_of_agents(info) is None else {}
        return observations, self._masks(info), reward, ended, truncated, own

    def _masks(self, info: Any) -> Any:
        infos = self._infos_of_agents(info)
        if infos is not None:
            masks = [own.get("action_mask") for own in infos]
        else:
            masks = info.get("action_mask")
        if masks is None or all(mask is None for mask in masks):
            return None if self._own_masks is None else self._own_masks()
        return masks

    def _infos_of_agents(self, info: Any) -> Optional[List[Any]]:
        """A list of each agent's info; None where there is one for all."""
        each = info.values() if isinstance(info, Mapping) else info
        are_all = len(each) == len(self._agents)
        if isinstance(info, Mapping) and not (
            are_all and all(isinstance(own, Mapping) for own in each)
        ):
            return None
        return list(each)

    def render(self) -> Any:
        return self._env.render()

    def close(self) -> None:
        self._env.close()


def _make(key: str, options: Dict[str, Any]) -> Any:
    gymnasium = load("gymnasium", "gymma", "gymma")
    if not isinstance(key, str) or not key:
        raise ConfigError(
            f"env_args.key is {key!r}: a gymnasium id is needed, such as "
            "lbforaging:Foraging-8x8-2p-3f-v3"
        )
    package, colon, name = key.rpartition(":")
    if colon:
        load(package, "gymma", EXTRAS.get(package), EXTRAS)
    if name not in gymnasium.registry:
        hint = "" if colon else "; write package:id for a package's own"
        reason = _not_registered(gymnasium, name)
        raise ConfigError(f"env_args.key {key!r}: {reason}{hint}")
    spec = copy.copy(gymnasium.registry[name])
    spec.entry_point = _creator(gymnasium, spec.entry_point)
    # Its checker knows only environments for one agent.
    make = partial(gymnasium.make, spec, disable_env_checker=True)
    return build(make, options)


def _creator(gymnasium: Any, entry_point: Any) -> Callable[..., Any]:
    """What makes the environment, in one API whichever it speaks.

    Below the wrappers of gymnasium's own, which know only the one of today.
    """

    class Reader(gymnasium.Wrapper):
        spec = property(lambda self: self.env.spec)  # so that it's none of the spec's

        def reset(self, *, seed: Optional[int] = None, options: Any = None) -> Any:
            # For those whose own reset takes no seed, and draw from `np_random`.
            gymnasium.Env.reset(self.unwrapped, seed=seed)
            return outcomes.start(self.env, seed)

        def step(self, actions: Any) -> Any:
            return outcomes.of_step(self.env.step(actions))

    create = entry_point
    if isinstance(entry_point, str):
        create = gymnasium.envs.registration.load_env_creator(entry_point)

    def creator(**options: Any) -> Any:
        env = create(**options)
        return Reader(env) if isinstance(env, gymnasium.Env) else env

    made: Any = creator
    if hasattr(create, "metadata"):  # by which `make` knows how it renders
        made.metadata = create.metadata
    return creator


def _own(env: Any, name: str) -> Any:
    """What the environment itself, or a wrapper of its own, has under a name."""
    try:
        return env.get_wrapper_attr(name)
    except AttributeError:
        return None


def _not_registered(gymnasium: Any, name: str) -> str:
    near = difflib.get_close_matches(name, gymnasium.registry, n=_N_OFFERED)
    offer = f"the nearest are {', '.join(near)}" if near else "none has a name like it"
    return f"gymnasium knows no id {name!r}; {offer}"


def _of_agents(key: str, env: Any) -> Tuple[Any, Any]:
    """Observation and action spaces, one for each agent."""
    both = env.observation_space, env.action_space
    for space in both:
        if not hasattr(space, "spaces") or isinstance(space.spaces, dict):
            raise ConfigError(
                f"env_args.key {key!r} is for one agent: its space is a "
                f"{type(space).__name__}, not a Tuple with a space for each agent"
            )
    return both
