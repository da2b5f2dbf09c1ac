"""What the projector variant can represent: exact tables, each checked from scratch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from wqmix.analysis.demos import projector
from wqmix.theory.games import games, payoff_table
from wqmix.theory.projection import project

PAPER = np.array([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])


def is_monotonic(q):
    """Every agent has an order of its actions along which q never falls."""
    return all(
        any(
            (np.diff(np.take(q, order, axis), axis=axis) >= 0).all()
            for order in itertools.permutations(range(n))
        )
        for axis, n in enumerate(q.shape)
    )


def loss(fit):
    return np.abs(fit.q_mono + fit.omega * fit.q_proj - PAPER).max()


@pytest.mark.parametrize("game", sorted(games()))
def test_a_state_only_term_changes_no_argmax(game):
    payoff = payoff_table(game)
    plays = {u for choice in project(payoff).choices() for u in choice}
    for gap, played in projector.state_only(payoff).values():
        assert gap < 1e-9 and played == plays


def test_a_state_action_term_fits_both_ways():
    right, wrong = projector.joint(PAPER)
    for fit in (right, wrong):
        assert is_monotonic(fit.q_mono) and loss(fit) == 0
        assert np.abs(fit.q_proj).max() <= 10
    assert right.played() == {(0, 0)}
    assert wrong.played() == set(itertools.product((1, 2), repeat=2))


def test_the_advantage_form_fits_upside_down():
    fit = projector.advantage()
    assert is_monotonic(fit.q_mono) and loss(fit) < 1e-12
    size = np.abs(fit.q_mono - fit.q_mono.mean())
    assert np.allclose(fit.omega, size / size.mean())
    assert np.ptp(fit.q_proj) == 0 and np.abs(fit.q_proj).max() <= 10
    assert np.argmax(fit.q_tot) == 0  # (0, 0): Q_tot is right
    assert fit.played() == set(itertools.product((1, 2), repeat=2))  # the agents not


def test_the_advantage_form_has_no_exact_fit_the_right_way_up():
    """With V the mean, (0, 0) on top and the four 0s below it, no ω Q_proj fits.

    q = V + a, V (at the four −12s), V − b with a = 4 b: 20 = (1 + k) a and
    12 = (k − 1) b need 5 (k − 1) = 12 (1 + k), so k = −17/7 and b = 12 / (k − 1) < 0.
    """
    k = -17 / 7
    assert 5 * (k - 1) == pytest.approx(12 * (1 + k)) and 12 / (k - 1) < 0


def test_all_or_nothing_keeps_any_joint_action():
    fits = projector.greedy_only(PAPER)
    assert len(fits) == 9
    for actions, fit in zip(itertools.product(range(3), repeat=2), fits):
        assert is_monotonic(fit.q_mono) and fit.played() == {actions}
        assert fit.q_tot[actions] == PAPER[actions]


def test_the_command_prints_all_four(capsys):
    assert projector.main() == 0
    out = capsys.readouterr().out
    assert out.count("largest error") == 3 and "'paper' that can stay: (0, 0)" in out
