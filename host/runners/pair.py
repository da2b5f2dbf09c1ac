"""An environment to train in and one for tests, which do not disturb each other."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ..envs.multiagentenv import state_of
from ..utils import random_state

KEYS = {"training", "tests", "random", "random_of_tests"}


class Pair:
    """Two environments with random numbers of their own, the global ones included.

    So that training goes on after a test as it would have without. That for tests is
    made when it is first asked for, with a seed that follows from the given one.

    Args:
        make: `make(**env_args)` makes an environment.
        env_args: for training; with a seed.
        is_shared: tests play in training's environment.
    """

    def __init__(
        self, make: Callable[..., Any], env_args: Dict[str, Any], is_shared: bool
    ) -> None:
        self._make, self._env_args, self._is_shared = make, env_args, is_shared
        self._test_seed = random_state.seed_for(env_args["seed"], "tests")
        self._generators, self._is_test = random_state.Own(self._test_seed), False
        self._tests = self._state_of_tests = None  # the state: for when it is made
        self.training = make(**env_args)

    def begin(self, test_mode: bool) -> Any:
        """The environment whose turn it is, with its global generators, till `end`."""
        self.end()
        if test_mode:
            self._generators.enter()
        self._is_test = test_mode
        return self._test_env() if test_mode else self.training

    def end(self) -> None:
        """Training's are the global generators again."""
        if self._is_test:
            self._generators.leave()
        self._is_test = False

    def _test_env(self) -> Any:
        if self._is_shared:
            return self.training
        if self._tests is None:
            self._tests = self._make(**{**self._env_args, "seed": self._test_seed})
            if self._state_of_tests is not None:
                self._tests.load_state_dict(self._state_of_tests)
        return self._tests

    def state_dict(self) -> Optional[Dict[str, Any]]:
        """What the next episodes of both depend on; None where training's cannot say.

        Asked between episodes.
        """
        self.end()
        state = state_of(self.training)
        if state is None:
            return None
        tests = self._state_of_tests if self._tests is None else state_of(self._tests)
        return {
            "training": state,
            "tests": tests,
            "random": random_state.state_dict(),
            "random_of_tests": self._generators.state_dict(),
        }

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned, or (older checkpoints) training's alone."""
        self.end()
        if set(state) != KEYS:
            self.training.load_state_dict(state)
            return
        self.training.load_state_dict(state["training"])
        self._state_of_tests = state["tests"]
        if self._tests is not None and state["tests"] is not None:
            self._tests.load_state_dict(state["tests"])
        random_state.load_state_dict(state["random"])
        self._generators.load_state_dict(state["random_of_tests"])

    def close(self) -> None:
        """Close both."""
        self.training.close()
        if self._tests is not None:
            self._tests.close()
