"""Payoff tensors of one-step games: the named ones, and the check of a user's own."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Dict, Optional

import numpy as np

from ...config import reading
from ..errors import ConfigError, unknown

_HOST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GAMES_FILE = os.path.join(os.path.dirname(_HOST), "config", "games.yaml")


@lru_cache(maxsize=None)
def named_games() -> Dict[str, Any]:
    """The games of ``config/games.yaml``: name -> {"payoff", "why", "source"}."""
    return reading.read_yaml(GAMES_FILE)


def payoff_tensor(game: Optional[str] = None, payoff: Any = None) -> np.ndarray:
    """The payoff of a named game, or a user's own, checked.

    Args:
        game: a name in ``config/games.yaml``; used when ``payoff`` is None.
        payoff: nested lists or an array, one axis for each agent, as long as that
            agent's number of actions.

    Returns:
        float64 ``[U_1, ..., U_A]``, ``A >= 2`` and every ``U_a >= 2``.

    Raises:
        ConfigError: unknown name; payoff ragged, not numeric, not finite or too small.
    """
    if payoff is None:
        if game not in named_games():
            raise unknown("env_args.game", game, named_games())
        payoff = named_games()[game]["payoff"]
    return _checked(payoff)


def _checked(payoff: Any) -> np.ndarray:
    where = "env_args.payoff"
    if not isinstance(payoff, np.ndarray):
        _refuse_ragged(payoff, where)
    try:
        table = np.array(payoff)
    except ValueError as error:  # more axes than numpy has
        raise ConfigError(f"{where} is no table of numbers: {error}") from None
    if table.dtype.kind not in "iuf":
        raise ConfigError(f"{where} holds something that is not a number")
    if not (np.abs(table) <= np.finfo(np.float32).max).all():  # NaN is refused too
        raise ConfigError(
            f"{where} holds NaN or infinity, or more than single precision can: every "
            "payoff must be finite"
        )
    if table.ndim < 2:
        raise ConfigError(f"{where} has {table.ndim} axis: two or more agents play")
    if min(table.shape) < 2:
        raise ConfigError(
            f"{where} has shape {table.shape}: every agent needs two actions or more"
        )
    return table.astype(np.float64)


def _refuse_ragged(payoff: Any, where: str) -> None:
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
