"""What an environment must do for the runners, held against what it does.

`check(make)` plays a few episodes at random and says what is wrong: which method, what
it returned, what is expected. `insist(env)` is the short form before a training run.
"""

import os
import time
import traceback
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Dict, List, Optional

import numpy as np

from ..errors import ConfigError, HostError

METHODS = ("reset step get_obs get_state get_avail_actions get_env_info close").split()
SIZES = ("n_agents", "n_actions", "obs_shape", "state_shape", "episode_limit")
_LONGEST_QUOTE = 60


@dataclass(frozen=True)
class Finding:
    """Something wrong; not an error: training works, but not as one would think."""

    method: str
    returned: str
    expected: str
    is_error: bool = True

    def __str__(self):
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
    def errors(self):
        return [finding for finding in self.findings if finding.is_error]


class _Broken(Exception):
    """The environment cannot be asked further."""


class Checker:
    """Asks one environment, and notes each kind of finding once."""

    def __init__(self, env, seed=0):
        self.env, self.report = env, Report()
        self._rng = np.random.default_rng(seed)
        self._noted = set()

    # Noting ---------------------------------------------------------------------------

    def note(self, method, returned, expected, is_error=True):
        if (method, expected) not in self._noted:
            self._noted.add((method, expected))
            finding = Finding(method, returned, expected, is_error)
            self.report.findings.append(finding)

    def require(self, is_right, method, value, expected, where=""):
        if not is_right:
            self.note(method, _quote(value) + where, expected)
        return is_right

    def call(self, method, *args):
        try:
            return getattr(self.env, method)(*args)
        except Exception as error:
            self.note(method, _raised(error), "no exception")
            raise _Broken from error

    # Asking ---------------------------------------------------------------------------

    def sizes(self):
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
            got, expected = {key: info.get(key)}, f"{key}: a whole number >= 1"
            right = _is_size(info.get(key))
            if not self.require(right, "get_env_info", got, expected):
                raise _Broken
        limit = getattr(self.env, "episode_limit", None)
        expected = f"{info['episode_limit']}, as get_env_info says"
        right = limit == info["episode_limit"]
        self.require(right, "episode_limit (attribute)", limit, expected)
        self.report.info = {key: int(info[key]) for key in SIZES}

    def observe(self, where):
        """Hold what is seen now against the sizes; returns available actions."""
        info = self.report.info
        shape = (info["n_agents"], info["obs_shape"])
        self._numbers("get_obs", shape, "(n_agents, obs_shape)", where)
        self._numbers("get_state", (info["state_shape"],), "(state_shape,)", where)
        return self._available(where)

    def _numbers(self, method, shape, names, where):
        array = _as_array(self.call(method))
        if array is None or array.shape != shape:
            expected = f"numbers of shape {names} = {shape}"
            self.note(method, _shape(array) + where, expected)
        elif not (np.abs(array) <= np.finfo(np.float32).max).all():
            self.note(method, "NaN or infinity" + where, "finite float32 numbers")

    def _available(self, where):
        info, array = self.report.info, _as_array(self.call("get_avail_actions"))
        shape = (info["n_agents"], info["n_actions"])
        if array is None or array.shape != shape:
            expected = f"0 or 1, of shape (n_agents, n_actions) = {shape}"
            self.note("get_avail_actions", _shape(array) + where, expected)
            return np.ones(shape)
        right = np.isin(array, (0, 1)).all()
        values = np.unique(array).tolist()
        self.require(right, "get_avail_actions", values, "nothing but 0 and 1", where)
        for agent in np.flatnonzero(~array.any(axis=1)):
            got = f"no available action for agent {agent}"
            self.note("get_avail_actions", got + where, "at least one for each agent")
        array = (array != 0).astype(int)
        array[~array.any(axis=1)] = 1
        return array

    def episode(self):
        """Play one at random; returns all that was seen and paid."""
        limit, trace = self.report.info["episode_limit"], []
        self.call("reset")
        for t in range(limit):
            where = f" (step {t})" if t else " (after reset)"
            avail = self.observe(where)
            actions = (self._rng.random(avail.shape) * avail).argmax(axis=1)
            reward, terminated, info = self._step(actions, where)
            trace.append((reward, terminated, _bytes(self.env.get_obs())))
            if terminated:
                break
        self.observe(" (when the episode has ended)")
        if not terminated:
            got = f"terminated=False after {limit} steps"
            expected = "an end after episode_limit steps at the latest"
            self.note("step", got, f"{expected}, with info['episode_limit']=True")
        elif t + 1 == limit and "episode_limit" not in info:
            got = f"no info['episode_limit'] at the last of {limit} steps"
            expected = "True there if time, not the game, has ended the episode"
            self.note("step", got, expected, is_error=False)
        return trace

    def _step(self, actions, where):
        result = self.call("step", actions)
        if not isinstance(result, tuple) or len(result) != 3:
            count = f"{len(result)} values" if isinstance(result, tuple) else "no tuple"
            self.note("step", count + where, "(reward, terminated, info)")
            raise _Broken
        reward, terminated, info = result
        number = reward.item() if _is_single(reward) else reward
        is_number = isinstance(number, Real) and np.isfinite(number)
        expected = "a reward that is one finite number, for the team"
        if not self.require(is_number, "step", reward, expected, where):
            number = 0.0
        is_bool = isinstance(terminated, (bool, np.bool_, Real)) and terminated in (
            0,
            1,
        )
        is_dict = isinstance(info, dict)
        self.require(is_bool, "step", terminated, "terminated: one bool", where)
        self.require(is_dict, "step", info, "info: a dict", where)
        if not (is_bool and is_dict):
            raise _Broken
        return float(number), bool(terminated), info

    def speed(self, seconds):
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


def insist(env, name):
    """Raise ConfigError with the first thing that is wrong within one short episode."""
    checker = Checker(env)
    try:
        checker.sizes()
        checker.episode()
    except _Broken:
        pass
    for finding in checker.report.errors[:1]:
        raise ConfigError(f"env {name!r}: {finding} (more: wqmix check-env)")


def check(make, n_episodes=3, seconds=1.0):
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
        _check_seed(checker, make)
        if not report.errors:
            report.steps_per_second = checker.speed(seconds)
        checker.call("close")
    except _Broken:
        pass
    return report


def _made(checker, make):
    try:
        return make()
    except HostError:
        raise
    except Exception as error:
        checker.note("constructor", _raised(error), "an environment")
        raise _Broken from error


def _check_seed(checker, make):
    """Made twice, the same first episode."""
    episodes = []
    for _ in range(2):
        twin = Checker(make())
        twin.sizes()
        episodes.append(twin.episode())
        twin.call("close")
    if episodes[0] != episodes[1]:
        got = "another episode for the same seed and the same actions"
        expected = "the same one: else no run can be repeated"
        checker.note("reset, step", got, expected, is_error=False)


def _check_state(checker):
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


def _raised(error):
    """An exception, and the line of the environment's file that it came from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = os.path.basename(place.filename)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]} ({name}, line {place.lineno})"


def _quote(value):
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 2] + " …"


def _is_size(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _is_single(value):
    return isinstance(value, np.ndarray) and value.ndim == 0


def _shape(array):
    return "unlike lengths or no numbers" if array is None else f"shape {array.shape}"


def _as_array(value):
    """`value` as an array of numbers, or None if it is none."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array if array.dtype.kind in "biuf" else None


def _bytes(observations):
    array = _as_array(observations)
    return None if array is None else array.tobytes()
