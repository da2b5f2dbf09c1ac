"""Which code seeds the generators that all of a process draws from."""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Tuple

import numpy as np


class Probe:
    """Puts the global generators into known states, and looks whether they moved there.

    Two probes with unlike seeds ask twins of the same code: a generator that is in the
    same state afterwards has been seeded by it. One that was only drawn from is not.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.after: Dict[str, Dict[str, Any]] = {}

    def call(self, what: str, function: Callable[..., Any], *args: Any) -> Any:
        """`function(*args)`, noted under the name `what`."""
        random.seed(self._seed)
        np.random.seed(self._seed)
        torch = sys.modules.get("torch")  # who has not imported it seeds none of it
        if torch is not None:
            torch.manual_seed(self._seed)
        result = function(*args)
        self.after[what] = _states()
        return result


def seeded(one: Probe, other: Probe) -> Iterator[Tuple[str, str]]:
    """What two probes say: pairs of a call's name and the generator that it seeds."""
    for what, states in one.after.items():
        for name, state in states.items():
            if state == other.after.get(what, {}).get(name):
                yield what, name


@contextmanager
def as_before() -> Iterator[None]:
    """After the block the global generators are in the state they were in before."""
    python, numpy_state = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    torch_state = None if torch is None else torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy_state)
        if torch is not None:
            torch.set_rng_state(torch_state)


def _states() -> Dict[str, Any]:
    numpy_state: Any = np.random.get_state()
    states: Dict[str, Any] = {"Python's": random.getstate()}
    states["numpy's"] = (numpy_state[1].tobytes(), numpy_state[2:])
    if "torch" in sys.modules:
        state = sys.modules["torch"].get_rng_state()
        states["PyTorch's"] = state.numpy().tobytes()
    return states
