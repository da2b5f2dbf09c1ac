"""The state of Python's, numpy's and PyTorch's random numbers, in plain types."""

import random

import numpy as np
import torch as th


def state_dict():
    """All global generators of this process."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, th.tensor(words), gauss],
        "numpy": [name, th.from_numpy(keys.astype(np.int64)), position],
        "numpy_gauss": [has_gauss, cached],
        "torch": th.get_rng_state(),
        "cuda": th.cuda.get_rng_state_all() if th.cuda.is_available() else [],
    }


def load_state_dict(state):
    """Take what `state_dict` returned."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, keys, position = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    np.random.set_state((name, keys, position, *state["numpy_gauss"]))
    th.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == th.cuda.device_count():
        th.cuda.set_rng_state_all(state["cuda"])
