"""Each property, theorem and corollary of the paper as a computation to look at.

A demo takes nothing and returns the numbers it found, by name, in reading order.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from .games import payoff_table
from .operators import (
    MDP,
    bellman,
    one_step,
    optimal_q,
    qmix_fixed_point,
    qmix_operator,
    weighted_bellman,
    weighted_fixed_point,
    weighted_projections,
    wqmix_operator,
)
from .projection import project, weighted_projection
from .tables import greedy_actions
from .thresholds import guaranteed_alpha, largest_alpha, random_tables

Findings = Dict[str, Any]


def fork(payoffs: np.ndarray, gamma: float) -> MDP:
    """State 0 leads, at no reward, to one state per joint action.

    There every joint action pays ``payoffs`` of that action and the episode ends.
    """
    states = 1 + payoffs.size
    rewards = np.zeros((states,) + payoffs.shape)
    moves = np.zeros(rewards.shape + (states,))
    for leaf, action in enumerate(np.ndindex(payoffs.shape), start=1):
        rewards[leaf] = payoffs[action]
        moves[(0,) + action + (leaf,)] = 1.0
    return MDP(rewards, moves, gamma)


def detour(payoff: np.ndarray, safe: float, gamma: float) -> MDP:
    """State 0: agent 0's first action leads to the game, any other pays ``safe``."""
    rewards = np.stack([np.full(payoff.shape, float(safe)), payoff])
    rewards[0][0] = 0.0
    moves = np.zeros(rewards.shape + (2,))
    moves[0, 0, ..., 1] = 1.0
    return MDP(rewards, moves, gamma)


def contraction_ratio(epsilon: float, gamma: float = 0.9) -> float:
    """|Pi T* Q - Pi T* Q'| / |Q - Q'| in the largest entry, Q and Q' epsilon apart.

    The two differ in which of two equally good joint actions is worth epsilon more,
    and the nearest monotonic table jumps from one to the other.
    """
    mdp = fork(np.eye(2), gamma)
    one, other = mdp.rewards.copy(), mdp.rewards.copy()
    one[1] += epsilon
    other[4] += epsilon
    before = np.abs(one - other).max()
    after = np.abs(qmix_operator(mdp, one) - qmix_operator(mdp, other)).max()
    return float(after / before)


def property_1() -> Findings:
    """Property 1: Pi_Qmix T* is no contraction (nor continuous)."""
    return {
        f"ratio at epsilon {epsilon:g}": contraction_ratio(epsilon)
        for epsilon in (0.1, 0.01, 0.001)
    }


def property_2() -> Findings:
    """Property 2: the argmax of QMIX's fixed point can be wrong."""
    payoff = payoff_table("strong")
    mdp = one_step(payoff)
    fixed = qmix_fixed_point(mdp, np.zeros_like(mdp.rewards))
    return {
        "payoff": payoff,
        "fixed point": fixed.q[0],
        "optimal": greedy_actions(payoff),
        "greedy": greedy_actions(fixed.q[0]),
    }


def property_3() -> Findings:
    """Property 3: QMIX can underestimate the optimum, and then avoids the way to it."""
    mdp = detour(payoff_table("strong"), safe=5.0, gamma=0.9)
    fixed = qmix_fixed_point(mdp, np.zeros_like(mdp.rewards))
    best = optimal_q(mdp).q
    return {
        "Q* of entering the game": best[0, 0, 0],
        "QMIX of entering the game": fixed.q[0, 0, 0],
        "value of the safe way": 5.0,
        "QMIX enters": all(u[0] == 0 for u in greedy_actions(fixed.q[0])),
        "Q* enters": all(u[0] == 0 for u in greedy_actions(best[0])),
    }


def _theorem(weighting: str) -> Findings:
    """Over random tables and on ``lure``, where no alpha makes the agents play u*."""
    found = [
        weighted_projection(table, weighting, guaranteed_alpha(table))
        for table in random_tables((3, 3), 100, seed=0)
    ]
    lure = weighted_projection(payoff_table("lure"), weighting, 0.001)
    return {
        "random 3 x 3 tables, alpha as guaranteed": len(found),
        "u* attains the maximum": sum(projection.attained() for projection in found),
        "the agents play u*": sum(projection.played() for projection in found),
        "lure": lure.payoff,
        "its projection, alpha 0.001": lure.table,
        "what the agents play there": lure.choices()[0],
    }


def theorem_1() -> Findings:
    """Theorem 1: with Eq. 6 and alpha small, u* attains the maximum of Pi_w Q."""
    return _theorem("central")


def theorem_2() -> Findings:
    """Theorem 2: with Eq. 7 and alpha small, u* attains the maximum of Pi_w Q."""
    return _theorem("optimistic")


def corollary_1() -> Findings:
    """Corollary 1: T*_w has the fixed point Q*, and Pi_w Q* its argmax."""
    findings: Findings = {}
    for game, ties in (("strong", "best"), ("lure", "best"), ("lure", "played")):
        payoff = payoff_table(game)
        mdp = detour(payoff, safe=0.92 if game == "lure" else 5.0, gamma=0.95)
        best = optimal_q(mdp).q
        for weighting in ("central", "optimistic"):
            alpha = 0.5 * min(guaranteed_alpha(table) for table in best)
            fixed = weighted_fixed_point(
                mdp, np.zeros_like(best), weighting, alpha, ties
            )
            q_tot = weighted_projections(fixed.q, weighting, alpha)[1]
            key = f"{game}, {weighting}, ties {ties}"
            findings[f"{key}: alpha"] = alpha
            findings[f"{key}: |Q - Q*|"] = float(np.abs(fixed.q - best).max())
            findings[f"{key}: argmax Q_tot in the game"] = greedy_actions(q_tot)
    return findings


def table_1() -> Findings:
    """Table 1: the projection is not unique."""
    projection = project(payoff_table("coordination"))
    findings: Findings = {"payoff": projection.payoff, "loss": projection.loss}
    for number, table in enumerate(projection.tables, start=1):
        findings[f"minimiser {number}"] = table
        findings[f"its argmax {number}"] = greedy_actions(table)
    return findings


def one_alpha() -> Findings:
    """No alpha serves every Q: the largest one shrinks with the gap to the second."""
    findings: Findings = {}
    for gap in (0.05, 0.01, 0.001):
        payoff = np.array([[-10, 1], [0.9, 0.9], [0.99, 1 - gap]])
        for weighting in ("central", "optimistic"):
            alpha = largest_alpha(payoff, weighting)
            findings[f"gap {gap:g}, {weighting}: largest alpha"] = alpha
        findings[f"gap {gap:g}: guaranteed alpha"] = guaranteed_alpha(payoff)
    return findings


def target_operator() -> Findings:
    """T* beside Eq. 8 and Eq. 9 on the detour to 'strong', from Q = T* 0."""
    mdp = detour(payoff_table("strong"), safe=5.0, gamma=0.9)
    q = bellman(mdp, np.zeros_like(mdp.rewards))
    uniform = weighted_projections(q, "uniform", 1.0)
    central = weighted_projections(q, "central", 0.1)
    _, projected = wqmix_operator(mdp, q, "central", 0.1)
    return {
        "T* Q, entering": bellman(mdp, q)[0, 0, 0],
        "T*_w Q, entering, uniform": weighted_bellman(mdp, q, uniform)[0, 0, 0],
        "T*_w Q, entering, central 0.1": weighted_bellman(mdp, q, central)[0, 0, 0],
        "Pi_w T*_w Q, the game, central 0.1": projected[1],
    }


DEMOS: dict[str, Callable[[], Findings]] = {
    "table-1": table_1,
    "equations-8-9": target_operator,
    "property-1": property_1,
    "property-2": property_2,
    "property-3": property_3,
    "theorem-1": theorem_1,
    "theorem-2": theorem_2,
    "one-alpha": one_alpha,
    "corollary-1": corollary_1,
}
