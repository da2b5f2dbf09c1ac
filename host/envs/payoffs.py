"""Payoff tensors of one-step games: a named set, and the check of a user's own."""

from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, unknown


class Game(NamedTuple):
    """A payoff, why it is in the set, and where it comes from."""

    payoff: list
    why: str
    source: str


def _all_or_none(n_agents, n_actions, together, split, apart):
    """``together`` if all agents play action 0, ``apart`` if none, else ``split``."""
    payoff = np.full((n_actions,) * n_agents, split, dtype=float)
    payoff[(slice(1, None),) * n_agents] = apart
    payoff[(0,) * n_agents] = together
    return payoff.tolist()


_QTRAN = "Son et al. 2019 (QTRAN), table 1; Rashid et al. 2020, figure 1"
_CLAUS = "Claus and Boutilier 1998"
_OURS = "ours"

GAMES = {
    "paper": Game(
        _all_or_none(2, 3, 8, -12, 0),
        "the best joint action is hidden behind punished neighbours",
        _QTRAN,
    ),
    "strong": Game(
        _all_or_none(2, 3, 8, -14, 0),
        "harsher: here the best monotonic fit itself is greedy for a wrong action",
        _OURS,
    ),
    "mild": Game(
        _all_or_none(2, 3, 8, -12, 6),
        "the safe actions pay nearly as much, so the lift of the best one is small",
        _OURS,
    ),
    "climbing": Game(
        [[11, -30, 0], [-30, 7, 6], [0, 0, 5]],
        "three levels to climb, each behind a miscoordination penalty",
        _CLAUS,
    ),
    "penalty": Game(
        [[10, 0, -100], [0, 2, 0], [-100, 0, 10]],
        "two equally good joint actions whose mixture is punished (k = -100)",
        _CLAUS,
    ),
    "three_agents": Game(
        _all_or_none(3, 3, 8, -12, 0),
        "the paper's game for three: any one agent that deviates spoils it",
        _OURS,
    ),
    "four_actions": Game(
        _all_or_none(2, 4, 8, -12, 0),
        "the paper's game with one more safe action, so more ways to miss",
        _OURS,
    ),
    "monotonic": Game(
        [[0, 1, 2], [1, 2, 4], [2, 4, 8]],
        "control: monotonic though not additive, QMIX represents it exactly",
        _OURS,
    ),
}


def payoff_tensor(game=None, payoff=None):
    """The payoff of a named game, or a user's own, checked.

    Args:
        game: a name in ``GAMES``; used when ``payoff`` is None.
        payoff: nested lists or an array, one axis for each agent, as long as that
            agent's number of actions.

    Returns:
        float64 ``[U_1, ..., U_A]``, ``A >= 2`` and every ``U_a >= 2``.

    Raises:
        ConfigError: unknown name; payoff ragged, not numeric, not finite or too small.
    """
    if payoff is None:
        if game not in GAMES:
            raise unknown("env_args.game", game, GAMES)
        payoff = GAMES[game].payoff
    return _checked(payoff)


def _checked(payoff):
    where = "env_args.payoff"
    if not isinstance(payoff, np.ndarray):
        _refuse_ragged(payoff, where)
    table = np.array(payoff)
    if table.dtype.kind not in "iuf":
        raise ConfigError(f"{where} holds something that is not a number")
    if not np.isfinite(table).all():
        raise ConfigError(f"{where} holds NaN or infinity: every payoff must be finite")
    if table.ndim < 2:
        raise ConfigError(f"{where} has {table.ndim} axis: two or more agents play")
    if min(table.shape) < 2:
        raise ConfigError(
            f"{where} has shape {table.shape}: every agent needs two actions or more"
        )
    return table.astype(np.float64)


def _refuse_ragged(payoff, where):
    """Complain unless ``payoff`` is lists in lists, equally long at equal depth."""
    if not isinstance(payoff, (list, tuple)):
        raise ConfigError(f"{where} is {payoff!r}: nested lists of numbers are needed")
    level = [payoff]
    while any(isinstance(entry, (list, tuple)) for entry in level):
        lengths = {
            len(entry) if isinstance(entry, (list, tuple)) else None for entry in level
        }
        if len(lengths) > 1:
            raise ConfigError(f"{where} is ragged: its rows must be equally long")
        level = [inner for entry in level for inner in entry]
