"""Random numbers: generators of one purpose's own, and the state of the global ones."""

import random

import numpy as np
import torch as th


def generator(seed, purpose):
    """A generator that nothing but `purpose` draws from."""
    return np.random.default_rng([seed, *purpose.encode()])


def seed_for(seed, purpose):
    """A seed for `purpose` that follows from `seed`, below 2^32."""
    key = list(f"{purpose} {seed}".encode())  # an environment's may be of any type
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def seed_globals(seed):
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

    def __init__(self, seed):
        self._seed, self._state, self._theirs = seed, None, None

    def enter(self):
        """Begin a block."""
        self._theirs = _of_the_cpu()
        if self._state is None:
            seed_globals(self._seed)
        else:
            _restore(*self._state)

    def leave(self):
        """End it."""
        self._state = _of_the_cpu()
        _restore(*self._theirs)

    def __enter__(self):
        self.enter()

    def __exit__(self, *exception):
        self.leave()

    def state_dict(self):
        """Where they are, in plain types; None before the first block."""
        return None if self._state is None else _plain(*self._state)

    def load_state_dict(self, state):
        """Take what `state_dict` returned."""
        self._state = None if state is None else _from_plain(state)


def state_dict():
    """All global generators of this process, in plain types."""
    cuda = th.cuda.get_rng_state_all() if th.cuda.is_available() else []
    return {**_plain(*_of_the_cpu()), "cuda": cuda}


def load_state_dict(state):
    """Take what `state_dict` returned."""
    _restore(*_from_plain(state))
    if state["cuda"] and len(state["cuda"]) == th.cuda.device_count():
        th.cuda.set_rng_state_all(state["cuda"])


def _of_the_cpu():
    return random.getstate(), np.random.get_state(), th.get_rng_state()


def _restore(python, numpy, torch):
    random.setstate(python)
    np.random.set_state(numpy)
    th.set_rng_state(torch)


def _plain(python, numpy, torch):
    version, words, gauss = python
    name, keys, position, has_gauss, cached = numpy
    return {
        "python": [version, th.tensor(words), gauss],
        "numpy": [name, th.from_numpy(keys.astype(np.int64)), position],
        "numpy_gauss": [has_gauss, cached],
        "torch": torch,
    }


def _from_plain(state):
    version, words, gauss = state["python"]
    name, keys, position = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    python = version, tuple(words.tolist()), gauss
    return python, (name, keys, position, *state["numpy_gauss"]), state["torch"]
