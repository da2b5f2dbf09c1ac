"""Ours against the published learners: same weights, same batches, ten steps.

oxwhirl/wqmix is the paper's own; PyMARL2's copy of it differs in three things, each of
which is a key of ours (`PYMARL2`): Adam (`optimizer`), TD(lambda) (`td_lambda`), and a
factor of 0.5 before the loss of Q̂* (`central_loss`).

Needs checkouts: set WQMIX_HOSTS to the folder that holds them.
"""

from __future__ import annotations

import dataclasses

import pytest
import torch

from benchmarks.published import OXWHIRL, PYMARL2, Dialect, Shape, build_pair

from .checkouts import CHECKOUTS, FOLDER

pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")  # theirs
SHAPE = Shape(
    n_agents=4,
    n_actions=5,
    obs_shape=9,
    state_shape=11,
    slots=9,
    episodes=6,
    padded=True,
)
COMPARED = ("loss", "qmix_loss", "central_loss", "grad_norm", "td_error_abs")


def pair(name: str, dialect: Dialect, **changes: object) -> tuple:
    """Return both learners and ten batches, or skip."""
    if CHECKOUTS[name].lacks() is not None:
        pytest.skip(str(CHECKOUTS[name].lacks()))
    return build_pair(
        FOLDER / name,
        SHAPE,
        n_batches=10,
        dialect=dialect,
        central_mixing_embed_dim=32,
        rnn_hidden_dim=24,
        central_rnn_hidden_dim=24,
        w=0.3,
        grad_norm_clip=3,
        **changes,
    )


def gap(published: object, ours: object, batches: list) -> float:
    """Train both on the batches; return the largest difference of anything.

    Relative where a logged number is larger than 1; parameters absolute.
    """
    largest = 0.0
    assert len(published.params) == len(ours.params)
    for step, batch in enumerate(batches):
        for learner in (published, ours):
            learner.train(batch, step, 50 * step)  # targets are copied at steps 4 and 8
        for key in COMPARED:
            theirs = float(published.logger.stats[key][-1][1])
            mine = ours.logger.stats[key][-1][1]
            if key == "central_loss":  # theirs is logged with its factor
                mine *= ours.settings.central_loss
            largest = max(largest, abs(theirs - mine) / max(1.0, abs(theirs)))
        for p, q in zip(published.params, ours.params):
            largest = max(largest, (p - q).abs().max().item())
    return largest


@pytest.mark.parametrize("central_mixer", ["ff", "atten"])
@pytest.mark.parametrize("is_ow", [False, True], ids=["cw", "ow"])
def test_the_papers_agrees(is_ow: bool, central_mixer: str) -> None:
    changes = dict(hysteretic_qmix=is_ow, central_mixer=central_mixer)
    assert gap(*pair("wqmix", OXWHIRL, **changes)) < 1e-5


@pytest.mark.parametrize("is_ow", [False, True], ids=["cw", "ow"])
def test_pymarl2s_agrees(is_ow: bool) -> None:
    assert gap(*pair("pymarl2", PYMARL2, hysteretic_qmix=is_ow)) < 1e-5


@pytest.mark.parametrize(
    "difference", [{"optimizer": "rmsprop"}, {"td_lambda": 0.5}, {"central_factor": 1}]
)
def test_each_difference_is_one(difference: dict) -> None:
    published, ours, batches = pair("pymarl2", PYMARL2)
    _, other, _ = pair("pymarl2", dataclasses.replace(PYMARL2, **difference))
    for mine, net in zip(ours.params, other.params):
        assert torch.equal(mine, net)  # they start alike
    assert gap(published, other, batches) > 1e-4
