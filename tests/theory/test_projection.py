"""The projections against brute force, optimality conditions and hand computations."""

import itertools

import numpy as np
import pytest
import torch

from wqmix.theory import isotonic
from wqmix.theory.errors import TheoryError
from wqmix.theory.projection import (
    central_weights,
    project,
    project_central,
    project_optimistic,
    weighted_projection,
)
from wqmix.theory.tables import (
    check_table,
    decentralised_actions,
    greedy_actions,
    is_monotonic,
)

from .oracle import brute_force, same_tables, violation

SHAPES = [(3, 3), (4, 4), (2, 2, 2)]
ALPHA = 0.3


def sizes(quick, full):
    """Each shape with a few tables, with more, and with many."""
    more, many = [pytest.mark.slow], [pytest.mark.exhaustive]
    counts = ((quick, []), (full // 5, more), (full, many))
    return [
        pytest.param(shape, count, marks=marks)
        for shape in SHAPES
        for count, marks in counts
    ]


def normal_tables(shape, count, seed=0):
    return np.random.default_rng(seed).normal(size=(count,) + shape)


def weights_at(name, payoff, table):
    """Eqs. 6 and 7 written out again."""
    if name == "uniform":
        return np.ones(payoff.shape)
    if name == "central":
        return np.where(payoff == payoff.max(), 1.0, ALPHA)
    return np.where(table < payoff, 1.0, ALPHA)


# ------------------------------------------------------------------ exactness


@pytest.mark.parametrize("name", ["uniform", "central", "optimistic"])
@pytest.mark.parametrize("shape, count", sizes(20, 1000))
def test_optimality_conditions_hold_to_1e_9(shape, count, name):
    for payoff in normal_tables(shape, count):
        found = weighted_projection(payoff, name, ALPHA)
        for table in found.tables:
            weights = weights_at(name, payoff, table)
            assert violation(payoff, table, weights) < 1e-9
            assert found.loss == pytest.approx((weights * (table - payoff) ** 2).sum())


def monotonic_rivals(rng, table, count):
    """Half from anywhere, half close by: in the table's own cone, which is convex."""
    shape, axes = table.shape, range(1, table.ndim + 1)
    ranks = [
        np.argsort(table.mean(axis=tuple(b for b in range(table.ndim) if b != a)))
        for a in range(table.ndim)
    ]
    rivals = rng.normal(size=(count,) + shape)
    for axis in axes:
        rivals = np.maximum.accumulate(rivals, axis=axis)
    placed = np.empty_like(rivals)
    for number, rival in enumerate(rivals):
        near = number % 2
        order = ranks if near else [rng.permutation(n) for n in shape]
        placed[number][np.ix_(*order)] = rival
        if near:
            step = rng.uniform(0, 0.2)
            placed[number] = (1 - step) * table + step * placed[number]
    return placed


@pytest.mark.parametrize("name", ["uniform", "central", "optimistic"])
@pytest.mark.parametrize("shape, count", sizes(5, 1000))
def test_no_random_monotonic_table_is_nearer(shape, count, name):
    rng = np.random.default_rng(1)
    for payoff in normal_tables(shape, count if name == "uniform" else count // 5):
        found = weighted_projection(payoff, name, ALPHA)
        rivals = monotonic_rivals(rng, found.table, 200 if count > 5 else 50)
        losses = weights_at(name, payoff, rivals) * (rivals - payoff) ** 2
        assert losses.reshape(len(rivals), -1).sum(1).min() >= found.loss - 1e-12


def gradient_descent(tables, name, steps):
    """Fit a small monotonic mixing network per table, all at once; the least losses."""
    torch.manual_seed(0)
    targets = torch.tensor(tables)
    count, shape = len(tables), tables.shape[1:]
    agents, hidden = len(shape), 8
    cells = list(itertools.product(*(range(n) for n in shape)))
    utilities = [torch.randn(count, n, dtype=torch.double) for n in shape]
    inner = torch.rand(count, agents, hidden, dtype=torch.double)
    bias = torch.randn(count, 1, hidden, dtype=torch.double)
    outer = torch.rand(count, hidden, 1, dtype=torch.double)
    offset = torch.zeros(count, 1, dtype=torch.double)
    parameters = utilities + [inner, bias, outer, offset]
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.Adam(parameters, lr=0.05)
    best = np.full(count, np.inf)
    flat = targets.reshape(count, -1)
    for _ in range(steps):
        chosen = [u[:, [c[a] for c in cells]] for a, u in enumerate(utilities)]
        layer = torch.tanh(torch.stack(chosen, -1) @ inner.abs() + bias)
        fit = (layer @ outer.abs()).squeeze(-1) + offset
        weights = torch.tensor(
            np.stack(
                [
                    weights_at(name, t, f.reshape(shape))
                    for t, f in zip(tables, fit.detach().numpy())
                ]
            )
        ).reshape(count, -1)
        losses = (weights * (fit - flat) ** 2).sum(1)
        best = np.minimum(best, losses.detach().numpy())
        optimiser.zero_grad()
        losses.sum().backward()
        optimiser.step()
    return best


@pytest.mark.parametrize("name", ["uniform", "central", "optimistic"])
@pytest.mark.parametrize("shape, count", sizes(20, 1000))
def test_gradient_descent_never_gets_nearer_but_gets_near(shape, count, name):
    tables = normal_tables(shape, count if name == "uniform" else count // 5)
    found = [weighted_projection(payoff, name, ALPHA).loss for payoff in tables]
    fitted = gradient_descent(tables, name, steps=150)
    assert (fitted >= np.array(found) - 1e-9).all()
    assert np.median(fitted - np.array(found)) < 0.2 * np.prod(shape)  # variance 1


def brute_force_tables(shape, count, kind):
    if kind == "normal":
        return normal_tables(shape, count, seed=2)
    draw = np.random.default_rng(3)  # few integers: many ties, many minimisers
    return draw.integers(-1, 2, (count,) + shape).astype(float)


def agrees(tables, name, losses, minimisers):
    for payoff, loss, expected in zip(tables, losses, minimisers):
        found = weighted_projection(payoff, name, ALPHA)
        assert found.loss == pytest.approx(loss, rel=1e-9, abs=1e-12)
        assert same_tables(found.tables, expected)


@pytest.mark.parametrize("kind", ["normal", "few integers"])
@pytest.mark.parametrize("name", ["uniform", "central"])
@pytest.mark.parametrize(
    "shape, count",
    [
        ((3, 3), 10),
        ((2, 2, 2), 20),
        ((2, 3), 20),
        pytest.param((3, 3), 200, marks=pytest.mark.slow),
        pytest.param((2, 2, 2), 200, marks=pytest.mark.slow),
        pytest.param((3, 3), 1000, marks=pytest.mark.exhaustive),
        pytest.param((2, 2, 2), 1000, marks=pytest.mark.exhaustive),
        pytest.param((4, 4), 10, marks=pytest.mark.slow),
    ],
)
def test_equals_brute_force_with_all_minimisers(shape, count, name, kind):
    tables = brute_force_tables(shape, count, kind)
    weights = np.ones_like(tables)
    if name == "central":
        weights = np.stack([central_weights(table, ALPHA) for table in tables])
    agrees(tables, name, *brute_force(tables, weights))


@pytest.mark.parametrize("kind", ["normal", "few integers"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2), (2, 3)])
def test_optimistic_equals_brute_force_with_all_minimisers(shape, kind):
    tables = brute_force_tables(shape, 10, kind)
    agrees(tables, "optimistic", *brute_force(tables, alpha=ALPHA))


@pytest.mark.parametrize("alpha", [1e-3, 1e-9])
def test_tiny_weights_stay_exact(alpha):
    tables = normal_tables((3, 3), 20, seed=6)
    weights = np.stack([central_weights(table, alpha) for table in tables])
    for payoff, loss in zip(tables, brute_force(tables, weights)[0]):
        found = project_central(payoff, alpha).loss
        assert found / alpha == pytest.approx(loss / alpha)


def test_the_fallback_solver_agrees_with_scipy(monkeypatch):
    def gives_up(*args, **kwargs):
        raise RuntimeError("no convergence")

    tables = np.random.default_rng(4).integers(-2, 3, size=(20, 4, 4)).astype(float)
    weights = np.random.default_rng(5).choice([1.0, 0.1], size=tables.shape)
    normally = [project(q, w) for q, w in zip(tables, weights)]
    monkeypatch.setattr(isotonic, "nnls", gives_up)
    for payoff, mass, expected in zip(tables, weights, normally):
        found = project(payoff, mass)
        assert found.loss == pytest.approx(expected.loss, rel=1e-10)
        assert same_tables(found.tables, expected.tables)


@pytest.mark.parametrize("size, minimisers, loss", [(3, 6, 10 / 7), (4, 24, 9 / 4)])
def test_identity_tables_have_as_many_minimisers_as_orders(size, minimisers, loss):
    # scipy's nnls alone stops short of the optimum on the 4 x 4 one
    found = project(np.eye(size))
    assert len(found.tables) == minimisers
    assert found.loss == pytest.approx(loss)


# ------------------------------------------------------------- known values


def test_the_papers_game_keeps_its_argmax_under_uniform_weights():
    found = project([[8, -12, -12], [-12, 0, 0], [-12, 0, 0]])
    # eight cells pooled at -6: four of -12 and four of 0, each 6 away: 8 * 36 = 288;
    # the table usually shown (-8 in row and column 0) costs 16^2 + 4 * 4^2 = 320
    assert found.loss == 288.0
    expected = np.full((3, 3), -6.0)
    expected[0, 0] = 8.0
    np.testing.assert_array_equal(found.tables, [expected])
    assert found.choices() == [[(0, 0)]]
    assert found.played()


def test_a_harsher_penalty_loses_the_argmax():
    found = project([[8, -14, -14], [-14, 0, 0], [-14, 0, 0]])
    # five cells pooled at (8 - 4 * 14) / 5 = -9.6: 17.6^2 + 4 * 4.4^2
    assert found.loss == pytest.approx(387.2)
    assert found.greedy() == [[(1, 1), (1, 2), (2, 1), (2, 2)]]
    assert not found.attained()


@pytest.mark.parametrize("alpha, played", [(1.0, False), (0.5, False), (0.1, True)])
def test_central_weighting_needs_a_small_alpha(alpha, played):
    payoff = [[8, -12, -12], [-12, 6, 6], [-12, 6, 6]]
    assert project_central(payoff, alpha).played() is played


def test_table_1_has_four_minimisers():
    found = project([[1, 0], [0, 1]])
    assert found.loss == pytest.approx(2 / 3)
    third, two = 1 / 3, 2 / 3
    np.testing.assert_allclose(
        found.tables,
        [
            [[1, third], [third, third]],
            [[two, two], [0, two]],
            [[two, 0], [two, two]],
            [[third, third], [third, 1]],
        ],
        atol=1e-12,
    )
    assert found.greedy()[1] == [(0, 0), (0, 1), (1, 1)]
    assert found.choices()[1] == [(0, 1)]  # worth 0: neither of the two optima


def test_optimistic_weights_by_hand():
    # order 0 < 1 for both agents pools the two middle cells with nothing; the crossing
    # cells 3 > 0 pool at their expectile m: (3 - m) = 0.5 m, m = 2, loss 1 + 0.5 * 4
    found = project_optimistic([[0, 3], [0, 0]], 0.5)
    assert found.loss == 0.0  # already monotonic
    found = project_optimistic([[3, 0], [0, 3]], 0.5)
    # the pool of 3, 3 and 0 sits at m: 2 (3 - m) = 0.5 m, m = 2.4: 2 * 0.36 + 2.88
    assert found.loss == pytest.approx(3.6)
    np.testing.assert_allclose(found.table, [[2.4, 2.4], [0, 2.4]])


def test_a_tie_hides_the_optimum_from_agents_that_decide_alone():
    for alpha in (0.5, 1e-2, 1e-4):
        for name in ("central", "optimistic"):
            found = weighted_projection([[-10, 1], [0.9, 0.9]], name, alpha)
            assert found.attained()
            assert found.choices() == [[(1, 1)]]
            assert not found.played()


# ------------------------------------------------------------- invariances


def test_the_projection_commutes_with_renaming_shifting_and_scaling():
    payoff = normal_tables((3, 4), 1)[0]
    base = project(payoff)
    rows, columns = [2, 0, 1], [3, 1, 0, 2]
    moved = project(payoff[np.ix_(rows, columns)])
    np.testing.assert_allclose(moved.table, base.table[np.ix_(rows, columns)])
    np.testing.assert_allclose(project(payoff.T).table, base.table.T)
    np.testing.assert_allclose(project(1e6 + payoff).table, 1e6 + base.table)
    np.testing.assert_allclose(project(1e-6 * payoff).table, 1e-6 * base.table)
    assert project(payoff, 0.25).loss == pytest.approx(base.loss / 4)


@pytest.mark.parametrize("name", ["uniform", "central", "optimistic"])
def test_a_monotonic_table_is_its_own_projection(name):
    payoff = np.add.outer([3.0, 1.0, 2.0], [0.5, -0.5]) ** 3
    found = weighted_projection(payoff, name, ALPHA)
    np.testing.assert_allclose(found.tables, [payoff])
    assert found.loss == pytest.approx(0, abs=1e-20)
    assert is_monotonic(payoff)
    assert not is_monotonic(np.eye(2))


def test_constant_tables():
    found = project(np.full((2, 3), 7.0))
    np.testing.assert_array_equal(found.tables, [np.full((2, 3), 7.0)])
    assert len(found.choices()[0]) == 6


def test_greedy_and_decentralised_actions_of_a_saturated_table():
    table = np.array([[0.0, 1.0], [0.5, 1.0]])
    assert greedy_actions(table) == [(0, 1), (1, 1)]
    assert decentralised_actions(table) == [(1, 1)]


# ------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "payoff, words",
    [
        ([[1, 2], [3]], "a row is longer"),
        ([[1, "a"], [2, 3]], "no number"),
        ([1, 2], "two agents"),
        (5, "two agents"),
        ([[1, 2]], "agent 0 needs at least two actions"),
        ([[1], [2]], "agent 1 needs at least two actions"),
        ([[1, float("nan")], [2, 3]], r"joint action \(0, 1\) is nan"),
        ([[1, None], [2, 3]], r"joint action \(0, 1\) is nan"),
        ([[1, 2], [float("inf"), 3]], r"joint action \(1, 0\) is inf"),
        (np.zeros((9, 9, 9)), "729 joint actions, .* train the networks"),
        (np.zeros((10, 10)), "13,168,189,440,000 action orders, .* train the"),
        (np.zeros((2000, 2000)), "4,000,000 joint actions"),
        (np.eye(2) * 1j, "no number"),
        (np.eye(2) * 1e200, "overflow"),
    ],
)
def test_bad_tables_are_one_line(payoff, words):
    with pytest.raises(TheoryError, match=words) as caught:
        check_table(payoff)
    assert "\n" not in str(caught.value)


def test_bad_weights_alphas_and_names():
    with pytest.raises(TheoryError, match="weights must be finite and positive"):
        project(np.eye(2), [[1, 0], [1, 1]])
    for alpha in (0, 1.5, float("nan")):
        with pytest.raises(TheoryError, match="alpha must be in"):
            project_optimistic(np.eye(2), alpha)
    with pytest.raises(TheoryError, match="did you mean 'central'"):
        weighted_projection(np.eye(2), "centrl", 0.1)
