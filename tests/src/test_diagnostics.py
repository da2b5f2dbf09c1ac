"""Diagnostics against loops over episodes, slots and joint actions in numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from wqmix import central, diagnostics
from wqmix.learners.base import Transitions

from . import reference
from .doubles import make_batch, make_learner

NAMES = (
    "diag_weight_one",
    "diag_greedy_joint",
    "diag_argmax_agrees",
    "diag_greedy_gap",
    "diag_overestimation",
    "diag_underestimation",
)


def by_loops(learner, batch):
    """The means of `NAMES` over the real transitions, weighting `ow`."""
    agent, mixer = (
        reference.arrays(learner.mac.agent),
        reference.arrays(learner.mixer),
    )
    net = reference.arrays(learner.central_agent)
    star = reference.arrays(learner.central_mixer)
    plain = reference.update(learner, batch, "ow", gamma=0.9, alpha=0.25)
    rows = []
    for b, t in plain["y"]:
        ep = {key: value[b].numpy() for key, value in batch.data.items()}
        inputs = reference.agent_inputs(ep)
        slots, n, u = ep["avail_actions"].shape
        q = reference.recurrent(agent, inputs)[t]
        q_c = reference.recurrent(net, inputs).reshape(slots, n, u, -1)[t]
        allowed = [np.flatnonzero(ep["avail_actions"][t, i]) for i in range(n)]
        greedy = tuple(max(a, key=lambda k: q[i, k]) for i, a in enumerate(allowed))
        s = ep["state"][t]

        def value(joint, q_c=q_c, s=s):
            rows = np.array([q_c[i, k] for i, k in enumerate(joint)])
            return reference.central_ff(star, rows, s)

        best = max(itertools.product(*allowed), key=value)
        q_greedy = np.array([q[i, k] for i, k in enumerate(greedy)])
        excess = plain["q_tot"][b, t] - plain["q_star"][b, t]
        rows.append(
            [
                plain["w"][b, t] == 1.0,
                tuple(ep["actions"][t, :, 0]) == greedy,
                best == greedy,
                value(greedy) - reference.monotonic(mixer, q_greedy, s),
                max(excess, 0.0),
                max(-excess, 0.0),
            ]
        )
    return np.mean(np.array(rows, dtype=float), axis=0)


@pytest.mark.parametrize("seed", range(3))
def test_means_by_loops(seed):
    learner, batch = make_learner(seed, weighting="ow", diagnostics=True), make_batch(3)
    expected = by_loops(learner, batch)
    learner.train(batch, 0, 0)
    found = [learner.logger.stats[name][0][1] for name in NAMES]
    assert found == pytest.approx(expected, abs=1e-9)
    assert all(type(value) is float for value in found)


def test_nothing_runs_without_them_nor_between_log_steps(monkeypatch):
    calls = []
    monkeypatch.setattr(diagnostics, "diagnose", lambda *_: calls.append(1) or {})
    off = make_learner()
    off.train(make_batch(), 0, 0)
    assert calls == [] and not set(NAMES) & set(off.logger.stats)
    on = make_learner(diagnostics=True, learner_log_interval=100)
    for t_env in (0, 50, 99, 100):
        on.train(make_batch(), t_env, 0)
    assert calls == [1, 1]


def test_training_is_the_same_with_them():
    """Nothing of theirs draws from the generators of training."""
    learners = [
        make_learner(diagnostics=value, diagnostics_joint_actions=5)
        for value in (False, True)
    ]
    for learner in learners:
        torch.manual_seed(5)
        for episode in range(2):
            learner.train(make_batch(episode), episode, episode)
        learner.after = torch.rand(3)
    assert torch.equal(learners[0].after, learners[1].after)
    assert all(map(torch.equal, learners[0].params, learners[1].params))


def test_without_q_star_the_weights_are_left():
    learner = make_learner(central_loss=0.0, weighting="ow", diagnostics=True)
    learner.train(make_batch(), 0, 0)
    logged = set(NAMES) & set(learner.logger.stats)
    assert logged == {"diag_weight_one", "diag_greedy_joint"}


def test_drawn_joint_actions_bound_the_exact_maximum():
    """Never above it; equal to it where all 64 are surely among 4,000 drawn."""
    learner, data = make_learner(), Transitions.of(make_batch())
    g = torch.Generator().manual_seed(0)
    q = torch.randn(4, 6, 3, 4, 1, generator=g, dtype=torch.float64)
    state, avail = data.state[:, :-1], data.avail_actions[:, :-1].clone()
    avail[..., 0] = 1
    values = torch.stack(
        [
            torch.where(
                avail[:, :, torch.arange(3), joint].all(-1, keepdim=True) != 0,
                learner.central_mixer(q[:, :, torch.arange(3), joint], state),
                torch.tensor(-torch.inf, dtype=q.dtype),
            )
            for joint in map(list, itertools.product(range(4), repeat=3))
        ]
    )
    exact = values.amax(0)
    few, many = (
        diagnostics.best_drawn(learner.central_mixer, q, state, avail, count)
        for count in (2, 4000)
    )
    assert (few <= exact + 1e-12).all() and (few < exact - 1e-3).any()
    assert torch.allclose(many, exact)


def test_draws_do_not_depend_on_the_chunks(monkeypatch):
    learner, data = make_learner(), Transitions.of(make_batch())
    q = torch.randn(4, 6, 3, 4, 1, dtype=torch.float64)
    args = (learner.central_mixer, q, data.state[:, :-1], data.avail_actions[:, :-1], 7)
    whole = diagnostics.best_drawn(*args)
    monkeypatch.setattr(central, "ROWS_AT_ONCE", 1)
    assert torch.allclose(whole, diagnostics.best_drawn(*args), rtol=0, atol=1e-12)


def test_only_available_actions_are_drawn():
    avail = torch.tensor([[1, 0, 1], [0, 1, 0], [0, 0, 0]]).reshape(1, 1, 3, 3)
    joint = central.draw_joint(avail, 300, torch.Generator().manual_seed(0))
    assert joint.shape == (300, 1, 1, 3, 1)
    seen = [set(joint[:, 0, 0, agent, 0].tolist()) for agent in range(3)]
    assert seen == [{0, 2}, {1}, {0, 1, 2}]
