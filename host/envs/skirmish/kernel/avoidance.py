"""How units get out of each other's way: ORCA (van den Berg et al. 2011).

Each neighbour and each wall forbids a half-plane of velocities; of those that are left
a unit takes the nearest to the one it wants, or, where none is left, the one that
breaks the neighbours' claims least. As SMAClite has it, which differs from the
published algorithm in three ways: a unit that stands is given all the room, not half;
only units that nearly touch are neighbours; and a wall's line is moved off it by the
same amount along both axes, whatever the wall's direction.
"""

from __future__ import annotations

from typing import Tuple, Union

import numpy as np

from .compiling import compiled
from .records import TICKS, Field
from .vectors import (
    Vector,
    det,
    direction,
    distance,
    dot,
    double,
    is_short,
    is_zero,
    kept,
    length,
    minus,
    over,
    plus,
    times,
    times_exact,
    turned,
)

PARALLEL = 1e-5
COVERED = -1e-5
AXES = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


@compiled
def avoid(
    field: Field, units: np.ndarray, u: int, lines: np.ndarray, projected: np.ndarray
) -> None:
    """Set the velocity that a unit gets; `lines` and `projected` are scratch."""
    unit, kind = units[u], field.kinds[u]
    wanted = wish(unit)
    if is_zero(wanted):
        set_next(unit, wanted)
        return
    n_walls = 0 if kind.flies else wall_lines(unit, kind, field.walls, lines)
    n_lines = neighbour_lines(field, units, u, lines, n_walls)
    fits, velocity = nearest_allowed(lines, n_lines, kind.speed, wanted, False)
    if fits < n_lines:
        velocity = least_bad(
            lines, n_walls, n_lines, fits, kind.speed, velocity, projected
        )
    set_next(unit, velocity)


@compiled
def wish(unit: np.record) -> Vector:
    return unit.wanted[0], unit.wanted[1], unit.wanted_single


@compiled
def speed_of(unit: np.record) -> Vector:
    return unit.velocity[0], unit.velocity[1], unit.velocity_single


@compiled
def place(unit: np.record) -> Vector:
    return np.float64(unit.x), np.float64(unit.y), True


@compiled
def set_next(unit: np.record, velocity: Vector) -> None:
    unit.next[0], unit.next[1], unit.next_single = velocity


@compiled
def set_line(line: np.record, point: Vector, way: Vector) -> None:
    line.point[0], line.point[1], line.point_single = point
    line.way[0], line.way[1], line.way_single = way


@compiled
def point_of(line: np.record) -> Vector:
    return line.point[0], line.point[1], line.point_single


@compiled
def way_of(line: np.record) -> Vector:
    return line.way[0], line.way[1], line.way_single


# Neighbours ---------------------------------------------------------------------------


@compiled
def neighbour_lines(
    field: Field, units: np.ndarray, u: int, lines: np.ndarray, n_lines: int
) -> int:
    """Append a line for each unit that nearly touches; returns how many there are."""
    kinds, me = field.kinds, units[u]
    reach = field.largest_radius + kinds[u].radius
    for v in range(len(units)):
        other = units[v]
        if v == u or not other.is_there or kinds[v].flies != kinds[u].flies:
            continue
        apart = distance(me, other)
        if apart <= reach:
            radius = kinds[u].radius + kinds[v].radius
            point, way = neighbour_line(me, other, apart, radius)
            set_line(lines[n_lines], point, way)
            n_lines += 1
    return n_lines


@compiled
def neighbour_line(
    me: np.record, other: np.record, apart: float, radius: float
) -> Tuple[Vector, Vector]:
    """The half-plane that another unit leaves, as a point and a direction."""
    offset = minus(place(other), place(me))
    closing = minus(speed_of(me), speed_of(other))
    if apart * apart > radius * radius:
        way, change = ahead(offset, closing, apart * apart, radius)
    else:  # they overlap: out of it within a tick
        w = minus(closing, times(np.float64(TICKS), offset))
        away = direction(w)
        way = turned(away)
        change = times(kept(kept(radius * TICKS, w[2]) - length(w), w[2]), away)
    share = 1.0 if is_zero(wish(other)) else 0.5
    return plus(speed_of(me), times(share, change)), way


@compiled
def ahead(
    offset: Vector, closing: Vector, apart_squared: float, radius: float
) -> Tuple[Vector, Vector]:
    """Direction of the line, and the change of velocity, that avoid a collision."""
    w = minus(closing, offset)
    squared = dot(w, w)
    back = dot(w, offset)
    limit = kept(kept(radius * radius, w[2]) * squared, w[2])
    if back < 0 and kept(back * back, w[2]) > limit:  # off the round end
        size = kept(np.sqrt(squared), w[2])
        away = over(w, size)
        return turned(away), times(kept(kept(radius, w[2]) - size, w[2]), away)
    leg = np.sqrt(apart_squared - radius * radius)
    sign = 1.0 if det(offset, w) > 0 else -1.0  # off the left side, or the right
    across_x = kept(offset[0] * np.float64(np.float32(radius)), True)
    across_y = kept(offset[1] * np.float64(np.float32(radius)), True)
    way = (
        (sign * offset[0] * leg - across_y) / apart_squared,
        (across_x + sign * offset[1] * leg) / apart_squared,
        False,
    )
    return way, minus(times(dot(closing, way), way), closing)


# Walls --------------------------------------------------------------------------------


@compiled
def wall_lines(
    unit: np.record, kind: np.record, walls: np.ndarray, lines: np.ndarray
) -> int:
    """A line for each side of a wall that faces the unit; returns how many."""
    reach, n_lines = kind.radius + kind.speed, 0
    for w in range(len(walls)):
        if not is_close(unit, walls[w], reach):
            continue
        for side in range(4):
            is_line, point, way = wall_line(
                unit, kind.radius, walls[w], side, lines[:n_lines]
            )
            if is_line:
                set_line(lines[n_lines], point, way)
                n_lines += 1
    return n_lines


@compiled
def is_close(unit: np.record, wall: np.ndarray, reach: float) -> Union[bool, np.bool_]:
    """Whether a wall is within reach, in single precision."""
    half_x, half_y = (wall[2] - wall[0]) / 2, (wall[3] - wall[1]) / 2
    x, y = np.float32(wall[0] + half_x), np.float32(wall[1] + half_y)
    dx = max(np.float32(0), abs(unit.x - x) - np.float32(half_x))
    dy = max(np.float32(0), abs(unit.y - y) - np.float32(half_y))
    return is_short(dx, dy, reach)


@compiled
def corner(wall: np.ndarray, number: int) -> Vector:
    """The corners, anticlockwise from the south-west."""
    x = wall[2] if number in (1, 2) else wall[0]
    y = wall[3] if number >= 2 else wall[1]
    return double(x, y)


@compiled
def axis(number: int) -> Vector:
    """The direction from a corner to the next."""
    return AXES[number, 0], AXES[number, 1], False


@compiled
def minus_axis(number: int) -> Vector:
    return -AXES[number, 0], -AXES[number, 1], False


@compiled
def tangent(offset: Vector, squared: float, radius: float, sign: float) -> Vector:
    """From a unit's place along a circle around a corner, on its left or right."""
    leg = np.sqrt(squared - radius * radius)
    return (
        (offset[0] * leg - sign * offset[1] * radius) / squared,
        (sign * offset[0] * radius + offset[1] * leg) / squared,
        False,
    )


@compiled
def is_covered(lines: np.ndarray, first: Vector, second: Vector, radius: float) -> bool:
    """Whether a line of another wall keeps the unit off both corners already."""
    for line in lines:
        point, way = point_of(line), way_of(line)
        if (
            det(minus(first, point), way) - radius >= COVERED
            and det(minus(second, point), way) - radius >= COVERED
        ):
            return True
    return False


@compiled
def wall_line(
    unit: np.record, radius: float, wall: np.ndarray, side: int, lines: np.ndarray
) -> Tuple[bool, Vector, Vector]:
    """The half-plane that one side of a wall leaves: whether any, point, direction."""
    a, b = side, (side + 1) % 4
    first, second = (
        minus(corner(wall, a), place(unit)),
        minus(corner(wall, b), place(unit)),
    )
    none, origin = (False, double(0, 0), double(0, 0)), double(0, 0)
    along = minus(second, first)
    if not det(minus(corner(wall, a), place(unit)), along) < 0:
        return none  # it faces away
    if is_covered(lines, first, second, radius):
        return none
    first_squared, second_squared = dot(first, first), dot(second, second)
    back = times(-1.0, first)
    share = dot(back, along) / dot(along, along)
    from_side = minus(back, times(share, along))
    touches = dot(from_side, from_side) <= radius * radius
    if share < 0 and first_squared < radius * radius:
        return True, origin, direction((-first[1], first[0], False))
    if share > 1 and second_squared <= radius * radius:
        if det(second, axis(b)) < 0:
            return none
        return True, origin, direction((-second[1], second[0], False))
    if 0 < share < 1 and touches:
        return True, origin, minus_axis(a)
    if share < 0 and touches:  # seen along the side: one corner is all of it
        b, second, second_squared = a, first, first_squared
    elif share > 1 and touches:
        a, first, first_squared = b, second, second_squared
    left = tangent(first, first_squared, radius, 1.0)
    right = tangent(second, second_squared, radius, -1.0)
    return side_line(speed_of(unit), radius, side, a, b, first, second, left, right)


@compiled
def side_line(
    velocity: Vector,
    radius: float,
    side: int,
    a: int,
    b: int,
    first: Vector,
    second: Vector,
    left: Vector,
    right: Vector,
) -> Tuple[bool, Vector, Vector]:
    """The line that is nearest to the velocity: round a corner, or along an edge."""
    before, origin = minus_axis((side + 3) % 4), double(0, 0)
    is_left_foreign = det(left, before) >= 0
    if is_left_foreign:
        left = before
    is_right_foreign = det(right, axis(b)) <= 0
    if is_right_foreign:
        right = axis(b)
    across, is_point = minus(second, first), a == b
    from_first, from_second = minus(velocity, first), minus(velocity, second)
    share = 0.5 if is_point else dot(from_first, across) / dot(across, across)
    on_left, on_right = dot(from_first, left), dot(from_second, right)
    if (share < 0 and on_left < 0) or (is_point and on_left < 0 and on_right < 0):
        away = direction(from_first)
        return True, plus(first, times(radius, away)), turned(away)
    if share > 1 and on_right < 0:
        away = direction(from_second)
        return True, plus(second, times(radius, away)), turned(away)
    to_side = to_left = to_right = np.inf
    if 0 <= share <= 1 and not is_point:
        to_side = squared(minus(from_first, times(share, across)))
    if on_left >= 0:
        to_left = squared(minus(from_first, times(on_left, left)))
    if on_right >= 0:
        to_right = squared(minus(from_second, times(on_right, right)))
    corner_seen = first
    if to_side <= to_left and to_side <= to_right:
        way = minus_axis(a)
    elif to_left <= to_right:
        if is_left_foreign:
            return False, origin, origin
        way = left
    else:
        if is_right_foreign:
            return False, origin, origin
        way, corner_seen = times(-1.0, right), second
    moved = radius * -way[1]
    return True, plus(corner_seen, double(moved, moved)), way


@compiled
def squared(a: Vector) -> float:
    return dot(a, a)


# Choosing a velocity ------------------------------------------------------------------


@compiled
def on_line(
    lines: np.ndarray, number: int, speed: float, wanted: Vector, is_direction: bool
) -> Tuple[bool, Vector]:
    """The best allowed velocity on a line, given those before: whether any, and it."""
    point, way = point_of(lines[number]), way_of(lines[number])
    along = dot(point, way)
    is_single = point[2] and way[2]
    room = kept(
        kept(kept(along * along, is_single) + kept(speed * speed, is_single), is_single)
        - dot(point, point),
        is_single,
    )
    if room < 0:
        return False, point
    room = kept(np.sqrt(room), is_single)
    low, low_single = kept(-along - room, is_single), is_single
    high, high_single = kept(-along + room, is_single), is_single
    for k in range(number):
        other_point, other_way = point_of(lines[k]), way_of(lines[k])
        crossing = det(way, other_way)
        gap = minus(point, other_point)
        off = det(other_way, gap)
        if abs(crossing) < PARALLEL:
            if off < 0:
                return False, point
            continue
        single = way[2] and other_way[2] and gap[2]
        t = kept(off / crossing, single)
        if crossing >= 0:
            if t < high:
                high, high_single = t, single
        elif t > low:
            low, low_single = t, single
        if low > high:
            return False, point
    if is_direction:
        is_high = dot(wanted, way) > 0
    else:
        toward = minus(wanted, point)
        t = dot(way, toward)
        is_high = t > high
        if not t < low and not is_high:
            single = way[2] and toward[2]
            return True, plus(point, times_exact(t, single, way))
    if is_high:
        return True, plus(point, times_exact(high, high_single, way))
    return True, plus(point, times_exact(low, low_single, way))


@compiled
def nearest_allowed(
    lines: np.ndarray, n_lines: int, speed: float, wanted: Vector, is_direction: bool
) -> Tuple[int, Vector]:
    """The allowed velocity that is nearest to the wanted one, or farthest that way.

    Returns:
        The number of the first line that cannot be kept to, `n_lines` if all can, and
        the velocity, of those before it.
    """
    velocity = wanted
    if is_direction:
        velocity = times(speed, wanted)
    elif dot(wanted, wanted) > kept(speed * speed, wanted[2]):
        velocity = times(speed, direction(wanted))
    for number in range(n_lines):
        line = lines[number]
        if det(way_of(line), minus(point_of(line), velocity)) <= 0:
            continue
        is_any, found = on_line(lines, number, speed, wanted, is_direction)
        if not is_any:
            return number, velocity
        velocity = found
    return n_lines, velocity


@compiled
def least_bad(
    lines: np.ndarray,
    n_walls: int,
    n_lines: int,
    first: int,
    speed: float,
    velocity: Vector,
    projected: np.ndarray,
) -> Vector:
    """Where not all lines can be kept to: walls are, neighbours' as well as can be."""
    worst = 0.0
    for number in range(first, n_lines):
        point, way = point_of(lines[number]), way_of(lines[number])
        if det(way, minus(point, velocity)) <= worst:
            continue
        n_projected = project(lines, n_walls, number, projected)
        inwards = (-way[1], way[0], way[2])
        fits, found = nearest_allowed(projected, n_projected, speed, inwards, True)
        if fits == n_projected:
            velocity = found
        worst = det(way, minus(point, velocity))
    return velocity


@compiled
def project(lines: np.ndarray, n_walls: int, number: int, projected: np.ndarray) -> int:
    """The lines on which an earlier line is broken as much as line `number` is."""
    point, way = point_of(lines[number]), way_of(lines[number])
    projected[:n_walls] = lines[:n_walls]
    n_projected = n_walls
    for k in range(n_walls, number):
        other_point, other_way = point_of(lines[k]), way_of(lines[k])
        crossing = det(way, other_way)
        if abs(crossing) <= PARALLEL:
            if dot(way, other_way) > 0:
                continue
            meeting = times(0.5, plus(point, other_point))
        else:
            gap = minus(point, other_point)
            single = other_way[2] and gap[2] and way[2]
            t = kept(det(other_way, gap) / crossing, single)
            meeting = plus(point, times_exact(t, single, way))
        set_line(projected[n_projected], meeting, direction(minus(other_way, way)))
        n_projected += 1
    return n_projected
