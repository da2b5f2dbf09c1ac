"""Vectors in the plane: ``(x, y, is_single)``.

Positions are kept in single precision, as SMAClite keeps them. What NumPy makes of them
is single where all that goes in is single, else double; a battle in which many units
touch follows every rounding. So a vector carries how exact it is, and so does what
comes out of it.
"""

from __future__ import annotations

from typing import Tuple, Union

import numpy as np

from .compiling import compiled

Vector = Tuple[float, float, bool]


@compiled
def kept(value: float, single: bool) -> float:
    """`value`, as exact as it may be."""
    return np.float64(np.float32(value)) if single else value


@compiled
def double(x: float, y: float) -> Vector:
    return np.float64(x), np.float64(y), False


@compiled
def minus(a: Vector, b: Vector) -> Vector:
    single = a[2] and b[2]
    return kept(a[0] - b[0], single), kept(a[1] - b[1], single), single


@compiled
def plus(a: Vector, b: Vector) -> Vector:
    single = a[2] and b[2]
    return kept(a[0] + b[0], single), kept(a[1] + b[1], single), single


@compiled
def times(factor: float, a: Vector) -> Vector:
    """`a`, by a factor that takes on its precision."""
    factor = kept(factor, a[2])
    return kept(factor * a[0], a[2]), kept(factor * a[1], a[2]), a[2]


@compiled
def times_exact(factor: float, is_single: bool, a: Vector) -> Vector:
    """`a`, by a factor that has a precision of its own."""
    single = a[2] and is_single
    return kept(factor * a[0], single), kept(factor * a[1], single), single


@compiled
def over(a: Vector, divisor: float) -> Vector:
    """`a`, divided by what takes on its precision."""
    divisor = kept(divisor, a[2])
    return kept(a[0] / divisor, a[2]), kept(a[1] / divisor, a[2]), a[2]


@compiled
def dot(a: Vector, b: Vector) -> float:
    single = a[2] and b[2]
    return kept(kept(a[0] * b[0], single) + kept(a[1] * b[1], single), single)


@compiled
def det(a: Vector, b: Vector) -> float:
    """Positive where `b` points to the left of `a`."""
    single = a[2] and b[2]
    return kept(kept(a[0] * b[1], single) - kept(a[1] * b[0], single), single)


@compiled
def length(a: Vector) -> float:
    return kept(np.sqrt(dot(a, a)), a[2])


@compiled
def direction(a: Vector) -> Vector:
    return over(a, length(a))


@compiled
def turned(a: Vector) -> Vector:
    """A quarter to the right."""
    return a[1], -a[0], a[2]


@compiled
def is_zero(a: Vector) -> bool:
    return a[0] == 0 and a[1] == 0


@compiled
def is_short(dx: float, dy: float, radius: float) -> Union[bool, np.bool_]:
    """Whether (dx, dy), both from 0, is at most `radius` long, in single precision."""
    limit = np.float32(radius)
    if dx > limit or dy > limit:
        return False
    return dx + dy <= limit or dx * dx + dy * dy <= np.float32(radius * radius)


@compiled
def within(a: np.record, b: np.record, radius: float) -> Union[bool, np.bool_]:
    """Whether two units' positions are at most `radius` apart, in single precision."""
    return is_short(abs(a.x - b.x), abs(a.y - b.y), radius)


@compiled
def distance(a: np.record, b: np.record) -> float:
    """Between two units, in double precision."""
    dx, dy = np.float64(a.x) - np.float64(b.x), np.float64(a.y) - np.float64(b.y)
    return np.sqrt(dx * dx + dy * dy)
