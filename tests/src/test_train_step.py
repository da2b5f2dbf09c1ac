"""One whole `train` step in float64 against the plain-numpy `reference.py`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from wqmix import weightings

from . import reference
from .doubles import make_batch, make_learner

pytestmark = pytest.mark.usefixtures("most")
TOLERANCE = 1e-8
CASES = [
    pytest.param(dict(weighting=name), id=name)
    for name in ("cw", "ow", "ideal", "uniform", "greedy", "soft_cw")
] + [
    pytest.param(dict(weighting="soft_ow", weighting_temperature=0.3), id="soft_ow"),
    pytest.param(dict(central_mixer="atten"), id="atten"),
    pytest.param(dict(central_action_embed=3), id="embed3"),
    pytest.param(dict(central_mixer="atten", central_action_embed=3), id="atten3"),
    pytest.param(dict(td_lambda=0.6), id="lambda"),
    pytest.param(dict(td_lambda=1.0, weighting="ow"), id="lambda1"),
    pytest.param(dict(double_q=False), id="single_q"),
    pytest.param(
        dict(central_agent="central_ff", central_action_embed=2), id="feed_forward"
    ),
    pytest.param(dict(unroll="step"), id="step"),
    pytest.param(dict(unroll="step", double_q=False), id="step_single_q"),
    pytest.param(dict(qmix_loss=0.5, central_loss=2.0), id="coefficients"),
]


@pytest.fixture
def recorded(monkeypatch):
    """Every call of a weighting, as (inputs, weights)."""
    calls = []
    for name, function in list(weightings.WEIGHTINGS.items()):

        def record(x, function=function):
            calls.append((x, function(x)))
            return calls[-1][1]

        monkeypatch.setitem(weightings.WEIGHTINGS, name, record)
    return calls


def tie_best_actions(learner):
    """Make actions 1 and 2 of every agent exactly equal, in all utility networks."""
    macs = [learner.mac, learner.target_networks.mac]
    nets = [mac.agent for mac in macs if mac is not None]
    nets += [learner.central_agent, learner.target_central_agent]
    with torch.no_grad():
        for last in [list(net.children())[-1] for net in nets]:
            e = last.out_features // 4
            last.weight[2 * e : 3 * e] = last.weight[e : 2 * e]
            last.bias[2 * e : 3 * e] = last.bias[e : 2 * e]


@pytest.mark.parametrize("changes", CASES)
def test_losses_targets_and_weights(recorded, changes):
    for seed, ties in itertools.product(range(3), (False, True)):
        recorded.clear()
        learner = make_learner(seed, grad_norm_clip=1e9, **changes)
        if ties:
            tie_best_actions(learner)
        batch = make_batch(seed)
        expected = reference.update(
            learner,
            batch,
            changes.get("weighting", "cw"),
            gamma=0.9,
            alpha=0.25,
            td_lambda=changes.get("td_lambda"),
            double_q=changes.get("double_q", True),
            temperature=changes.get("weighting_temperature", 1.0),
        )
        assert len(expected["y"]) == 6 + 4 + 3 + 5
        learner.train(batch, t_env=10, episode_num=1)

        (x, weights), stats = recorded[0], learner.logger.stats
        for (b, t), y in expected["y"].items():
            assert abs(x.target[b, t].item() - y) < TOLERANCE
            assert abs(x.q_tot[b, t].item() - expected["q_tot"][b, t]) < TOLERANCE
            assert abs(weights[b, t].item() - expected["w"][b, t]) < TOLERANCE
        total = learner.settings.qmix_loss * expected["qmix_loss"]
        total += learner.settings.central_loss * expected["central_loss"]
        means = {
            name: float(np.mean(list(expected[name].values())))
            for name in ("y", "w", "q_tot", "q_star")
        }
        for key, value in {
            "qmix_loss": expected["qmix_loss"],
            "central_loss": expected["central_loss"],
            "loss": total,
            "w_to_use": means["w"],
            "target_mean": means["y"] / 3,
            "q_taken_mean": means["q_tot"] / 3,
            "q_star_mean": means["q_star"],
        }.items():
            ((t_env, logged),) = stats[key]
            assert t_env == 10 and type(logged) is float
            assert abs(logged - value) < TOLERANCE, key


def test_weights_of_the_batch_take_both_values(recorded):
    """The comparison above would be empty if w were the same everywhere."""
    for name in ("cw", "ow", "ideal"):
        make_learner(weighting=name).train(make_batch(), 0, 0)
        real = make_batch()["filled"][:, 1:] == 1
        assert set(recorded[-1][1][real].tolist()) == {0.25, 1.0}


@pytest.mark.parametrize(
    "changes",
    [
        dict(),
        dict(central_mixer="atten", central_action_embed=2),
        dict(central_agent="central_ff"),
    ],
)
def test_gradients_against_finite_differences(changes):
    coefficients = dict(qmix_loss=0.7, central_loss=1.3)
    learner = make_learner(grad_norm_clip=1e9, lr=1e-12, **coefficients, **changes)
    batch = make_batch()
    fixed = reference.update(learner, batch, "cw", gamma=0.9, alpha=0.25)
    learner.train(batch, 0, 0)
    rng = np.random.default_rng(0)
    checked = 0
    for p in learner.params:
        flat, grad = p.detach().view(-1), p.grad.view(-1)
        for i in rng.choice(len(flat), size=min(2, len(flat)), replace=False):
            step, at = 1e-5, flat[i].item()
            ends = []
            for value in (at + step, at - step):
                flat[i] = value
                ends.append(reference.losses_at(learner, batch, fixed, **coefficients))
            flat[i] = at
            slope = (ends[0] - ends[1]) / (2 * step)
            assert abs(slope - grad[i].item()) < TOLERANCE * max(1.0, abs(slope))
            checked += 1
    assert checked > 50


def test_clipping_and_rmsprop_by_hand():
    """g ← g · min(1, clip/‖g‖); first step: p ← p − lr · g / (√(0.01 g²) + eps)."""
    plain, clipped = make_learner(grad_norm_clip=1e9), make_learner(grad_norm_clip=0.5)
    before = [p.detach().clone() for p in clipped.params]
    plain.train(make_batch(), 0, 0)
    clipped.train(make_batch(), 0, 0)
    norm = torch.cat([p.grad.view(-1) for p in plain.params]).norm().item()
    assert norm > 0.5
    assert abs(clipped.logger.stats["grad_norm"][0][1] - norm) < TOLERANCE
    for p0, p, q in zip(before, clipped.params, plain.params):
        g = q.grad * 0.5 / (norm + 1e-6)
        expected = p0 - 0.01 * g / ((0.01 * g**2).sqrt() + 1e-5)
        assert torch.allclose(p, expected, rtol=0, atol=TOLERANCE)


def test_adam_by_hand():
    """The first Adam step moves each parameter by lr · g / (|g| + 1e-8)."""
    learner = make_learner(optimizer="adam", grad_norm_clip=1e9)
    before = [p.detach().clone() for p in learner.params]
    learner.train(make_batch(), 0, 0)
    for p0, p in zip(before, learner.params):
        expected = p0 - 0.01 * p.grad / (p.grad.abs() + 1e-8)
        assert torch.allclose(p, expected, rtol=0, atol=TOLERANCE)


def test_prioritised_replay_weights_scale_both_losses():
    weights = np.array([0.5, 2.0, 0.0, 1.0], dtype=np.float32)
    learner, batch = make_learner(), make_batch()
    expected = reference.update(learner, batch, "cw", gamma=0.9, alpha=0.25)
    learner.train(batch, 0, 0, per_weight=weights)
    for key, error in (("qmix_loss", "q_tot"), ("central_loss", "q_star")):
        total = sum(
            float(weights[b])
            * (expected["w"][b, t] if key == "qmix_loss" else 1.0)
            * (expected[error][b, t] - y) ** 2
            for (b, t), y in expected["y"].items()
        )
        assert abs(learner.logger.stats[key][0][1] - total / 18) < TOLERANCE


def test_train_returns_what_the_host_asks_for():
    learner = make_learner(train_returns=lambda td_error, mask: (td_error, mask))
    batch = make_batch()
    expected = reference.update(learner, batch, "cw", gamma=0.9, alpha=0.25)
    td_error, mask = learner.train(batch, 0, 0)
    assert mask.sum() == 18 and not td_error.requires_grad
    for (b, t), y in expected["y"].items():
        difference = expected["q_tot"][b, t] - y
        assert mask[b, t] == 1 and abs(td_error[b, t].item() - difference) < TOLERANCE
