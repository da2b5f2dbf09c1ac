"""What an environment must do for the runners, held against what it does.

`check(make)` plays a few episodes at random and says what is wrong: which method, what
it returned, what is expected. `insist(env)` is the short form before a training run.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

import numpy as np

from ..errors import ConfigError, EnvError, HostError, quote, raised
from ..utils.patience import SECONDS_TO_CLOSE, TookTooLong, at_most
from . import global_generators
from .outcomes import OUT_OF_TIME, number

# Of each step the reward, whether it was the last, what was seen.
Trace = List[Tuple[float, bool, Optional[bytes]]]

METHODS = ("reset step get_obs get_state get_avail_actions get_env_info close").split()
SIZES = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
ONE_REWARD = "a reward that is one finite number, for the team"
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Finding:
    """Something wrong; not an error: training works, but not as one would think."""

    method: str
    returned: str
    expected: str
    is_error: bool = True

    def at(self, where: str) -> Finding:
        """The same, with what says when in the episode it was."""
        return replace(self, returned=self.returned + where)

    def __str__(self) -> str:
        return f"{self.method} returned {self.returned}; expected: {self.expected}"


@dataclass
class Report:
    """What was found, and what the episodes were like."""

    findings: List[Finding] = field(default_factory=list)
    info: Dict[str, Any] = field(default_factory=dict)
    returns: List[float] = field(default_factory=list)
    lengths: List[int] = field(default_factory=list)
    steps_per_second: Optional[float] = None

    @property
    def errors(self) -> List[Finding]:
        return [finding for finding in self.findings if finding.is_error]


# What is wrong with one thing that an environment returned ----------------------------


def wrong_numbers(
    method: str, array: Optional[np.ndarray], shape: Tuple[int, ...], names: str
) -> Iterator[Finding]:
    """Findings about observations or a state; `names` are those of its axes."""
    if array is None or array.shape != shape:
        yield Finding(method, _shape(array), f"numbers of shape {names} = {shape}")
    elif not (np.abs(array) <= LARGEST).all():
        yield Finding(method, "NaN or infinity", "finite float32 numbers")


def wrong_masks(
    array: Optional[np.ndarray], shape: Tuple[int, ...]
) -> Iterator[Finding]:
    """Findings about available actions."""
    method = "get_avail_actions"
    if array is None or array.shape != shape:
        expected = f"0 or 1, of shape (n_agents, n_actions) = {shape}"
        yield Finding(method, _shape(array), expected)
        return
    if not ((array == 0) | (array == 1)).all():
        yield Finding(method, quote(np.unique(array).tolist()), "nothing but 0 and 1")
    for agent in np.flatnonzero(~array.any(axis=1)):
        got = f"no available action for agent {agent}"
        yield Finding(method, got, "at least one for each agent")


def wrong_outcome(result: Any) -> Iterator[Finding]:
    """Findings about what `step` returned."""
    if not isinstance(result, tuple) or len(result) != 3:
        count = f"{len(result)} values" if isinstance(result, tuple) else "no tuple"
        yield Finding("step", count, "(reward, terminated, info)")
        return
    reward, terminated, info = result
    paid = number(reward)
    if paid is None or not abs(paid) <= LARGEST:
        yield Finding("step", quote(reward), ONE_REWARD)
    if number(terminated) not in (0, 1):
        yield Finding("step", quote(terminated), "terminated: one bool")
    if not isinstance(info, dict):
        yield Finding("step", quote(info), "info: a dict")
        return
    for key in ("episode_limit", OUT_OF_TIME):
        if info.get(key) is not None and number(info[key]) not in (0, 1):
            yield Finding("step", quote({key: info[key]}), f"info[{key!r}]: one bool")


def endless(limit: int) -> Finding:
    """The finding about an episode that has not ended after `limit` steps."""
    got = f"terminated=False after {limit} steps"
    expected = "an end after episode_limit steps at the latest"
    return Finding("step", got, f"{expected}, with info['episode_limit']=True")


def place(t: int) -> str:
    """When in an episode something was returned, after `t` steps."""
    return f" (step {t})" if t else " (after reset)"


# A whole environment ------------------------------------------------------------------


class _Broken(Exception):
    """The environment cannot be asked further."""


class Checker:
    """Asks one environment, and notes each kind of finding once."""

    def __init__(self, env: Any, seed: int = 0) -> None:
        self.env, self.report = env, Report()
        self._rng = np.random.default_rng(seed)
        self._noted: Set[Tuple[str, str]] = set()

    # Noting ---------------------------------------------------------------------------

    def note(
        self, method: str, returned: str, expected: str, is_error: bool = True
    ) -> None:
        self._add(Finding(method, returned, expected, is_error))

    def note_all(self, findings: Iterable[Finding], where: str = "") -> None:
        for finding in findings:
            self._add(finding.at(where))

    def _add(self, finding: Finding) -> None:
        if (finding.method, finding.expected) not in self._noted:
            self._noted.add((finding.method, finding.expected))
            self.report.findings.append(finding)

    def require(
        self, is_right: bool, method: str, value: Any, expected: str, where: str = ""
    ) -> bool:
        if not is_right:
            self.note(method, quote(value) + where, expected)
        return is_right

    def call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self.env, method)(*args)
        except EnvError as error:  # a wrapper of ours says what it cannot read
            self.note(method, str(error), "what its spaces and the API say")
            raise _Broken from error
        except (Exception, SystemExit) as error:
            self.note(method, raised(error), "no exception")
            raise _Broken from error

    def close(self) -> None:
        try:
            with at_most(SECONDS_TO_CLOSE):
                self.call("close")
        except TookTooLong:
            got = f"nothing within {SECONDS_TO_CLOSE} seconds"
            self.note("close", got, "an end, or no run could end")
            raise _Broken from None

    # Asking ---------------------------------------------------------------------------

    def sizes(self) -> None:
        """What get_env_info says; without it nothing else can be checked."""
        missing = [m for m in METHODS if not callable(getattr(self.env, m, None))]
        for method in missing:
            self.note(method, "nothing: there is no such method", _PURPOSE[method])
        if missing:
            raise _Broken
        info = self.call("get_env_info")
        if not self.require(isinstance(info, dict), "get_env_info", info, "a dict"):
            raise _Broken
        for key in SIZES:
            if not _is_size(info.get(key)):
                got = (
                    quote({key: info[key]})
                    if key in info
                    else f"a dict without {key!r}"
                )
                self.note("get_env_info", got, f"{key}: a whole number >= 1")
                raise _Broken
        for key in ("episode_limit", "n_agents"):
            value = getattr(self.env, key, None)
            expected = f"{info[key]}, as get_env_info says"
            self.require(value == info[key], f"{key} (attribute)", value, expected)
        self.report.info = {key: int(info[key]) for key in SIZES}

    def observe(self, where: str) -> np.ndarray:
        """Hold what is seen now against the sizes; returns available actions."""
        info = self.report.info
        shape = (info["n_agents"], info["obs_shape"])
        self._numbers("get_obs", shape, "(n_agents, obs_shape)", where)
        self._numbers("get_state", (info["state_shape"],), "(state_shape,)", where)
        shape = (info["n_agents"], info["n_actions"])
        masks = as_array(self.call("get_avail_actions"))
        self.note_all(wrong_masks(masks, shape), where)
        return _usable(masks, shape)

    def _numbers(
        self, method: str, shape: Tuple[int, ...], names: str, where: str
    ) -> None:
        array = as_array(self.call(method))
        self.note_all(wrong_numbers(method, array, shape, names), where)

    def episode(self) -> Trace:
        """Play one at random; returns all that was seen and paid."""
        limit, trace = self.report.info["episode_limit"], []
        self.call("reset")
        for t in range(limit):
            where = place(t)
            avail = self.observe(where)
            actions = (self._rng.random(avail.shape) * avail).argmax(axis=1)
            reward, terminated, info = self._step(actions, where)
            trace.append((reward, terminated, _bytes(self.env.get_obs())))
            if terminated:
                break
        self.observe(" (when the episode has ended)")
        if not terminated:
            self.note_all([endless(limit)])
        elif t + 1 == limit and not {"episode_limit", OUT_OF_TIME} & set(info):
            got = f"no info['episode_limit'] at the last of {limit} steps"
            expected = "True there if time, not the game, has ended the episode"
            self.note("step", got, expected, is_error=False)
        return trace

    def _step(
        self, actions: np.ndarray, where: str
    ) -> Tuple[float, bool, Dict[str, Any]]:
        result = self.call("step", actions)
        wrong = list(wrong_outcome(result))
        self.note_all(wrong, where)
        if any(finding.expected != ONE_REWARD for finding in wrong):
            raise _Broken
        reward, terminated, info = result
        return 0.0 if wrong else float(reward), bool(terminated), info

    def speed(self, seconds: float) -> float:
        """Steps per second, of episodes that take `seconds` or more."""
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            self.env.reset()
            terminated = False
            while not terminated:
                avail = np.asarray(self.env.get_avail_actions())
                self.env.get_obs()
                self.env.get_state()
                actions = (self._rng.random(avail.shape) * avail).argmax(axis=1)
                terminated, steps = self.env.step(actions)[1], steps + 1
        return steps / (time.perf_counter() - started)


_PURPOSE = {
    "reset": "reset(): start an episode",
    "step": "step(actions): (reward, terminated, info)",
    "get_obs": "get_obs(): the agents' observations",
    "get_state": "get_state(): the state",
    "get_avail_actions": "get_avail_actions(): 0/1 for each agent and action",
    "get_env_info": "get_env_info(): a dict of " + ", ".join(SIZES),
    "close": "close(): free what it holds",
}


def insist(env: Any, name: str) -> None:
    """Play one episode and close it; ConfigError with the first thing that is wrong."""
    checker = Checker(env)
    with suppress(_Broken):
        checker.sizes()
        checker.episode()
    with suppress(_Broken):
        checker.close()
    for finding in checker.report.errors[:1]:
        raise ConfigError(f"env {name!r}: {finding} (more: wqmix check-env)")


def check(make: Callable[[], Any], n_episodes: int = 3, seconds: float = 1.0) -> Report:
    """Make an environment and ask it all that a runner will ask.

    Args:
        make: makes one; twice the same where it can be seeded.
        n_episodes: to play, at random.
        seconds: for measuring its speed, if nothing is wrong.

    Returns:
        A Report.

    Raises:
        HostError: of `make`.
    """
    checker = Checker(None)
    report = checker.report
    try:
        checker.env = _made(checker, make)
        checker.sizes()
        for _ in range(n_episodes):
            trace = checker.episode()
            report.returns.append(sum(reward for reward, _, _ in trace))
            report.lengths.append(len(trace))
        _check_state(checker)
        with global_generators.as_before():
            _check_seed(checker, make)
        if not report.errors:
            report.steps_per_second = checker.speed(seconds)
        checker.close()
    except _Broken:
        pass
    return report


def _made(checker: Checker, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except HostError:
        raise
    except Exception as error:
        checker.note("constructor", raised(error), "an environment")
        raise _Broken from error


def _check_seed(checker: Checker, make: Callable[[], Any]) -> None:
    """Made twice, the same first episode, and no generator but one's own seeded."""
    episodes, probes = [], [global_generators.Probe(seed) for seed in (1, 2)]
    for probe in probes:
        twin = Checker(probe.call("constructor", make))
        twin.sizes()
        episodes.append(twin.episode())
        probe.call("reset", twin.call, "reset")
        probe.call("step", twin._step, twin.observe("").argmax(axis=1), "")
        twin.close()
    if episodes[0] != episodes[1]:
        got = "another episode for the same seed and the same actions"
        expected = "the same one: else no run can be repeated"
        checker.note("reset, step", got, expected, is_error=False)
    for method, whose in global_generators.seeded(*probes):
        got = f"{whose} global generator, seeded"
        expected = (
            f"a generator of its own: whoever draws from {whose}, as exploration and "
            "the replay buffer of many hosts do, would draw the same again and again"
        )
        checker.note(method, got, expected, is_error=False)


def _check_state(checker: Checker) -> None:
    """Where it says its state: the same state, the same episode."""
    state = checker.call("state_dict") if hasattr(checker.env, "state_dict") else None
    if state is None:
        return
    episodes = []
    for _ in range(2):
        checker.call("load_state_dict", state)
        checker._rng = np.random.default_rng(1)
        episodes.append(checker.episode())
    if episodes[0] != episodes[1]:
        got = "a state after which the next episode is another one"
        checker.note("state_dict", got, "all that the next episodes depend on")


def _is_size(value: Any) -> bool:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    return is_whole and value >= 1


def _shape(array: Optional[np.ndarray]) -> str:
    return "unlike lengths or no numbers" if array is None else f"shape {array.shape}"


def as_array(value: Any) -> Optional[np.ndarray]:
    """`value` as an array of numbers, or None if it is none."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" else None


def _usable(array: Optional[np.ndarray], shape: Tuple[int, ...]) -> np.ndarray:
    """Masks to choose actions by, whatever is wrong with them."""
    if array is None or array.shape != shape:
        return np.ones(shape)
    array = (array != 0).astype(int)
    array[~array.any(axis=1)] = 1
    return array


def _bytes(observations: Any) -> Optional[bytes]:
    array = as_array(observations)
    return None if array is None else array.tobytes()
