"""Checks of ``env_args`` values: each gives the value back or one clear line."""

from __future__ import annotations

import math
import numbers
from typing import Any, Optional, Tuple

from ..errors import ConfigError


def whole(key: str, value: Any, least: int) -> int:
    """``value`` as an int of at least ``least``."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or value < least:
        raise ConfigError(
            f"env_args.{key} is {value!r}: a whole number >= {least} is needed"
        )
    return int(value)


def pair(key: str, value: Any, least: int) -> Tuple[int, int]:
    """``value`` as two ints of at least ``least``."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise ConfigError(
            f"env_args.{key} is {value!r}: two whole numbers, [rows, columns], "
            "are needed"
        )
    return whole(f"{key}[0]", value[0], least), whole(f"{key}[1]", value[1], least)


def number(key: str, value: Any) -> float:
    """``value`` as a finite float."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ConfigError(f"env_args.{key} is {value!r}: a finite number is needed")
    return float(value)


def flag(key: str, value: Any) -> bool:
    """``value``, which must be True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"env_args.{key} is {value!r}: True or False is needed")
    return value


def seed_of(value: Any) -> Optional[int]:
    """``value`` as a seed: None, or a whole number >= 0."""
    return None if value is None else whole("seed", value, 0)
