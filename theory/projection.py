"""Exact projections of a joint-action table onto the monotonic functions.

A table is monotonic when every agent's actions can be ordered so that the value
never falls while any agent moves up its own order. Equivalently: for each agent the
slices of the table, one per action, are pairwise comparable elementwise. That set,
Q^mix of the paper, is a union of convex cones, one per choice of all orders, so
the projection is a minimum over orders of convex problems, and need not be unique.

Trying all orders works (14,400 for 5 x 5) but most are hopeless. Here instead: branch
and bound. A node holds a partial order per agent; its relaxation, isotonic regression
on the product of those partial orders, bounds every completion from below. The slices
of its solution are compared: if no two cross, the solution is monotonic and the node is
done; otherwise the worst crossing pair (a, b) gives two children, a <= b and b <= a.
Nodes leave a heap cheapest first, so the first finished one is a global minimum, and
all minima have been seen once the cheapest open node costs more.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import Iterator, Sequence, Tuple

import numpy as np
from scipy.optimize import nnls

from .errors import TheoryError, unknown

JointAction = Tuple[int, ...]
Orders = Tuple[np.ndarray, ...]  # per agent: [n, n] bool, True where a is below b

MAX_JOINT_ACTIONS = 128
MAX_ORDERS = 2_000_000_000  # 8 x 8 takes seconds, 10 x 10 half a minute
TIE = 1e-9  # relative to the table's range: closer than this is equal


@dataclass(frozen=True)
class Projection:
    """All nearest monotonic tables of ``payoff`` and how far away they are.

    ``tables`` holds every minimiser (Table 1 of the paper: there can be several), in
    a fixed order; ``loss`` is the weighted sum of squared errors they share.
    """

    payoff: np.ndarray
    tables: tuple[np.ndarray, ...]
    loss: float

    @property
    def table(self) -> np.ndarray:
        """The first minimiser: the one an operator that needs a single one takes."""
        return self.tables[0]

    def greedy(self) -> list[list[JointAction]]:
        """Per minimiser, every joint action that attains its maximum."""
        return [greedy_actions(table) for table in self.tables]

    def choices(self) -> list[list[JointAction]]:
        """Per minimiser, the joint actions that decentralised agents can end at."""
        return [decentralised_actions(table) for table in self.tables]

    def attained(self) -> bool:
        """Does an optimal joint action attain the maximum of every minimiser?

        The reading under which Theorems 1 and 2 hold. Others may attain it too.
        """
        optimal = set(greedy_actions(self.payoff))
        return all(optimal.intersection(actions) for actions in self.greedy())

    def played(self) -> bool:
        """Do the agents, each greedy on its own, always end at an optimal one?

        With a single optimum this is the same as no other joint action tying with it:
        at the top of its orders it would pool only with payoffs above its own.
        """
        optimal = set(greedy_actions(self.payoff))
        return all(optimal.issuperset(actions) for actions in self.choices())


def greedy_actions(table: np.ndarray) -> list[JointAction]:
    """All joint actions that attain the maximum (ties within 1e-9 of the range)."""
    table = np.asarray(table, dtype=float)
    edge = table.max() - TIE * max(np.ptp(table), np.finfo(float).tiny)
    return [tuple(int(i) for i in cell) for cell in np.argwhere(table >= edge)]


def is_monotonic(table: np.ndarray) -> bool:
    """True if every agent's slices form a chain (to 1e-9 of the table's range)."""
    table = np.asarray(table, dtype=float)
    for agent, rank in enumerate(_ranks(table)):
        rising = np.diff(np.take(table, rank, axis=agent), axis=agent)
        if rising.min() < -TIE * np.ptp(table):
            return False
    return True


def _ranks(table: np.ndarray) -> list[np.ndarray]:
    """Per agent its actions from the lowest slice to the highest, by their means."""
    axes = range(table.ndim)
    return [
        np.argsort(table.mean(axis=tuple(a for a in axes if a != agent)), kind="stable")
        for agent in axes
    ]


def decentralised_actions(table: np.ndarray) -> list[JointAction]:
    """What agents play that are each greedy in their own utility: the top slices.

    Monotonicity orders each agent's actions; the agent takes the highest. These joint
    actions always attain the maximum, but a joint action that attains it through a tie
    need not be among them: in ``[[0, 1], [0.5, 1]]`` the agents play (1, 1) only.
    """
    tops = []
    for agent in range(table.ndim):
        others = tuple(axis for axis in range(table.ndim) if axis != agent)
        height = table.mean(axis=others)
        edge = height.max() - TIE * max(np.ptp(table), np.finfo(float).tiny)
        tops.append(np.flatnonzero(height >= edge).tolist())
    return list(itertools.product(*tops))


def project(
    payoff: np.ndarray, weights: float | np.ndarray = 1.0
) -> Projection:
    """Project a table onto the monotonic functions in weighted least squares.

    Section 3 of the paper (``weights=1``: Pi_Qmix) and Section 4 (Pi_w):
    argmin over monotonic q of sum_u w(u) (Q(u) - q(u))^2.

    Args:
        payoff: Q, one axis per agent, ``[n_1, ..., n_k]``.
        weights: w > 0, a number or an array of the payoff's shape.

    Returns:
        Every minimiser, and the loss.

    Raises:
        TheoryError: the table or the weights cannot be projected.
    """
    payoff = check_table(payoff)
    weights = np.broadcast_to(np.asarray(weights, dtype=float), payoff.shape)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        raise TheoryError("weights must be finite and positive")
    return _minimise(payoff, weights, weights)


def central_weights(payoff: np.ndarray, alpha: float) -> np.ndarray:
    """Eq. 6, idealised central: 1 at u* = argmax Q, alpha at every other action.

    Where several joint actions attain the maximum, u* is the first of them: with
    weight 1 on all, Theorem 1 would be false (``[[1, 0], [0, 1]]``).
    """
    weights = np.full(np.shape(payoff), check_alpha(alpha))
    weights[greedy_actions(payoff)[0]] = 1.0
    return weights


def project_central(payoff: np.ndarray, alpha: float) -> Projection:
    """Pi_w with the idealised central weighting (Eq. 6)."""
    payoff = check_table(payoff)
    return project(payoff, central_weights(payoff, alpha))


def project_optimistic(payoff: np.ndarray, alpha: float) -> Projection:
    """Pi_w with the optimistic weighting (Eq. 7): 1 where Q_tot < Q, else alpha.

    The weights depend on the projection itself. Per choice of orders this is
    asymmetric least squares: strictly convex, so with one minimiser.
    """
    payoff = check_table(payoff)
    one = np.ones(payoff.shape)
    return _minimise(payoff, one, check_alpha(alpha) * one)


def project_uniform(payoff: np.ndarray, alpha: float = 1.0) -> Projection:
    """Pi_Qmix; ``alpha`` is accepted, and without effect, as for the other two."""
    check_alpha(alpha)
    return project(payoff)


WEIGHTINGS = {
    "uniform": project_uniform,
    "central": project_central,
    "optimistic": project_optimistic,
}


def weighted_projection(
    payoff: np.ndarray, weighting: str, alpha: float
) -> Projection:
    """Pi_w by the weighting's name: uniform, central (Eq. 6), optimistic (Eq. 7)."""
    if weighting not in WEIGHTINGS:
        raise unknown("weighting", weighting, WEIGHTINGS)
    return WEIGHTINGS[weighting](payoff, alpha)


def check_alpha(alpha: float) -> float:
    """Return alpha if it lies in (0, 1], the range of Eqs. 6 and 7."""
    if not 0 < alpha <= 1:
        raise TheoryError(f"alpha must be in (0, 1], not {alpha!r}")
    return float(alpha)


def check_table(payoff: np.ndarray) -> np.ndarray:
    """Return the payoff as a float array, or say in one line why it cannot be one."""
    try:
        table = np.array(payoff, dtype=complex if np.iscomplexobj(payoff) else float)
        table = table.astype(float, casting="same_kind")
    except (TypeError, ValueError):
        raise TheoryError(
            "the payoff is not a full table of numbers: a row is longer or shorter "
            "than another, or an entry is no number"
        ) from None
    check_shape(table.shape)
    if not np.isfinite(table).all():
        cell = tuple(int(i) for i in np.argwhere(~np.isfinite(table))[0])
        raise TheoryError(f"the payoff at joint action {cell} is {table[cell]}")
    return table


def _by(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)


def check_shape(shape: Sequence[int]) -> None:
    """Raise unless this is two agents or more, each with a choice, and small enough."""
    if len(shape) < 2:
        raise TheoryError(
            f"the payoff has {len(shape)} axes, one per agent; a joint-action table "
            "needs two agents or more (for one agent every table is monotonic)"
        )
    if min(shape) < 2:
        raise TheoryError(
            f"the payoff is {_by(shape)}: agent {int(np.argmin(shape))} "
            "needs at least two actions"
        )
    cells = math.prod(shape)
    orders = math.prod(math.factorial(n) for n in shape)
    if cells > MAX_JOINT_ACTIONS or orders > MAX_ORDERS:
        raise TheoryError(
            f"a {_by(shape)} payoff has {cells:,} joint actions and {orders:,} action "
            f"orders, too many for an exact projection (limits {MAX_JOINT_ACTIONS} and "
            f"{MAX_ORDERS:,}); fewer actions, or train the networks on it instead "
            "(--config=ow_qmix with the matrix game)"
        )


# --------------------------------------------------------------- branch and bound


def _minimise(payoff: np.ndarray, under: np.ndarray, over: np.ndarray) -> Projection:
    """All minima of sum w (q - Q)^2, w = ``under`` where q < Q, else ``over``."""
    shift, scale = payoff.mean(), max(np.ptp(payoff), np.finfo(float).tiny)
    problem = _Isotonic((payoff - shift) / scale, under, over)
    best, tables = math.inf, []
    for bound, table in _finished_nodes(problem):
        slack = TIE * max(float(np.mean(over)), bound)
        if bound > best + slack:
            break
        best = min(best, bound)
        if not any(np.abs(table - other).max() < 1e-7 for other in tables):
            tables.append(table)
    tables.sort(key=lambda t: tuple(np.round(-t.ravel(), 7)))
    exact = tuple(_pool_again(t, payoff, problem.weights(t)) for t in tables)
    loss = np.sum(problem.weights(tables[0]) * (exact[0] - payoff) ** 2)
    return Projection(payoff, exact, float(loss))


def _pool_again(
    table: np.ndarray, payoff: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The same level sets in the payoff's own units, free of rescaling errors."""
    _, level = np.unique(table, return_inverse=True)
    level = level.reshape(-1)
    pooled = np.bincount(level, (weights * payoff).ravel())
    pooled /= np.bincount(level, weights.ravel())
    return pooled[level].reshape(payoff.shape)


def _finished_nodes(problem: _Isotonic) -> Iterator[tuple[float, np.ndarray]]:
    """Monotonic tables that are optimal in their node, cheapest first."""
    shape = problem.payoff.shape
    orders: Orders = tuple(np.zeros((n, n), dtype=bool) for n in shape)
    serial = itertools.count()  # so that the heap never compares arrays
    heap = [(0.0, next(serial), orders, problem.payoff)]
    while heap:
        bound, _, orders, table = heapq.heappop(heap)
        crossing = problem.worst_crossing(table)
        if crossing is None:
            yield bound, problem.fit(_total_orders(table), table)
            continue
        agent, low, high = crossing
        for a, b in ((low, high), (high, low)):
            child = _with_relation(orders, agent, a, b)
            fitted = problem.fit(child, table)
            heapq.heappush(heap, (problem.loss(fitted), next(serial), child, fitted))


def _with_relation(orders: Orders, agent: int, low: int, high: int) -> Orders:
    """The orders with low <= high added for one agent, transitively closed."""
    below = orders[agent].copy()
    down, up = below[:, low].copy(), below[high].copy()
    down[low] = up[high] = True
    below |= np.outer(down, up)
    return orders[:agent] + (below,) + orders[agent + 1 :]


def _total_orders(table: np.ndarray) -> Orders:
    """Per agent the total order of a monotonic table's slices."""
    orders = []
    for lowest_first in _ranks(table):
        position = np.argsort(lowest_first)
        orders.append(position[:, None] < position[None, :])
    return tuple(orders)


class _Isotonic:
    """Isotonic regression of one payoff on a product of partial orders, exactly.

    Weights are ``under`` where the fit lies below the payoff and ``over`` elsewhere;
    equal for a plain weighted projection.
    """

    def __init__(self, payoff: np.ndarray, under: np.ndarray, over: np.ndarray):
        self.payoff = payoff
        self._q, self._under, self._over = payoff.ravel(), under.ravel(), over.ravel()
        self._symmetric = np.array_equal(under, over)
        cells = np.arange(payoff.size).reshape(payoff.shape)
        self._blocks = [
            np.moveaxis(cells, agent, 0).reshape(n, -1)
            for agent, n in enumerate(payoff.shape)
        ]

    def weights(self, fit: np.ndarray) -> np.ndarray:
        """The weights that a fit (flat or not) gives every joint action."""
        below = fit.ravel() < self._q
        return np.where(below, self._under, self._over).reshape(fit.shape)

    def loss(self, fit: np.ndarray) -> float:
        return float(np.sum(self.weights(fit.ravel()) * (fit.ravel() - self._q) ** 2))

    def fit(self, orders: Orders, start: np.ndarray) -> np.ndarray:
        """The minimiser under ``orders``; ``start`` only suggests the first weights.

        Newton's method on the piecewise quadratic loss: solve with the weights of the
        current fit, step there, repeat. When the weights of the solution are the ones
        that it was solved with, it satisfies the optimality conditions of the whole
        problem, so that is the only way out. The step is halved as long as the loss
        would not fall, which rules out cycles.
        """
        pairs = self._constraints(orders)
        weights = self.weights(start.ravel())
        fit = self._weighted_fit(pairs, weights)
        while not self._symmetric:
            fresh = self.weights(fit)
            differs = (fresh != weights) & (np.abs(fit - self._q) > 1e-12)
            if not differs.any():
                break
            weights = fresh
            target = self._weighted_fit(pairs, weights)
            fit = self._descend(fit, target)
        return fit.reshape(self.payoff.shape)

    def _descend(self, fit: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The farthest of target, halfway, a quarter, ... that lowers the loss."""
        loss, step = self.loss(fit), 1.0
        while step > 1e-6:
            candidate = fit + step * (target - fit)
            if self.loss(candidate) < loss:
                return candidate
            step /= 2
        return target

    def _weighted_fit(self, pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Dual of weighted isotonic regression: nonnegative least squares.

        Primal: min sum w (f - q)^2 with C' f >= 0. Stationarity gives f = q + C l / w
        with multipliers l >= 0, so l minimises |sqrt(w) q + (C / sqrt(w)) l|^2.
        scipy's answer is checked, not trusted: on tables with many ties (the 4 x 4
        identity) some releases stop short of the optimum without saying so.
        """
        lower, upper = pairs
        each = np.arange(lower.size)
        columns = np.zeros((self._q.size, lower.size))
        columns[lower, each], columns[upper, each] = -1.0, 1.0
        root = np.sqrt(weights)
        scaled = columns / root[:, None]
        norms = np.sqrt(1 / weights[lower] + 1 / weights[upper])
        try:
            scaled_multipliers, _ = nnls(scaled / norms, -root * self._q)
        except RuntimeError:  # no convergence
            return self._active_set(columns, pairs, weights)
        multipliers = scaled_multipliers / norms
        fit = self._pooled(pairs[:, multipliers > 0], weights)
        stationary = np.abs(fit - self._q - columns @ multipliers / weights).max()
        if stationary < 1e-10 and (fit[upper] - fit[lower]).min() > -1e-12:
            return fit
        return self._active_set(columns, pairs, weights)

    def _active_set(
        self, columns: np.ndarray, pairs: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """The same problem, slower and for any degeneracy (Lawson and Hanson).

        The active pairs always form a forest, because a pair inside a tied block is
        not violated; so every linear system here is nonsingular.
        """
        multipliers = np.zeros(columns.shape[1])
        active = np.zeros(columns.shape[1], dtype=bool)
        while True:
            fit = self._pooled(pairs[:, active], weights)
            slope = fit[pairs[1]] - fit[pairs[0]]
            worst = int(np.argmin(slope))
            if slope[worst] > -1e-12:
                return fit
            active[worst] = True
            multipliers = self._settle(columns, weights, multipliers, active)

    def _settle(
        self,
        columns: np.ndarray,
        weights: np.ndarray,
        multipliers: np.ndarray,
        active: np.ndarray,
    ) -> np.ndarray:
        """Solve for the active multipliers, dropping (in place) those that reach 0."""
        while True:
            chosen = columns[:, active]
            system = chosen.T @ (chosen / weights[:, None])
            goal = np.zeros_like(multipliers)
            goal[active] = np.linalg.solve(system, -chosen.T @ self._q)
            falling = active & (goal <= 0)
            if not falling.any():
                return goal
            drop = multipliers[falling] - goal[falling]
            step = (multipliers[falling] / np.maximum(drop, 1e-300)).min()
            multipliers = multipliers + step * (goal - multipliers)
            gone = falling & (multipliers <= 1e-14)
            multipliers[gone], active[gone] = 0.0, False

    def _pooled(self, pairs: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weighted means over the cells that the pairs tie together.

        A positive multiplier means equality, so the solution is one mean per tied
        block; taking the means afresh leaves no error of the solver in the values.
        """
        root = list(range(self._q.size))

        def find(cell: int) -> int:
            while root[cell] != cell:
                cell = root[cell]
            return cell

        for lower, upper in pairs.T.tolist():
            root[find(lower)] = find(upper)
        block = np.array([find(cell) for cell in root])
        mass = np.bincount(block, weights, self._q.size)
        value = np.bincount(block, weights * self._q, self._q.size)
        return value[block] / mass[block]

    def _constraints(self, orders: Orders) -> np.ndarray:
        """[2, M]: lower and upper cell of each constraint, covering pairs only."""
        blocks = []
        for agent, below in enumerate(orders):
            for a, b in np.argwhere(below & ~(below @ below)).tolist():
                blocks.append(self._blocks[agent][[a, b]])
        return np.concatenate(blocks, axis=1)

    def worst_crossing(self, table: np.ndarray) -> tuple[int, int, int] | None:
        """The (agent, a, b) whose slices contradict each other most, if any do."""
        weights = self.weights(table)
        worst, found = TIE, None
        for agent, n in enumerate(table.shape):
            rows = np.moveaxis(table, agent, 0).reshape(n, -1)
            mass = np.moveaxis(weights, agent, 0).reshape(n, -1)
            rise = np.maximum(rows[None] - rows[:, None], 0.0)
            cost = (np.minimum(mass[None], mass[:, None]) * rise**2).sum(axis=-1)
            size = np.sqrt(np.minimum(cost, cost.T))
            a, b = np.unravel_index(int(np.argmax(size)), size.shape)
            if size[a, b] > worst:
                worst, found = size[a, b], (agent, int(a), int(b))
        return found
