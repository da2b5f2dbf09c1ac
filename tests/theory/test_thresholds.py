"""Theorems 1 and 2, and how small alpha must be."""

import numpy as np
import pytest

from wqmix.theory.errors import TheoryError
from wqmix.theory.games import payoff_table
from wqmix.theory.projection import weighted_projection
from wqmix.theory.search import failures
from wqmix.theory.thresholds import (
    guaranteed_alpha,
    holds,
    largest_alpha,
    random_tables,
    share_played,
    threshold_distribution,
)

WEIGHTINGS = ["central", "optimistic"]


def optimum_attains(payoff, weighting, alpha):
    """Theorem 1 or 2 for one table, from the projection's tables alone."""
    best = np.unravel_index(np.argmax(payoff), payoff.shape)
    tables = weighted_projection(payoff, weighting, alpha).tables
    return all(table[best] >= table.max() - 1e-9 for table in tables)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize(
    "count",
    [
        20,
        pytest.param(200, marks=pytest.mark.slow),
        pytest.param(1000, marks=pytest.mark.exhaustive),
    ],
)
def test_theorems_hold_up_to_the_bisected_alpha(weighting, count):
    tables = random_tables((3, 3), count, seed=7)
    thresholds = threshold_distribution(tables, weighting)
    assert not np.isnan(thresholds).any()
    for payoff, alpha in zip(tables, thresholds):
        guaranteed = guaranteed_alpha(payoff)
        assert guaranteed <= alpha * 1.05  # thresholds are bisected to 5 %
        for below in (alpha, guaranteed, guaranteed / 100):
            assert optimum_attains(payoff, weighting, below)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("shape", [(2, 4), (2, 2, 2)])
def test_theorems_hold_at_the_guaranteed_alpha(weighting, shape):
    for payoff in random_tables(shape, 30, seed=8):
        assert optimum_attains(payoff, weighting, guaranteed_alpha(payoff))


def test_guaranteed_alpha_by_hand():
    # gaps 0, 2, 4, 5: 2^2 / (4 + 16 + 25)
    assert guaranteed_alpha([[6, 4], [2, 1]]) == pytest.approx(4 / 45)
    assert guaranteed_alpha([[6, 6], [6, 6]]) == 1.0
    assert guaranteed_alpha([[6, 4], [6, 6]]) == 1.0


def test_largest_alpha_by_hand():
    # 'strong': the optimum apart costs 8 alpha 7^2, sunk into the -14s
    # 4 alpha / (1 + 4 alpha) 22^2: equal at 1 + 4 alpha = 1936 / 392
    strong = payoff_table("strong")
    alpha = largest_alpha(strong, "central")
    assert alpha == pytest.approx((1936 / 392 - 1) / 4, rel=2e-3)
    assert holds(strong, "central", alpha, "attained")
    # 'mild': the optimum apart costs 648 alpha; tied with the six cells of its row and
    # the sixes 432 alpha + 384 alpha / (1 + 6 alpha): equal at 1 + 6 alpha = 384 / 216
    mild = payoff_table("mild")
    alpha = largest_alpha(mild, "central", "played")
    assert alpha == pytest.approx((384 / 216 - 1) / 6, rel=2e-3)
    assert not holds(mild, "central", alpha * 1.01, "played")


def test_no_alpha_at_all():
    assert largest_alpha(payoff_table("strong"), "uniform") is None
    assert largest_alpha(payoff_table("lure"), "central", "played") is None
    assert largest_alpha(payoff_table("lure"), "central", "attained") == 1.0


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_one_alpha_for_every_table_does_not_exist(weighting):
    # the row of 0.99 and 1 - gap must lie above the others; the optimum, 1, pooled with
    # the 0.9 beside it, falls below 1 - gap once 0.1 alpha / (1 + alpha) > gap
    for gap in (0.01, 0.001):
        payoff = np.array([[-10, 1], [0.9, 0.9], [0.99, 1 - gap]])
        expected = gap / (0.1 - gap)
        assert largest_alpha(payoff, weighting) == pytest.approx(expected, rel=2e-3)


def test_share_played_counts_tables():
    tables = np.array([payoff_table("lure"), [[1.0, 0.0], [0.0, 0.0]]])
    np.testing.assert_array_equal(share_played(tables, "central", (0.1, 0.01)), 0.5)


def test_search_finds_games_that_fail_as_said():
    found = failures("optimistic", 0.1, "played", (3, 3), tries=40, seed=0)
    assert found
    assert [f.regret for f in found] == sorted((f.regret for f in found), reverse=True)
    for failure in found:
        payoff = failure.projection.payoff
        assert not holds(payoff, "optimistic", 0.1, "played")
        worst = min(payoff[u] for us in failure.projection.choices() for u in us)
        assert failure.regret == payoff.max() - worst


def test_bad_requests():
    with pytest.raises(TheoryError, match="did you mean 'played'"):
        holds(np.eye(2), "central", 0.1, "play")
    with pytest.raises(TheoryError, match="must be positive"):
        random_tables((3, 3), 0, seed=0)
    with pytest.raises(TheoryError, match="must be positive"):
        failures("central", 0.1, "played", (3, 3), tries=0, seed=0)
    with pytest.raises(TheoryError, match="two agents"):
        random_tables((3,), 1, seed=0)
