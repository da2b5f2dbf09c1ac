"""The operators on MDPs small enough to work out by hand."""

import numpy as np
import pytest

from wqmix.theory import demos
from wqmix.theory.errors import TheoryError
from wqmix.theory.games import payoff_table
from wqmix.theory.operators import (
    MDP,
    bellman,
    iterate,
    one_step,
    optimal_q,
    qmix_fixed_point,
    qmix_operator,
    weighted_bellman,
    weighted_fixed_point,
    weighted_projections,
    wqmix_operator,
)
from wqmix.theory.projection import project
from wqmix.theory.tables import greedy_actions
from wqmix.theory.thresholds import guaranteed_alpha

LOOP = np.zeros((2, 2, 2, 2))
LOOP[0, 0, 0] = [0.5, 0.5]  # both act 0: a coin decides between staying and state 1
LOOP[1, 1, 1] = [1.0, 0.0]  # state 1, both act 1: back to state 0
REWARDS = np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 2.0], [0.0, 4.0]]])


def test_bellman_by_hand():
    mdp = MDP(REWARDS, LOOP, 0.5)
    q = np.array([[[3.0, 1.0], [0.0, 2.0]], [[0.0, 5.0], [1.0, 1.0]]])
    # state 0: 1 + 0.5 (0.5 * 3 + 0.5 * 5) = 3; state 1: 4 + 0.5 * 3 = 5.5
    expected = [[[3.0, 0.0], [0.0, 0.0]], [[0.0, 2.0], [0.0, 5.5]]]
    np.testing.assert_allclose(bellman(mdp, q), expected)


def test_eq_8_takes_the_argmax_from_q_tot_and_the_value_from_q():
    mdp = MDP(REWARDS, LOOP, 0.5)
    q = np.array([[[3.0, 1.0], [0.0, 2.0]], [[0.0, 5.0], [1.0, 1.0]]])
    q_tot = np.array([[[0.0, 9.0], [0.0, 0.0]], [[0.0, 0.0], [7.0, 0.0]]])
    # values 1 (at 0, 1) and 1 (at 1, 0): state 0: 1 + 0.5 * 1; state 1: 4 + 0.5 * 1
    expected = [[[1.5, 0.0], [0.0, 0.0]], [[0.0, 2.0], [0.0, 4.5]]]
    np.testing.assert_allclose(weighted_bellman(mdp, q, q_tot), expected)


def test_eq_8_ties():
    mdp = MDP(REWARDS, LOOP, 0.5)
    q = np.array([[[3.0, 1.0], [0.0, 2.0]], [[0.0, 5.0], [1.0, 1.0]]])
    q_tot = np.array([[[1.0, 1.0], [0.0, 1.0]]] * 2)  # the agents end at (0, 1)
    best = weighted_bellman(mdp, q, q_tot, ties="best")  # values 3 and 5
    played = weighted_bellman(mdp, q, q_tot, ties="played")  # values 1 and 5
    assert best[0, 0, 0] == 1 + 0.5 * 4
    assert played[0, 0, 0] == 1 + 0.5 * 3
    with pytest.raises(TheoryError, match="did you mean 'best'"):
        weighted_bellman(mdp, q, q_tot, ties="bst")


def test_q_star_by_hand():
    best = optimal_q(MDP(REWARDS, LOOP, 0.5))
    # V0 = 1 + (V0 + V1) / 4 and V1 = 4 + V0 / 2: V0 = 16/5, V1 = 28/5
    assert best.converged
    assert best.q[0].max() == pytest.approx(16 / 5)
    assert best.q[1].max() == pytest.approx(28 / 5)


def test_qmix_operator_projects_the_backup():
    mdp = MDP(REWARDS, LOOP, 0.5)
    backup = bellman(mdp, REWARDS)
    expected = [project(table).table for table in backup]
    np.testing.assert_array_equal(qmix_operator(mdp, REWARDS), expected)


def test_wqmix_operator_is_eq_8_then_the_projection():
    mdp = demos.detour(payoff_table("strong"), safe=5.0, gamma=0.9)
    q = bellman(mdp, np.zeros((2, 3, 3)))
    for weighting, entering in (("uniform", 0.0), ("central", 7.2)):
        backed_up, q_tot = wqmix_operator(mdp, q, weighting, 0.1)
        assert backed_up[0, 0, 0] == pytest.approx(entering)
        expected = weighted_projections(backed_up, weighting, 0.1)
        np.testing.assert_array_equal(q_tot, expected)


def test_one_step_fixed_point_is_the_projection():
    payoff = payoff_table("strong")
    fixed = qmix_fixed_point(one_step(payoff), np.zeros((1, 3, 3)))
    assert fixed.converged and fixed.iterations == 2
    np.testing.assert_array_equal(fixed.q[0], project(payoff).table)


def test_iterate_says_when_it_has_not_converged():
    fixed = iterate(lambda q: -q, np.ones(1), limit=5)
    assert (fixed.converged, fixed.iterations, fixed.change) == (False, 5, 2.0)


@pytest.mark.parametrize("epsilon", [0.1, 0.001])
def test_property_1_no_contraction(epsilon):
    # entry (0, 0) jumps between gamma (1 + epsilon) and gamma / 3
    expected = 0.9 * (2 / 3 + epsilon) / epsilon
    assert expected > 1
    assert demos.contraction_ratio(epsilon) == pytest.approx(expected)


def test_property_2_wrong_argmax():
    found = demos.property_2()
    assert found["optimal"] == [(0, 0)]
    assert found["greedy"] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_property_3_underestimates_and_avoids():
    found = demos.property_3()
    assert found["Q* of entering the game"] == pytest.approx(0.9 * 8)
    assert found["QMIX of entering the game"] == pytest.approx(0.0, abs=1e-12)
    assert found["Q* enters"] and not found["QMIX enters"]


def test_property_3_a_wrong_argmax_means_the_optimum_is_underestimated():
    wrong = 0
    for payoff in np.random.default_rng(0).normal(size=(60, 3, 3)):
        found = project(payoff)
        if not found.attained():
            wrong += 1
            best = greedy_actions(payoff)[0]
            assert all(table[best] < payoff[best] for table in found.tables)
    assert wrong > 0


@pytest.mark.parametrize("weighting", ["central", "optimistic"])
def test_corollary_1(weighting):
    mdp = demos.detour(payoff_table("strong"), safe=5.0, gamma=0.95)
    best = optimal_q(mdp).q
    alpha = min(guaranteed_alpha(table) for table in best)
    for seed in range(3):  # from anywhere: the fixed point is unique
        start = np.random.default_rng(seed).normal(size=best.shape)
        fixed = weighted_fixed_point(mdp, start, weighting, alpha)
        assert fixed.converged
        np.testing.assert_allclose(fixed.q, best, atol=1e-9)


def test_corollary_1_needs_ties_broken_for_the_optimum():
    payoff = payoff_table("lure")
    mdp = demos.detour(payoff, safe=0.92, gamma=0.95)
    start = np.zeros((2, 2, 2))
    right = weighted_fixed_point(mdp, start, "central", 1e-4, ties="best")
    wrong = weighted_fixed_point(mdp, start, "central", 1e-4, ties="played")
    assert right.q[0, 0, 0] == pytest.approx(0.95 * 1.0)  # better than the safe 0.92
    assert wrong.q[0, 0, 0] == pytest.approx(0.95 * 0.9)  # worse


@pytest.mark.parametrize("name", sorted(demos.DEMOS))
def test_every_demo_runs_and_finds_something(name):
    assert demos.DEMOS[name]()


def test_malformed_mdps():
    with pytest.raises(TheoryError, match="need"):
        MDP(REWARDS, LOOP[:1], 0.5)
    with pytest.raises(TheoryError, match="gamma"):
        MDP(REWARDS, LOOP, 1.0)
    with pytest.raises(TheoryError, match="sum to <= 1"):
        MDP(REWARDS, LOOP * 2, 0.5)
    with pytest.raises(TheoryError, match="nan"):
        MDP(REWARDS * np.nan, LOOP, 0.5)
