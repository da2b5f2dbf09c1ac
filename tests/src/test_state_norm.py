"""Normalised states, and values that do not fit the returns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wqmix.state_norm import StateNorm
from wqmix.storage.value_check import MANY_TIMES, UPDATES, ValueCheck

from .doubles import make_batch, make_learner


def test_moments_are_those_of_all_real_states():
    """Merged batch by batch, equal to numpy's over all at once."""
    g = torch.Generator().manual_seed(0)
    norm, rows = StateNorm(4), []
    for size in (3, 1, 5):
        state = 30 + 7 * torch.randn(size, 6, 4, generator=g, dtype=torch.float64)
        state[..., 3] = 2.0  # never changes
        mask = (torch.rand(size, 6, 1, generator=g) < 0.6).double()
        norm.update(state, mask)
        rows.append(state[mask.squeeze(2) > 0])
    rows = torch.cat(rows).numpy()
    mean, var, count = norm.moments
    assert mean.numpy() == pytest.approx(rows.mean(0))
    assert var.numpy() == pytest.approx(rows.var(0), abs=1e-9)
    assert count == len(rows)
    x = np.array([[30.0, 1000.0, -1000.0, 2.0]])
    expected = ((x - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-5)).clip(-10, 10)
    assert norm(torch.from_numpy(x)).numpy() == pytest.approx(expected)


def test_mixers_see_it_and_a_checkpoint_keeps_it(tmp_path):
    learner = make_learner(state_norm=True, alpha=1.0)
    for seed in range(2):
        learner.train(make_batch(seed), seed, seed)
    data = learner._seen(make_transitions(make_batch(3)))
    raw = make_transitions(make_batch(3)).state
    assert torch.equal(data.state, learner.state_norm(raw))
    learner.save_models(str(tmp_path / "step"))
    again = make_learner(seed=5, state_norm=True, alpha=1.0)
    again.load_models(str(tmp_path / "step"))
    for old, new in zip(learner.state_norm.moments, again.state_norm.moments):
        assert torch.equal(old, new)
    for each in (learner, again):
        each.train(make_batch(7), 9, 9)
    for p, q in zip(learner.params, again.params):
        assert torch.equal(p, q)


def make_transitions(batch):
    from wqmix.learners.base import Transitions

    return Transitions.of(batch)


def test_without_it_states_are_as_they_come():
    learner = make_learner()
    data = make_transitions(make_batch())
    assert learner._seen(data).state is data.state


def told(sizes, reward=1.0):
    """Lines of a check that sees one update for each size of Q_tot."""
    lines = []
    check = ValueCheck(lines.append)
    mask = torch.ones(2, 3, 1)
    for size in sizes:
        check.see(torch.full((2, 3, 1), reward / 3), mask)
        check.judge(size)
    return lines


def test_values_that_do_not_fit_are_told_once():
    too_large = MANY_TIMES + 1.0
    [line] = told([too_large] * (2 * UPDATES))
    assert "mixer_init_scale" in line and "\n" not in line
    assert f"mean |Q_tot| is {too_large:.3g}" in line and "seen is 1," in line


@pytest.mark.parametrize(
    "sizes, reward",
    [
        ([MANY_TIMES + 1.0] * UPDATES, 1.0),  # not for long enough
        ([MANY_TIMES - 1.0] * (2 * UPDATES), 1.0),  # not many times
        (([MANY_TIMES + 1.0] * (UPDATES - 1) + [1.0]) * 3, 1.0),  # not all the time
        ([9.0] * (2 * UPDATES), 0.0),  # no return was ever seen
    ],
)
def test_others_are_not(sizes, reward):
    assert told(sizes, reward) == []
