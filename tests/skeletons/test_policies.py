"""`wqmix.load_policy` of what our learner saved in other hosts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import wqmix

from ..host.test_policy import numpy_utilities
from .hosts import SKELETONS
from .test_skeletons import BY_STEPS, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SKELETONS)
def test_it_acts_as_the_host_s_network_does(name: str, tmp_path: Path) -> None:
    words = ["--config=cw_qmix", "--env-config=own_game", "with"]
    words += ["use_rnn=True"] if name in BY_STEPS else []
    ended = run(name, tmp_path, *words, f"save_to={tmp_path / 'saved'}")
    assert ended.code == 0, ended.output[-4000:]
    policy = wqmix.load_policy(tmp_path / "saved")
    agents, actions = policy.n_agents, policy.n_actions
    obs = np.random.default_rng(0).normal(size=(5, agents, policy.obs_size))
    last = np.zeros((agents, actions))
    seen, acted = [], []
    for each in obs:
        seen.append(np.concatenate([each, last, np.eye(agents)], axis=1))
        acted.append(policy.act(each))
        last = np.eye(actions)[acted[-1]]
    q = numpy_utilities(str(tmp_path / "saved"), np.stack(seen))
    assert np.array_equal(acted, q.argmax(axis=2))
