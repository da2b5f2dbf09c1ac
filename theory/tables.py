"""Joint-action tables: what may be one, and which actions it makes greedy.

A table is monotonic when every agent's actions can be ordered so that the value never
falls while any agent moves up its own order. Equivalently: for each agent the slices
of the table, one per action, are pairwise comparable elementwise.
"""

from __future__ import annotations

import itertools
import math
from typing import Sequence, Tuple

import numpy as np

from .errors import TheoryError

JointAction = Tuple[int, ...]

MAX_JOINT_ACTIONS = 128
MAX_ORDERS = 2_000_000_000  # 8 x 8 takes seconds, 10 x 10 half a minute
MAX_PAYOFF = 1e100
TIE = 1e-9  # relative to the table's range: closer than this is equal


def greedy_actions(table: np.ndarray) -> list[JointAction]:
    """All joint actions that attain the maximum (ties within 1e-9 of the range)."""
    table = np.asarray(table, dtype=float)
    edge = table.max() - TIE * max(np.ptp(table), np.finfo(float).tiny)
    return [tuple(int(i) for i in cell) for cell in np.argwhere(table >= edge)]


def is_monotonic(table: np.ndarray) -> bool:
    """True if every agent's slices form a chain (to 1e-9 of the table's range)."""
    table = np.asarray(table, dtype=float)
    for agent, rank in enumerate(ranks(table)):
        rising = np.diff(np.take(table, rank, axis=agent), axis=agent)
        if rising.min() < -TIE * np.ptp(table):
            return False
    return True


def ranks(table: np.ndarray) -> list[np.ndarray]:
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
    if np.abs(table).max() > MAX_PAYOFF:
        raise TheoryError(f"payoffs beyond +-{MAX_PAYOFF:g} overflow when squared")
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
    size = f"a {_by(shape)} payoff has {cells:,} joint actions"
    instead = (
        "; fewer actions, or train the networks on it instead (--config=ow_qmix with "
        "the matrix game)"
    )
    if cells > MAX_JOINT_ACTIONS:
        raise TheoryError(
            f"{size}, too many for an exact projection (limit {MAX_JOINT_ACTIONS})"
            + instead
        )
    orders = math.prod(math.factorial(n) for n in shape)
    if orders > MAX_ORDERS:
        raise TheoryError(
            f"{size} and {orders:,} action orders, too many for an exact projection "
            f"(limit {MAX_ORDERS:,} orders){instead}"
        )
