"""What other packages' environments return, in whichever form: it is read here alone.

Flags and rewards as one value, as lists or arrays (0-d and [n, 1] too) or as dicts by
agent; the API of today and the older one, in which `reset` returns no infos and `step`
one flag for both ends.
"""

from __future__ import annotations

import inspect
from numbers import Real
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from ..errors import EnvError, quote

ALL = "__all__"  # a dict's entry for all agents at once
OUT_OF_TIME = "TimeLimit.truncated"  # gym's word for the end that time made
_STEP = "(observations, rewards, terminated, truncated, infos)"


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a keyword argument can be handed to `function`."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    kinds = [parameter.kind for parameter in parameters.values()]
    return name in parameters or inspect.Parameter.VAR_KEYWORD in kinds


# Single numbers -----------------------------------------------------------------------


def number(value: Any) -> Optional[float]:
    """`value` as a float, None if it is not one number; a 0-d array is one."""
    if getattr(value, "ndim", None) == 0:
        value = np.asarray(value).item()
    return float(value) if isinstance(value, (Real, np.bool_)) else None


def numbers_in(info: Mapping[Any, Any]) -> Dict[Any, float]:
    """Those entries of an `info` that are one number each, as floats."""
    found = {key: number(value) for key, value in info.items()}
    return {key: value for key, value in found.items() if value is not None}


def is_out_of_time(info: Mapping[Any, Any]) -> bool:
    """Whether an `info` says that time, not the game, ended the episode."""
    return any(bool(number(info.get(key))) for key in ("episode_limit", OUT_OF_TIME))


# A value for each agent ---------------------------------------------------------------


def by_agent(value: Any, agents: Sequence[Any], what: str) -> List[Any]:
    """`value` as a list with an entry for each agent; None for one that a dict omits.

    A dict whose keys are other names is taken in its order, if it has all agents.
    """
    if isinstance(value, Mapping):
        if set(value) <= set(agents):
            return [value.get(agent) for agent in agents]
        value = list(value.values())
    value = list(value) if hasattr(value, "__len__") else [value]
    if len(value) != len(agents):
        raise EnvError(f"{what}: {len(value)} for {len(agents)} agents")
    return value


def _numbers(value: Any, agents: Sequence[Any], what: str) -> List[Optional[float]]:
    """One number for each agent; a single one is everybody's."""
    is_named = isinstance(value, Mapping)
    entries = by_agent(value, agents, what) if is_named else _entries(value)
    if len(entries) == 1:
        entries = entries * len(agents)
    if len(entries) != len(agents):
        raise EnvError(f"{what}: {len(entries)} for {len(agents)} agents")
    return [None if entry is None else _single(entry, what) for entry in entries]


def _entries(value: Any) -> List[Any]:
    if not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0:
        return [value]
    return list(np.ravel(value) if hasattr(value, "ndim") else value)


def _single(entry: Any, what: str) -> float:
    try:
        found = number(np.reshape(entry, ()))
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise EnvError(f"{what}: {quote(entry)} is not one number")
    return found


def team_reward(rewards: Any, agents: Sequence[Any], scalarisation: str) -> float:
    """One number for the team: the only one, or the `sum` or `mean` of the agents'.

    An agent that a dict omits is paid nothing.
    """
    entries = [] if isinstance(rewards, Mapping) else _entries(rewards)
    if len(entries) == 1:
        return _single(entries[0], "reward")
    paid = [reward or 0.0 for reward in _numbers(rewards, agents, "rewards")]
    return sum(paid) if scalarisation == "sum" else sum(paid) / len(paid)


def _flags(value: Any, agents: Sequence[Any], what: str) -> List[Any]:
    """True or False for each agent; None for one of which a dict says nothing."""
    if value is None:
        raise EnvError(f"{what} is None; True or False is needed")
    if isinstance(value, Mapping) and ALL in value:
        value = dict(value)
        if _flags(value.pop(ALL), agents, what)[0]:
            return [True] * len(agents)
    flags = _numbers(value, agents, what)
    if not set(flags) <= {None, 0.0, 1.0}:
        raise EnvError(f"{what} is {quote(value)}; True or False is needed")
    return flags


class Ends:
    """Who is over in an episode, and how it ends for the team.

    An agent is over when it is terminated or truncated, the episode when all are. Where
    an environment lists its `agents`, those that are not listed are gone, and those
    that are over stay so, listed or not: some never take an agent off their list.

    Args:
        agents: their names.
    """

    def __init__(self, agents: Sequence[Any]) -> None:
        self.agents = list(agents)

    def begin(self, listed: Optional[Collection[Any]] = None) -> None:
        """Start an episode with the agents that the environment lists, if it does."""
        self._terminated = np.zeros(len(self.agents), dtype=bool)
        self._truncated = self._terminated.copy()
        self.present = self.alive = self._are_listed(listed)
        if not self.alive.any():
            raise EnvError("`agents` is empty, though nobody has acted yet")

    def take(
        self, terminated: Any, truncated: Any, listed: Optional[Collection[Any]] = None
    ) -> Tuple[bool, bool]:
        """Read the flags of a step.

        Afterwards `alive` says who plays on, `present` whose observations count: at the
        end those of the agents that took the last step.

        Returns:
            Whether the game has ended the episode, and whether time has.
        """
        before = self.alive
        self._note(self._terminated, terminated, "terminated", listed)
        self._note(self._truncated, truncated, "truncated", listed)
        over = self._terminated | self._truncated
        self.alive = self.present = self._are_listed(listed) & ~over
        if self.alive.any():
            return False, False
        self.present = before
        if not over[before].any():
            raise EnvError(
                "`agents` is empty, but terminated and truncated are false for all: "
                "they must say how the episode has ended"
            )
        by_time = (self._truncated & ~self._terminated)[before].any()
        return not by_time, bool(by_time)

    def _note(
        self, flags: np.ndarray, told: Any, what: str, listed: Optional[Collection[Any]]
    ) -> None:
        for agent, flag in enumerate(_flags(told, self.agents, what)):
            if flag is not None and (listed is None or self.alive[agent]):
                flags[agent] = flag

    def _are_listed(self, listed: Optional[Collection[Any]]) -> np.ndarray:
        if listed is None:
            return np.ones(len(self.agents), dtype=bool)
        return np.array([agent in listed for agent in self.agents])


# Both APIs ----------------------------------------------------------------------------


def start(env: Any, seed: Optional[int]) -> Tuple[Any, Any]:
    """`env.reset` with a seed, by either API; returns observations and infos."""
    innermost = getattr(env, "unwrapped", env)
    if takes(env.reset, "seed") and takes(innermost.reset, "seed"):
        result = env.reset(seed=seed)
    else:
        if callable(getattr(env, "seed", None)):
            env.seed(seed)
        result = env.reset()
    is_pair = isinstance(result, tuple) and len(result) == 2 and _is_info(result[1])
    return result if is_pair else (result, {})


def of_step(result: Any) -> Tuple[Any, Any, Any, Any, Any]:
    """What `step` returned as the five values of today.

    The older API's one flag is the game's end, unless an info says that time made it.
    """
    count = len(result) if isinstance(result, tuple) else None
    if count not in (4, 5):
        told = "no tuple" if count is None else f"{count} values"
        raise EnvError(f"{told}; expected: {_STEP}")
    infos = result[-1]
    if not _is_info(infos):
        raise EnvError(
            f"infos: {quote(infos)}; a dict is needed, or one for each agent"
        )
    if count == 5:
        return result
    observations, rewards, done, _ = result
    each = [infos] if isinstance(infos, Mapping) else infos
    each = [*each, *(own for info in each for own in info.values())]
    by_time = any(isinstance(i, Mapping) and is_out_of_time(i) for i in each)
    flags = (False, done) if by_time else (done, False)
    return (observations, rewards, *flags, infos)


def _is_info(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(own, Mapping) for own in value)
    return isinstance(value, Mapping)
