"""An environment of foreign code, held against the contract at each step of a run."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Tuple

import numpy as np

from ..errors import EnvError, raised
from ..utils.patience import SECONDS_TO_CLOSE, TookTooLong, at_most
from . import contract
from .multiagentenv import Outcome
from .outcomes import OUT_OF_TIME, is_out_of_time


def watched(make: Callable[..., Any], name: str, **env_args: Any) -> Watched:
    """`make(**env_args)`, watched."""
    return Watched(make(**env_args), name)


class Watched:
    """Has all that the environment has; what the runners ask for is looked at first.

    Raises:
        EnvError: in one line, what a method raised or returned, and what is expected.
    """

    def __init__(self, env: Any, name: str) -> None:
        self._env, self._name, self._t = env, name, 0
        info = self.get_env_info()
        self.n_agents = n_agents = info["n_agents"]
        self.episode_limit = info["episode_limit"]
        self._obs = (n_agents, info["obs_shape"]), "(n_agents, obs_shape)"
        self._state = (info["state_shape"],), "(state_shape,)"
        self._masks = (n_agents, info["n_actions"])
        self._last_masks: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def get_env_info(self) -> Dict[str, Any]:
        info = self._call("get_env_info")
        # numpy's integers, too, are no more than that from here on.
        return {**info, **{key: int(info[key]) for key in contract.SIZES}}

    def reset(self) -> Any:
        self._t = 0
        return self._call("reset")

    def step(self, actions: np.ndarray) -> Outcome:
        result = self._call("step", actions)
        self._refuse(contract.wrong_outcome(result))
        reward, terminated, info = result
        self._t += 1
        if self._t >= self.episode_limit and not terminated:
            self._refuse([contract.endless(self.episode_limit)])
        info = {**info, "episode_limit": is_out_of_time(info)}
        info.pop(OUT_OF_TIME, None)  # said already
        return float(reward), bool(terminated), info

    def close(self) -> None:
        try:
            with at_most(SECONDS_TO_CLOSE):
                self._call("close")
        except TookTooLong:
            told = f"close has not returned after {SECONDS_TO_CLOSE} seconds"
            raise EnvError(f"env {self._name!r}: {told}") from None

    def get_obs(self) -> np.ndarray:
        return self._numbers("get_obs", *self._obs)

    def get_state(self) -> np.ndarray:
        return self._numbers("get_state", *self._state)

    def get_avail_actions(self) -> np.ndarray:
        masks = contract.as_array(self._call("get_avail_actions"))
        content = masks is not None and (masks.shape, masks.dtype, masks.tobytes())
        if content != self._last_masks:  # most often they are those of the last step
            self._refuse(contract.wrong_masks(masks, self._masks))
            self._last_masks = content
        assert masks is not None  # else it is refused
        return masks

    def _numbers(self, method: str, shape: Tuple[int, ...], names: str) -> np.ndarray:
        array = contract.as_array(self._call(method))
        right = array is not None and array.shape == shape
        # The sum of squares is quickly known; where it is odd, all is looked at.
        if array is None or not right or not np.vdot(array, array) <= contract.LARGEST:
            self._refuse(contract.wrong_numbers(method, array, shape, names))
        assert array is not None  # else it is refused
        return array

    def _call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self._env, method)(*args)
        except EnvError as error:
            raise EnvError(f"env {self._name!r}: {method}: {error}") from None
        except (Exception, SystemExit) as error:
            told = f"{method} raised {raised(error)}"
            raise EnvError(f"env {self._name!r}: {told}") from error

    def _refuse(self, findings: Iterable[contract.Finding]) -> None:
        for finding in findings:
            where = contract.place(self._t)
            raise EnvError(f"env {self._name!r}: {finding.at(where)}")
