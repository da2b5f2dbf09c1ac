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
from typing import Iterator

import numpy as np

from .errors import TheoryError, unknown
from .isotonic import Isotonic, Orders, total_orders
from .tables import (
    TIE,
    JointAction,
    check_table,
    decentralised_actions,
    greedy_actions,
    ranks,
)


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


def project(payoff: np.ndarray, weights: float | np.ndarray = 1.0) -> Projection:
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


WEIGHTINGS = ("uniform", "central", "optimistic")


def weights_by_sign(
    payoff: np.ndarray, weighting: str, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of a joint action whose fit is too low, and of one too high.

    They differ for the optimistic weighting alone (Eq. 7: 1 where Q_tot < Q, else
    alpha). It depends on the projection itself, but per choice of orders that is
    asymmetric least squares: strictly convex, so with one minimiser.
    """
    if weighting not in WEIGHTINGS:
        raise unknown("weighting", weighting, WEIGHTINGS)
    one, rest = np.ones(payoff.shape), np.full(payoff.shape, check_alpha(alpha))
    if weighting == "optimistic":
        return one, rest
    both = central_weights(payoff, alpha) if weighting == "central" else one
    return both, both


def weighted_projection(payoff: np.ndarray, weighting: str, alpha: float) -> Projection:
    """Pi_w by the weighting's name: uniform, central (Eq. 6), optimistic (Eq. 7).

    Section 4 of the paper. ``uniform`` is Pi_Qmix, whatever alpha. Returns and raises
    as ``project`` does.
    """
    payoff = check_table(payoff)
    return _minimise(payoff, *weights_by_sign(payoff, weighting, alpha))


def project_central(payoff: np.ndarray, alpha: float) -> Projection:
    """Pi_w with the idealised central weighting (Eq. 6)."""
    return weighted_projection(payoff, "central", alpha)


def project_optimistic(payoff: np.ndarray, alpha: float) -> Projection:
    """Pi_w with the optimistic weighting (Eq. 7)."""
    return weighted_projection(payoff, "optimistic", alpha)


def check_alpha(alpha: float) -> float:
    """Return alpha if it lies in (0, 1], the range of Eqs. 6 and 7."""
    if not 0 < alpha <= 1:
        raise TheoryError(f"alpha must be in (0, 1], not {alpha!r}")
    return float(alpha)


# --------------------------------------------------------------- branch and bound


def _minimise(payoff: np.ndarray, under: np.ndarray, over: np.ndarray) -> Projection:
    """All minima of sum w (q - Q)^2, w = ``under`` where q < Q, else ``over``."""
    problem = Isotonic(standardised(payoff), under, over)
    lightest = float(min(under.min(), over.min()))
    best = math.inf
    tables: list[np.ndarray] = []
    for bound, table in _finished_nodes(problem):
        slack = TIE * max(lightest, bound)
        if bound > best + slack:
            break
        best = min(best, bound)
        if not any(np.abs(table - other).max() < 1e-7 for other in tables):
            tables.append(table)
    tables.sort(key=lambda t: tuple(np.round(-t.ravel(), 7)))
    exact = tuple(pool_again(t, payoff, problem.weights(t)) for t in tables)
    loss = np.sum(problem.weights(tables[0]) * (exact[0] - payoff) ** 2)
    return Projection(payoff, exact, float(loss))


def standardised(payoff: np.ndarray) -> np.ndarray:
    """Mean 0 and range 1, so that tolerances mean the same for every payoff."""
    spread = max(np.ptp(payoff), np.finfo(float).tiny)
    table: np.ndarray = (payoff - payoff.mean()) / spread
    return table


def pool_again(
    table: np.ndarray, payoff: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The same level sets in the payoff's own units, free of rescaling errors."""
    _, level = np.unique(table, return_inverse=True)
    level = level.reshape(-1)
    pooled: np.ndarray = np.bincount(level, (weights * payoff).ravel())
    pooled = pooled / np.bincount(level, weights.ravel())
    return pooled[level].reshape(payoff.shape)


def _finished_nodes(problem: Isotonic) -> Iterator[tuple[float, np.ndarray]]:
    """Monotonic tables that are optimal in their node, cheapest first."""
    shape = problem.payoff.shape
    orders: Orders = tuple(np.zeros((n, n), dtype=bool) for n in shape)
    serial = itertools.count()  # so that the heap never compares arrays
    heap = [(0.0, next(serial), orders, problem.payoff)]
    while heap:
        bound, _, orders, table = heapq.heappop(heap)
        crossing = problem.worst_crossing(table)
        if crossing is None:
            yield bound, problem.fit(total_orders(ranks(table)), table)
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
