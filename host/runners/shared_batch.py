"""Any environment as a batch: copies in worker processes that share their results."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from ..envs import maker
from ..envs.multiagentenv import BatchEnv, Outcomes
from ..envs.outcomes import numbers_in
from ..utils import random_state
from .pair import Pair
from .worker import Limits, Team, worker_context

Shared = Dict[str, Tuple[Any, Any, Tuple[int, ...]]]  # field -> memory, type, shape


class SharedBatch(BatchEnv):
    """`n_copies` of `maker(name)(**env_args)`, one in each worker process.

    What they observe lies in memory that all processes share; only commands and the
    steps' infos are sent. Copies get seeds of their own, derived from the given one.
    Each is a `Pair`: `begin` says which of the two the next reset is of.
    """

    def __init__(
        self,
        n_copies: int,
        name: str,
        env_args: Dict[str, Any],
        limits: Limits,
        log: logging.Logger,
        is_shared: bool = True,
    ) -> None:
        env_fn = maker(name)
        one = env_fn(**env_args)  # for its sizes only
        info = one.get_env_info()
        one.close()
        self.n_copies, self.seed = n_copies, env_args["seed"]
        self.n_agents, self.n_actions = info["n_agents"], info["n_actions"]
        self.obs_size, self.state_size = info["obs_shape"], info["state_shape"]
        self.episode_limit = info["episode_limit"]
        self._over, self._is_test = np.ones(n_copies, dtype=bool), False
        self._shared = self._allocate()
        self._arrays = _as_arrays(self._shared)
        make = partial(_make_player, env_fn, is_shared, self._shared)
        self.team = Team(make, env_args, n_copies, limits, log)

    def _allocate(self) -> Shared:
        """Memory that the workers inherit: field -> (raw memory, type, shape)."""
        agents = (self.n_copies, self.n_agents)
        fields = {
            "obs": (np.float32, agents + (self.obs_size,)),
            "state": (np.float32, (self.n_copies, self.state_size)),
            "avail": (np.uint8, agents + (self.n_actions,)),
            "actions": (np.int64, agents),
            "reward": (np.float32, (self.n_copies,)),
            "terminated": (np.bool_, (self.n_copies,)),
        }
        context = worker_context()
        return {
            name: (context.RawArray("b", _n_bytes(dtype, shape)), dtype, shape)
            for name, (dtype, shape) in fields.items()
        }

    @property
    def training(self) -> SharedBatch:
        return self

    def begin(self, test_mode: bool) -> SharedBatch:
        """This batch, whose next reset is of the environments for tests, or not."""
        self._is_test = test_mode
        return self

    def end(self) -> None:
        """Whose turn it is, each worker keeps to itself."""
        self._is_test = False

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        chosen = np.arange(self.n_copies)[slice(None) if copies is None else copies]
        self._over[chosen] = False
        self.team.ask(chosen, "reset", [(self._is_test,) for _ in chosen])

    def step(self, actions: np.ndarray) -> Outcomes:
        running = np.flatnonzero(~self._over)
        self._arrays["actions"][:] = actions
        self._arrays["reward"][self._over] = 0
        infos = self.team.ask(running, "step")
        self._over |= self._arrays["terminated"]
        # None: this copy says nothing of it, which is not the same as 0.
        info = {key: np.full(self.n_copies, None) for key in set().union(*infos)}
        for copy, own_info in zip(running, infos):
            for key, value in own_info.items():
                info[key][copy] = value
        limits = info.get("episode_limit", np.zeros(self.n_copies))
        info["episode_limit"] = limits.astype(bool)
        return self._arrays["reward"].copy(), self._over.copy(), info

    def get_obs(self) -> np.ndarray:
        return self._arrays["obs"]

    def get_state(self) -> np.ndarray:
        return self._arrays["state"]

    def get_avail_actions(self) -> np.ndarray:
        return self._arrays["avail"]

    def state_dict(self) -> Optional[Dict[str, Any]]:
        states = self.team.insist("state_dict")
        return None if None in states else {"copies": states}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self.team.insist("load_state_dict", [(own,) for own in state["copies"]])

    def close(self) -> None:
        self.team.close()


def _n_bytes(dtype: Any, shape: Tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(dtype).itemsize


def _as_arrays(shared: Shared) -> Dict[str, np.ndarray]:
    return {
        name: np.frombuffer(raw, dtype=dtype).reshape(shape)
        for name, (raw, dtype, shape) in shared.items()
    }


class _Player:
    """What a worker serves: environments whose results go to its share of memory."""

    def __init__(self, pair: Pair, shared: Shared, copy: int) -> None:
        self.pair, self.env, self.close = pair, pair.training, pair.close
        self.state_dict, self.load_state_dict = pair.state_dict, pair.load_state_dict
        self.own = {name: array[copy] for name, array in _as_arrays(shared).items()}
        self.reward, self.terminated = (
            _as_arrays(shared)[name][copy : copy + 1]
            for name in ("reward", "terminated")
        )

    def reset(self, test_mode: bool = False) -> None:
        self.env = self.pair.begin(test_mode)
        self.env.reset()
        self.terminated[:] = False
        self._observe()

    def step(self) -> Dict[Any, float]:
        reward, terminated, info = self.env.step(self.own["actions"].copy())
        self.reward[:], self.terminated[:] = reward, terminated
        self._observe()
        return numbers_in(info)

    def _observe(self) -> None:
        self.own["obs"][:] = self.env.get_obs()
        self.own["state"][:] = self.env.get_state()
        self.own["avail"][:] = self.env.get_avail_actions()


def _make_player(
    env_fn: Callable[..., Any],
    is_shared: bool,
    shared: Shared,
    env_args: Dict[str, Any],
    copy: int,
) -> _Player:
    random_state.seed_globals(env_args["seed"])  # a fork's are all alike
    return _Player(Pair(env_fn, env_args, is_shared), shared, copy)
