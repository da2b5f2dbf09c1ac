"""What Q_tot = Q_mono + ω Q_proj can and cannot represent, on exact tables.

python -m wqmix.analysis.demos.projector    prints what docs/projector.md says

Each function returns tables of one form of the variant that fit a payoff without any
error, or the projection where none can. The agents act greedily in Q_mono.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Set, Tuple

import numpy as np

from ...config.extras import missing

JointAction = Tuple[int, ...]
OFFSETS = (-10.0, -1.0, 1.0, 10.0)


@dataclass(frozen=True)
class Fit:
    """Tables over all joint actions: Q_tot = q_mono + omega · q_proj."""

    q_mono: np.ndarray
    omega: np.ndarray
    q_proj: np.ndarray

    @property
    def q_tot(self) -> np.ndarray:
        return self.q_mono + self.omega * self.q_proj

    def played(self) -> Set[JointAction]:
        """What agents that are greedy in Q_mono can end at."""
        from wqmix.theory.tables import decentralised_actions

        return set(decentralised_actions(self.q_mono))


def state_only(payoff: np.ndarray) -> Dict[float, Tuple[float, Set[JointAction]]]:
    """State-only Q_proj and ω: the projection of Q − c, for several c = ω Q_proj.

    Returns:
        c → how far Π(Q − c) + c is from Π(Q) (largest entry), and what is played.
    """
    from wqmix.theory.projection import project

    plain = project(payoff)
    found = {}
    for c in OFFSETS:
        shifted = project(payoff - c)
        gap = np.abs(shifted.table + c - plain.table).max()
        found[c] = (float(gap), {u for choice in shifted.choices() for u in choice})
    return found


def joint(payoff: np.ndarray) -> List[Fit]:
    """State-action Q_proj: exact fits of the paper's game that play differently.

    Both keep |Q_proj| to the 10 that the clamp allows.
    """
    one = np.ones_like(payoff)
    right, wrong = -2 * one, -2 * one
    right[0, 0], wrong[1:, 1:] = 8.0, 10.0
    return [Fit(q_mono, one, payoff - q_mono) for q_mono in (right, wrong)]


def advantage() -> Fit:
    """ω = |A| / mean |A|: the exact fit of the paper's game, with the wrong order.

    Q_tot is 1 − 17/7 times A below V and 1 + 17/7 times A above it: it falls, then
    rises. So the best joint action can lie at the lower end of Q_mono as well as at
    the upper one, and only the lower one has V as the mean of Q_mono.
    """
    q_mono = np.full((3, 3), -12.0)
    q_mono[0, 0], q_mono[1:, 1:] = -26.0, -8.5
    size = np.abs(q_mono - q_mono.mean())
    return Fit(q_mono, size / size.mean(), np.full((3, 3), 68 / 9))


def greedy_only(payoff: np.ndarray) -> List[Fit]:
    """All or nothing: for every joint action, tables without loss that play it.

    Only the greedy joint action is fitted, so any may stay what it is.
    """
    fits = []
    for actions in np.ndindex(payoff.shape):
        ranks = sum(
            np.not_equal.outer(np.arange(n), u).reshape(shape)
            for n, u, shape in zip(payoff.shape, actions, _axes(payoff.ndim))
        )
        fits.append(Fit(payoff[actions] - ranks, np.ones_like(payoff), 0 * payoff))
    return fits


def _axes(ndim: int) -> List[Tuple[int, ...]]:
    """Shapes that lay a vector along each axis."""
    return [tuple(-1 if i == axis else 1 for i in range(ndim)) for axis in range(ndim)]


def main() -> int:
    """Print all of it; return the exit code."""
    from wqmix.theory.games import games, payoff_table

    lacking = missing("wqmix.analysis.demos.projector", "theory", "scipy")
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    print("State-only Q_proj and ω: Π(Q − c) + c against Π(Q), c = " + str(OFFSETS))
    for game in games():
        found = state_only(payoff_table(game))
        gap = max(gap for gap, _ in found.values())
        plays = {tuple(sorted(played)) for _, played in found.values()}
        print(f"  {game:13} apart by {gap:.1e}; agents play {_text(plays)}")
    payoff = payoff_table("paper")
    print("\nState-action Q_proj, two fits of 'paper' without loss:")
    for fit in joint(payoff):
        _print(fit, payoff)
    print("\nAdvantage-based ω, a fit of 'paper' without loss:")
    _print(advantage(), payoff)
    stay = [fit.played() for fit in greedy_only(payoff)]
    print(f"\nAll or nothing: joint actions of 'paper' that can stay: {_text(stay)}")
    return 0


def _print(fit: Fit, payoff: np.ndarray) -> None:
    error = np.abs(fit.q_tot - payoff).max()
    print(f"  largest error {error:.1e}; agents play {_text([fit.played()])}; Q_mono:")
    for line in fit.q_mono:
        print("    " + " ".join(f"{value:7.2f}" for value in line))


def _text(sets: Iterable[Iterable[Any]]) -> str:
    return "; ".join(" ".join(map(str, sorted(each))) for each in sets)


if __name__ == "__main__":
    sys.exit(main())
