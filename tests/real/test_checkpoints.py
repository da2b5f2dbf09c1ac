"""Checkpoints between ours and the hosts' own QMIX, both ways, in the real hosts.

Needs checkouts: set WQMIX_HOSTS to the folder that holds them.
"""

from __future__ import annotations

import pytest
import torch

from benchmarks.in_host import build
from benchmarks.published import Shape

from .checkouts import FOLDER

pytestmark = pytest.mark.filterwarnings("ignore")
SHAPE = Shape(n_agents=3, n_actions=4, obs_shape=7, state_shape=9, slots=6, episodes=4)


@pytest.fixture(params=["pymarl", "pymarl2", "pymarl3", "epymarl"])
def learners(request):
    """(the host's QMIX, ours, batches)."""
    if not (FOLDER / request.param).is_dir():
        pytest.skip(f"set WQMIX_HOSTS to a folder with a checkout of {request.param}")
    return build(FOLDER / request.param, SHAPE, {"use_rnn": True})


def parameters(learner):
    return [*learner.mac.parameters(), *learner.mixer.parameters()]


def test_ours_goes_on_in_the_hosts_own_qmix(learners, tmp_path):
    theirs, ours, batches = learners
    for step, batch in enumerate(batches):
        ours.train(batch, step, step)
    pairs = list(zip(parameters(theirs), parameters(ours)))
    assert not all(torch.equal(p, q) for p, q in pairs)
    ours.save_models(str(tmp_path / "0"))
    theirs.load_models(str(tmp_path / "0"))
    assert all(torch.equal(p, q) for p, q in pairs)
    state = theirs.optimiser.state_dict()["state"]
    mine = ours.optimiser.state_dict()["state"]
    assert state and all(
        torch.equal(value, mine[i][key])
        for i, own in state.items()
        for key, value in own.items()
        if key != "step"
    )
    theirs.train(batches[0], 10, 10)


def test_the_hosts_qmix_warm_starts_ours(learners, tmp_path, caplog):
    theirs, ours, batches = learners
    for step, batch in enumerate(batches):
        theirs.train(batch, step, step)
    q_star = [p.clone() for p in ours.central_agent.parameters()]
    theirs.save_models(str(tmp_path))
    ours.load_models(str(tmp_path))
    assert all(torch.equal(p, q) for p, q in zip(parameters(theirs), parameters(ours)))
    assert all(
        torch.equal(p, q) for p, q in zip(q_star, ours.central_agent.parameters())
    )
    assert "Q̂* is new" in caplog.text
    ours.train(batches[0], 10, 10)
