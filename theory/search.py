"""Games in which a weighting fails, found by trying small integer payoffs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np

from .errors import TheoryError
from .projection import Projection, weighted_projection
from .tables import check_shape
from .thresholds import CRITERIA


@dataclass(frozen=True)
class Failure:
    """A game, what the weighting makes of it, and what playing so costs.

    ``regret``: the optimum less the worst payoff the decentralised agents can end at.
    """

    projection: Projection
    regret: float


def failures(
    weighting: str,
    alpha: float,
    criterion: str,
    shape: Sequence[int],
    tries: int,
    seed: int,
    largest: int = 9,
) -> list[Failure]:
    """Random games with one optimum where the criterion fails, worst regret first.

    Payoffs are integers from ``-largest`` to ``largest``.
    """
    if tries < 1:
        raise TheoryError(f"the number of games to try must be positive, not {tries}")
    rng = np.random.default_rng(seed)
    check_shape(shape)
    found = []
    for _ in range(tries):
        payoff = rng.integers(-largest, largest + 1, size=tuple(shape)).astype(float)
        if (payoff == payoff.max()).sum() > 1:
            continue
        projection = weighted_projection(payoff, weighting, alpha)
        if not CRITERIA[criterion](projection):
            found.append(Failure(projection, _regret(projection)))
    return sorted(found, key=lambda failure: -failure.regret)


def _regret(projection: Projection) -> float:
    payoff = projection.payoff
    played = [payoff[action] for actions in projection.choices() for action in actions]
    return float(payoff.max() - min(played))
