"""Local optima of the projection problem."""

import numpy as np
import pytest

from wqmix.theory.errors import TheoryError
from wqmix.theory.games import payoff_table
from wqmix.theory.local import local_optima
from wqmix.theory.projection import project, weighted_projection


def test_the_papers_game_has_the_usual_table_as_a_local_optimum():
    found = local_optima(payoff_table("paper"), "uniform", 1.0)
    losses = [round(one.loss, 6) for one in found]
    assert losses[0] == 288 and 320 in losses
    usual = np.array([[-8.0, -8, -8], [-8, 0, 0], [-8, 0, 0]])  # 16^2 + 4 * 4^2 = 320
    np.testing.assert_allclose(found[losses.index(320)].table, usual)


def test_a_two_by_two_game_by_hand():
    found = local_optima([[-10, 1], [0.9, 0.9]], "uniform", 1.0)
    # either row 1 lies above (1 and 0.9 pool), or row 0 does (-10 and 0.9 pool)
    assert [one.loss for one in found] == pytest.approx([0.005, 59.405])
    np.testing.assert_allclose(found[1].table, [[-4.55, 1], [-4.55, 0.9]])
    assert [one.choices() for one in found] == [[[(1, 1)]], [[(0, 1)]]]


@pytest.mark.parametrize("weighting", ["uniform", "central", "optimistic"])
def test_no_monotonic_table_close_by_is_better_and_the_first_is_global(weighting):
    rng = np.random.default_rng(0)
    for payoff in rng.normal(size=(4, 3, 3)):
        found = local_optima(payoff, weighting, 0.3)
        least = weighted_projection(payoff, weighting, 0.3).loss
        assert found[0].loss == pytest.approx(least)
        for optimum in found:
            for _ in range(5):
                noise = 1e-4 * rng.normal(size=payoff.shape)
                near = project(optimum.table + noise).table
                rest = np.where(payoff == payoff.max(), 1.0, 0.3)
                weights = {
                    "uniform": 1.0,
                    "central": rest,
                    "optimistic": np.where(near < payoff, 1.0, 0.3),
                }[weighting]
                assert (weights * (near - payoff) ** 2).sum() >= optimum.loss - 1e-12


def test_too_many_orders():
    with pytest.raises(TheoryError, match="14,400 action orders"):
        local_optima(np.eye(5), "uniform", 1.0)
