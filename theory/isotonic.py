"""Isotonic regression on a product of partial orders: exact, in (weighted) squares."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np

try:
    from scipy.optimize import nnls
except ImportError:  # `wqmix theory` says so before it begins
    nnls = None

from .tables import TIE

Orders = Tuple[np.ndarray, ...]  # per agent: [n, n] bool, True where a is below b


def total_orders(lowest_first: Sequence[np.ndarray]) -> Orders:
    """Total orders, from each agent's actions listed from the lowest to the highest."""
    positions = [np.argsort(actions) for actions in lowest_first]
    return tuple(p[:, None] < p[None, :] for p in positions)


class Isotonic:
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
        problem. The step is halved until the loss falls, which rules out cycles; by
        convexity no step helps only where the loss is least.
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
            lower = self._descend(fit, self._weighted_fit(pairs, weights))
            if lower is fit:
                break
            fit = lower
        return fit.reshape(self.payoff.shape)

    def _descend(self, fit: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The farthest of target, halfway, a quarter, ... that lowers the loss."""
        loss, step = self.loss(fit), 1.0
        while step > 1e-6:
            candidate = target if step == 1.0 else fit + step * (target - fit)
            if self.loss(candidate) < loss:
                return candidate
            step /= 2
        return fit

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
        mean: np.ndarray = value[block] / mass[block]
        return mean

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
