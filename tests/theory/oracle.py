"""Brute force for the projections: every order, and a closed form for each.

Isotonic regression has the max-min formula f(x) = max over upper sets U of min over
lower sets L of the mean over U and L, both containing x (Robertson, Wright and
Dykstra 1988). It needs no solver, so it shares nothing with the code under test. It
holds for any Cauchy mean value function, so for the expectile of the optimistic
weighting too.
"""

import functools
import itertools

import numpy as np


@functools.lru_cache(maxsize=None)
def up_sets(shape):
    """All upper sets of the product order on ``shape``, [K, cells] bool."""
    cells = int(np.prod(shape))
    masks = np.array(list(itertools.product((False, True), repeat=cells)))
    table = masks.reshape((-1,) + tuple(shape))
    keep = np.ones(len(masks), dtype=bool)
    for axis in range(1, table.ndim):
        rises = np.diff(table.astype(int), axis=axis) >= 0
        keep &= rises.reshape(len(masks), -1).all(axis=1)
    return masks[keep]


def orders(shape):
    return itertools.product(*(itertools.permutations(range(n)) for n in shape))


def means(values, weights, masks):
    """Weighted means over each mask, [masks, tables]; nan where a mask is empty."""
    mass = masks @ weights.T
    with np.errstate(invalid="ignore"):
        return np.where(mass > 0, masks @ (weights * values).T / mass, np.nan)


def expectiles(values, alpha, masks):
    """Root m of sum over the mask of w (v - m), w = 1 where m < v else alpha."""
    low = np.full((len(masks), len(values)), values.min() - 1.0)
    high = np.full_like(low, values.max() + 1.0)
    for _ in range(60):
        middle = (low + high) / 2
        gap = values[None] - middle[:, :, None]
        slope = (np.where(gap > 0, 1.0, alpha) * gap * masks[:, None]).sum(-1)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.where(masks.any(1)[:, None], (low + high) / 2, np.nan)


def max_min(averages, uppers):
    """[tables, cells] from the averages over every pair, [K * K, tables]."""
    count, cells = uppers.shape
    averages = averages.reshape(count, count, -1)
    fits = np.empty((averages.shape[-1], cells))
    for cell in range(cells):
        inside = averages[uppers[:, cell]][:, ~uppers[:, cell]]  # lower = complement
        fits[:, cell] = np.nanmax(np.nanmin(inside, axis=1), axis=0)
    return fits


def brute_force(tables, weights=None, alpha=None):
    """Per table the least loss over all orders, and every table that attains it.

    ``weights`` [n, *shape] for a fixed weighting, or ``alpha`` for the optimistic one.
    """
    shape = tables.shape[1:]
    uppers = up_sets(shape)
    masks = (uppers[:, None] & ~uppers[None]).reshape(-1, uppers.shape[1])
    losses, fits = [], []
    for order in orders(shape):
        index = np.ix_(*order)
        moved = np.stack([table[index] for table in tables]).reshape(len(tables), -1)
        if alpha is None:
            mass = np.stack([w[index] for w in weights]).reshape(len(tables), -1)
            fit = max_min(means(moved, mass, masks), uppers)
        else:
            fit = max_min(expectiles(moved, alpha, masks), uppers)
            mass = np.where(fit < moved, 1.0, alpha)
        losses.append((mass * (fit - moved) ** 2).sum(1))
        back = np.empty(tables.shape)
        for number in range(len(tables)):
            back[number][index] = fit[number].reshape(shape)
        fits.append(back)
    losses, fits = np.array(losses), np.array(fits)
    lightest = alpha if weights is None else weights.min()
    least = losses.min(0)
    minimisers = []
    for number in range(len(tables)):
        slack = 1e-9 * max(least[number], lightest)
        close = losses[:, number] <= least[number] + slack
        minimisers.append(distinct(fits[close, number]))
    return least, minimisers


def distinct(tables):
    kept = []
    for table in tables:
        if not any(np.abs(table - other).max() < 1e-6 for other in kept):
            kept.append(table)
    return kept


def same_tables(some, others):
    return len(some) == len(others) and all(
        any(np.abs(a - b).max() < 1e-6 for b in others) for a in some
    )


def violation(payoff, fit, weights):
    """How far a fit is from the optimality conditions of its own order, relatively.

    f is the projection onto the isotonic cone iff the gradient g = w (Q - f) has
    g(U) <= 0 for every upper set U, g(everything) = 0 and <g, f> = 0.
    """
    axes = range(fit.ndim)
    ranks = [
        np.argsort(fit.mean(axis=tuple(b for b in axes if b != a)), kind="stable")
        for a in axes
    ]
    index = np.ix_(*ranks)
    gradient = (weights * (payoff - fit))[index].ravel()
    sorted_fit = fit[index]
    rising = min(np.diff(sorted_fit, axis=axis).min() for axis in axes)
    sums = up_sets(fit.shape) @ gradient
    return max(
        -rising, sums.max(), abs(gradient.sum()), abs(gradient @ sorted_fit.ravel())
    ) / max(np.ptp(payoff), 1e-300)
