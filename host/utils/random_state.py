"""Random numbers: generators of one purpose's own, and the state of the global ones."""

from __future__ import annotations

import random
from typing import Any, Dict, Optional, Tuple

import numpy as np
import torch as th

States = Tuple[Any, Any, th.Tensor]  # of Python's, numpy's and PyTorch's generators


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A generator that nothing but `purpose` draws from."""
    return np.random.default_rng([seed, *purpose.encode()])


def seed_for(seed: Any, purpose: str) -> int:
    """A seed for `purpose` that follows from `seed`, below 2^32."""
    key = list(f"{purpose} {seed}".encode())  # an environment's may be of any type
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def seed_globals(seed: int) -> None:
    """Seed Python's, numpy's and PyTorch's global generators."""
    random.seed(seed)
    np.random.seed(seed)
    th.manual_seed(seed)


class Own:
    """Global generators of one part's own: in a `with` block they are in its state.

    What the block draws, or seeds, nobody else notices (on the CPU).

    Args:
        seed: for the first block.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._state: Optional[States] = None
        self._theirs: Optional[States] = None

    def enter(self) -> None:
        """Begin a block."""
        self._theirs = _of_the_cpu()
        if self._state is None:
            seed_globals(self._seed)
        else:
            _restore(*self._state)

    def leave(self) -> None:
        """End it."""
        assert self._theirs is not None  # since `enter`
        self._state = _of_the_cpu()
        _restore(*self._theirs)

    def __enter__(self) -> None:
        self.enter()

    def __exit__(self, *exception: Any) -> None:
        self.leave()

    def state_dict(self) -> Optional[Dict[str, Any]]:
        """Where they are, in plain types; None before the first block."""
        return None if self._state is None else _plain(*self._state)

    def load_state_dict(self, state: Optional[Dict[str, Any]]) -> None:
        """Take what `state_dict` returned."""
        self._state = None if state is None else _from_plain(state)


def state_dict() -> Dict[str, Any]:
    """All global generators of this process, in plain types."""
    cuda = th.cuda.get_rng_state_all() if th.cuda.is_available() else []
    return {**_plain(*_of_the_cpu()), "cuda": cuda}


def load_state_dict(state: Dict[str, Any]) -> None:
    """Take what `state_dict` returned."""
    _restore(*_from_plain(state))
    if state["cuda"] and len(state["cuda"]) == th.cuda.device_count():
        th.cuda.set_rng_state_all(state["cuda"])


def _of_the_cpu() -> States:
    return random.getstate(), np.random.get_state(), th.get_rng_state()


def _restore(python: Any, numpy: Any, torch: th.Tensor) -> None:
    random.setstate(python)
    np.random.set_state(numpy)
    th.set_rng_state(torch)


def _plain(python: Any, numpy: Any, torch: th.Tensor) -> Dict[str, Any]:
    version, words, gauss = python
    name, keys, position, has_gauss, cached = numpy
    return {
        "python": [version, th.tensor(words), gauss],
        "numpy": [name, th.from_numpy(keys.astype(np.int64)), position],
        "numpy_gauss": [has_gauss, cached],
        "torch": torch,
    }


def _from_plain(state: Dict[str, Any]) -> States:
    version, words, gauss = state["python"]
    name, keys, position = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    python = version, tuple(words.tolist()), gauss
    return python, (name, keys, position, *state["numpy_gauss"]), state["torch"]
