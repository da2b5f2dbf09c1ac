"""The paper's operators on tabular multi-agent MDPs.

Tables over all states are arrays ``[S, n_1, ..., n_k]``, one axis per agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from .errors import TheoryError, unknown
from .projection import project, weighted_projection
from .tables import JointAction, check_table, decentralised_actions, greedy_actions

TIES = ("best", "played")


@dataclass(frozen=True)
class MDP:
    """A cooperative multi-agent MDP with the state seen by all.

    ``rewards`` [S, n_1, ..., n_k]; ``transitions`` [S, n_1, ..., n_k, S], whose last
    axis sums to at most 1: what is missing ends the episode. 0 <= ``gamma`` < 1.
    """

    rewards: np.ndarray
    transitions: np.ndarray
    gamma: float

    def __post_init__(self) -> None:
        shape = np.shape(self.rewards)
        if np.shape(self.transitions) != shape + shape[:1]:
            raise TheoryError(
                f"transitions have shape {np.shape(self.transitions)}, but rewards "
                f"of shape {shape} need {shape + shape[:1]}"
            )
        mass = self.transitions.sum(axis=-1)
        if self.transitions.min() < 0 or mass.max() > 1 + 1e-12:
            raise TheoryError("transition probabilities must be >= 0 and sum to <= 1")
        if not 0 <= self.gamma < 1:
            raise TheoryError(f"gamma must be in [0, 1), not {self.gamma!r}")
        for table in self.rewards:
            check_table(table)

    def backup(self, values: np.ndarray) -> np.ndarray:
        """E[r + gamma v(s')] for state values ``[S]``."""
        q: np.ndarray = self.rewards + self.gamma * self.transitions @ values
        return q


def one_step(payoff: np.ndarray) -> MDP:
    """The MDP of a payoff table: one state, one step."""
    payoff = check_table(payoff)
    return MDP(payoff[None], np.zeros((1,) + payoff.shape + (1,)), 0.0)


def bellman(mdp: MDP, q: np.ndarray) -> np.ndarray:
    """T* Q(s, u) = E[r + gamma max_u' Q(s', u')]."""
    return mdp.backup(q.reshape(len(q), -1).max(axis=1))


def qmix_operator(mdp: MDP, q: np.ndarray) -> np.ndarray:
    """T*_Qmix = Pi_Qmix T*: the Bellman backup, then the unweighted projection."""
    return np.stack([project(table).table for table in bellman(mdp, q)])


def weighted_projections(q: np.ndarray, weighting: str, alpha: float) -> np.ndarray:
    """Q_tot = Pi_w Q, state by state (the first minimiser where there are several)."""
    return np.stack([weighted_projection(t, weighting, alpha).table for t in q])


def weighted_bellman(
    mdp: MDP, q_star: np.ndarray, q_tot: np.ndarray, ties: str = "best"
) -> np.ndarray:
    """Eq. 8: T*_w Q(s, u) = E[r + gamma Q(s', argmax_u' Q_tot(s', u'))].

    Args:
        mdp: the MDP.
        q_star: the unrestricted estimate that is backed up.
        q_tot: its projection, which only chooses the action.
        ties: which action, where several attain the maximum of Q_tot: ``best``, the
            one of highest q_star, as Corollary 1 needs it; or ``played``, the one that
            the decentralised agents end at.
    """
    chosen = [_chosen(star, tot, ties) for star, tot in zip(q_star, q_tot)]
    return mdp.backup(np.array([q_star[s][u] for s, u in enumerate(chosen)]))


def _chosen(q_star: np.ndarray, q_tot: np.ndarray, ties: str) -> JointAction:
    if ties not in TIES:
        raise unknown("tie rule", ties, TIES)
    if ties == "played":
        return decentralised_actions(q_tot)[0]
    return max(greedy_actions(q_tot), key=lambda action: q_star[action])


def wqmix_operator(
    mdp: MDP, q_star: np.ndarray, weighting: str, alpha: float, ties: str = "best"
) -> tuple[np.ndarray, np.ndarray]:
    """Eq. 9: Q_tot = Pi_w T*_w Q. Returns (T*_w Q, Pi_w T*_w Q)."""
    q_tot = weighted_projections(q_star, weighting, alpha)
    backed_up = weighted_bellman(mdp, q_star, q_tot, ties)
    return backed_up, weighted_projections(backed_up, weighting, alpha)


@dataclass(frozen=True)
class FixedPoint:
    """Where an iteration stopped; ``change`` is the last step's largest difference."""

    q: np.ndarray
    iterations: int
    change: float
    converged: bool


def iterate(
    operator: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    tolerance: float = 1e-9,
    limit: int = 1000,
) -> FixedPoint:
    """Apply an operator until nothing moves by more than ``tolerance``.

    An operator that is no contraction may never settle: look at ``converged``.
    """
    q, change = start, float("inf")
    for count in range(1, limit + 1):
        after = operator(q)
        change, q = float(np.abs(after - q).max()), after
        if change <= tolerance:
            return FixedPoint(q, count, change, True)
    return FixedPoint(q, limit, change, False)


def optimal_q(mdp: MDP) -> FixedPoint:
    """Q*: the fixed point of T*."""
    return iterate(lambda q: bellman(mdp, q), np.zeros_like(mdp.rewards, dtype=float))


def qmix_fixed_point(mdp: MDP, start: np.ndarray) -> FixedPoint:
    """Iterate Pi_Qmix T*."""
    return iterate(lambda q: qmix_operator(mdp, q), start)


def weighted_fixed_point(
    mdp: MDP, start: np.ndarray, weighting: str, alpha: float, ties: str = "best"
) -> FixedPoint:
    """Iterate T*_w (Eq. 8), with Q_tot = Pi_w Q afresh at each step."""

    def step(q: np.ndarray) -> np.ndarray:
        q_tot = weighted_projections(q, weighting, alpha)
        return weighted_bellman(mdp, q, q_tot, ties)

    return iterate(step, start)
