"""Local optima: where gradient descent can end instead of at the projection.

Within one choice of orders the problem is convex, with one minimiser. It is a local
optimum over all monotonic tables if it also is the minimiser for every other choice of
orders that it fits (slices that coincide can be ordered either way).
"""

from __future__ import annotations

import itertools
import math
from typing import Sequence

import numpy as np

from .errors import TheoryError
from .isotonic import Isotonic, total_orders
from .projection import Projection, pool_again, standardised, weights_by_sign
from .tables import TIE, check_table

MAX_LOCAL_ORDERS = 2000  # 4 x 4 has 576; every one is solved
SAME = 1e-7  # of the payoff's range


def local_optima(payoff: np.ndarray, weighting: str, alpha: float) -> list[Projection]:
    """All local optima of the weighted least squares problem, by loss.

    Args:
        payoff: the table.
        weighting: uniform, central (Eq. 6) or optimistic (Eq. 7).
        alpha: its alpha.

    Returns:
        One Projection with a single table for each; the first are the global ones.

    Raises:
        TheoryError: there are too many action orders to solve each.
    """
    payoff = check_table(payoff)
    ranks = _all_ranks(payoff.shape)
    problem = Isotonic(standardised(payoff), *weights_by_sign(payoff, weighting, alpha))
    fits = np.stack([problem.fit(total_orders(rank), problem.payoff) for rank in ranks])
    local: list[np.ndarray] = []
    for fit in fits:
        if any(np.abs(fit - other).max() < SAME for other in local):
            continue
        others = ~(np.abs(fits - fit).reshape(len(fits), -1).max(axis=1) < SAME)
        if not any(_fits_order(fit, ranks[other]) for other in np.flatnonzero(others)):
            local.append(fit)
    found = [_projection(payoff, fit, problem.weights(fit)) for fit in local]
    return sorted(found, key=lambda projection: projection.loss)


def _all_ranks(shape: Sequence[int]) -> list[tuple[np.ndarray, ...]]:
    """Every choice of orders: per agent its actions, lowest first."""
    count = math.prod(math.factorial(n) for n in shape)
    if count > MAX_LOCAL_ORDERS:
        raise TheoryError(
            f"local optima need every one of {count:,} action orders solved; the limit "
            f"is {MAX_LOCAL_ORDERS:,} (4 x 4 has 576)"
        )
    each = [[np.array(p) for p in itertools.permutations(range(n))] for n in shape]
    return list(itertools.product(*each))


def _fits_order(table: np.ndarray, ranks: Sequence[np.ndarray]) -> bool:
    moved = table[np.ix_(*ranks)]
    return all(np.diff(moved, axis=axis).min() >= -TIE for axis in range(table.ndim))


def _projection(payoff: np.ndarray, fit: np.ndarray, weights: np.ndarray) -> Projection:
    table = pool_again(fit, payoff, weights)
    loss = float(np.sum(weights * (table - payoff) ** 2))
    return Projection(payoff, (table,), loss)
