"""Theorems 1 and 2: how small alpha has to be."""

from __future__ import annotations

import math
from typing import Sequence

import numpy as np

from .errors import TheoryError, unknown
from .projection import Projection, weighted_projection
from .tables import check_table, greedy_actions

CRITERIA = {"attained": Projection.attained, "played": Projection.played}
SMALLEST_ALPHA = 1e-4  # where the search for a criterion without a guarantee gives up


def holds(payoff: np.ndarray, weighting: str, alpha: float, criterion: str) -> bool:
    """Does Pi_w meet the criterion: attained or played (see Projection)?"""
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    return CRITERIA[criterion](weighted_projection(payoff, weighting, alpha))


def guaranteed_alpha(payoff: np.ndarray) -> float:
    """An alpha for which Theorems 1 and 2 hold for sure: gap^2 / sum of all gaps^2.

    Proof, for both weightings. Write d(u) = Q(u*) - Q(u), D = min d(u) over u that are
    not optimal, q for a minimiser. The constant table Q(u*) is monotonic and costs
    alpha sum d^2, so q(u*) is within sqrt(alpha sum d^2) <= D of Q(u*) if it lies
    below, that is, q(u*) >= Q(u) for all u that are not optimal. If some q(u) exceeded
    q(u*), then min(q, q(u*)) would be monotonic and strictly better: a contradiction.
    So u* attains the maximum of q. (Only attains: others may tie with it.)
    """
    payoff = check_table(payoff)
    gaps = payoff.max() - payoff
    for action in greedy_actions(payoff):
        gaps[action] = 0.0
    if not gaps.any():
        return 1.0
    return float(gaps[gaps > 0].min() ** 2 / (gaps**2).sum())


def largest_alpha(
    payoff: np.ndarray,
    weighting: str,
    criterion: str = "attained",
    precision: float = 1e-3,
) -> float | None:
    """The largest alpha at which a weighting still recovers the argmax, bisected.

    Halves alpha from 1 until the criterion holds, then bisects (in log alpha) between
    that and the last failure. The criterion need not be monotone in alpha: what comes
    back holds, and fails just above.

    Args:
        payoff: the table.
        weighting: uniform, central (Eq. 6) or optimistic (Eq. 7).
        criterion: ``attained``, all that the theorems can promise, or ``played``.
        precision: stop when the bracket's ends differ by less than this fraction.

    Returns:
        alpha, or None if the criterion fails down to 1e-4 (or, for ``attained``,
        down to ``guaranteed_alpha`` if that is smaller, which refutes the theorem;
        or for ``uniform``, where alpha has no effect).
    """
    if holds(payoff, weighting, 1.0, criterion):
        return 1.0
    if weighting == "uniform":
        return None
    floor = SMALLEST_ALPHA
    if criterion == "attained":
        floor = min(floor, guaranteed_alpha(payoff))
    low, high = 0.5, 1.0
    while not holds(payoff, weighting, low, criterion):
        if low <= floor:
            return None
        low, high = max(low / 2, floor), low
    while high / low > 1 + precision:
        middle = math.sqrt(low * high)
        if holds(payoff, weighting, middle, criterion):
            low = middle
        else:
            high = middle
    return low


def random_tables(shape: Sequence[int], count: int, seed: int) -> np.ndarray:
    """``count`` tables of independent standard normal payoffs, ``[count, *shape]``."""
    if count < 1:
        raise TheoryError(f"the number of tables must be positive, not {count}")
    tables = np.random.default_rng(seed).normal(size=(count,) + tuple(shape))
    check_table(tables[0])
    return tables


def threshold_distribution(tables: np.ndarray, weighting: str) -> np.ndarray:
    """The largest alpha, to 5 %, at which u* attains the maximum; nan if there is none.

    By Theorems 1 and 2 there is one for every table.
    """
    found = [largest_alpha(t, weighting, precision=0.05) for t in tables]
    return np.array([math.nan if alpha is None else alpha for alpha in found])


def share_played(
    tables: np.ndarray, weighting: str, alphas: Sequence[float]
) -> np.ndarray:
    """For each alpha the share of tables where the agents play an optimal action."""
    return np.array(
        [
            np.mean([holds(table, weighting, alpha, "played") for table in tables])
            for alpha in alphas
        ]
    )
