"""What units want: whom they attack, and where they would go.

Agents do as they are told. An enemy advances towards a point, and turns on whoever
comes near, or attacks it.
"""

from __future__ import annotations

from typing import Union

import numpy as np

from .compiling import compiled
from .records import ADVANCE, ATTACK, HEAL, MOVE, NOBODY, Field
from .vectors import (
    Vector,
    distance,
    double,
    length,
    minus,
    over,
    times,
    within,
)


@compiled
def can_hit(kind: np.record, other: np.record) -> bool:
    """Whether a kind's weapon reaches another: on the ground, or in the air."""
    return kind.hits_air if other.flies else kind.hits_ground


@compiled
def in_range(
    kinds: np.ndarray, units: np.ndarray, u: int, target: int
) -> Union[bool, np.bool_]:
    reach = kinds[u].range + kinds[target].radius + kinds[u].radius
    return within(units[u], units[target], reach)


# Keeping a target ---------------------------------------------------------------------


@compiled
def reconsider(kinds: np.ndarray, units: np.ndarray, u: int) -> None:
    """Begin the tick: who was in its sights stays there, or not.

    One who advances keeps a target that is within range, or attacks it.
    """
    unit = units[u]
    unit.last_target = unit.target
    if unit.order == ATTACK:
        unit.target = unit.aim if units[unit.aim].health > 0 else NOBODY
    elif unit.order != ADVANCE:
        unit.target = NOBODY
    elif unit.target != NOBODY:
        target = units[unit.target]
        is_dead = target.health == 0
        fights_back = target.target == u
        if is_dead or not (fights_back or in_range(kinds, units, u, unit.target)):
            unit.target = NOBODY


# Choosing one -------------------------------------------------------------------------


@compiled
def nearest_foe(field: Field, units: np.ndarray, u: int, is_hunting: bool) -> int:
    """Whom an enemy turns on: those who heal first, then by distance; or NOBODY.

    Args:
        is_hunting: it has no target; then whoever attacks it counts, however far off,
            but after all others.
    """
    kinds, found = field.kinds, NOBODY
    best_rank, best = 2, np.inf
    reach = kinds[u].notices + field.largest_radius
    for a in field.agents:
        if not units[a].is_there or not can_hit(kinds[u], kinds[a]):
            continue
        apart = distance(units[u], units[a])
        near = apart < kinds[u].notices + kinds[a].radius
        if apart > reach or not (near or units[a].target == u):
            continue
        rank = 0 if kinds[a].weapon == HEAL else 1
        if units[a].health > 0 and (rank, apart) < (best_rank, best):
            best_rank, best, found = rank, apart, a
    if not is_hunting:
        return found
    for a in field.agents:
        attacks = units[a].is_there and units[a].target == u
        if not attacks or not can_hit(kinds[u], kinds[a]) or units[a].health == 0:
            continue
        rank = 0 if kinds[a].weapon == HEAL else 1
        if (rank, 2e9) < (best_rank, best):
            best_rank, best, found = rank, 2e9, a
    return found


@compiled
def neediest_friend(field: Field, units: np.ndarray, u: int) -> int:
    """Whom an enemy that heals turns to: the weakest who is hurt, or fights."""
    kinds, found, least = field.kinds, NOBODY, np.inf
    for e in field.enemies:
        if not is_friend_near(field, units, u, e):
            continue
        is_near = distance(units[u], units[e]) < kinds[u].notices + kinds[e].radius
        needs = units[e].health < kinds[e].health or units[e].target != NOBODY
        if is_near and needs and 0 < units[e].health < least:
            found, least = e, units[e].health
    return found


@compiled
def is_friend_near(field: Field, units: np.ndarray, u: int, e: int) -> bool:
    """Whether a healer may think of this friend at all."""
    kinds = field.kinds
    if not units[e].is_there or not can_hit(kinds[u], kinds[e]):
        return False
    reach = kinds[u].notices + field.largest_radius
    return distance(units[u], units[e]) <= reach


# Going --------------------------------------------------------------------------------


@compiled
def want(
    field: Field, units: np.ndarray, u: int, has_healer: bool, pace: float
) -> None:
    """Set the velocity that a unit would have, were it alone.

    Args:
        has_healer: an agent heals: then enemies look for better targets all the time.
        pace: its speed, that of those it follows if it heals.
    """
    kinds, unit = field.kinds, units[u]
    unit.strikes_now = False
    if unit.order == MOVE:
        head_for(unit, double(unit.goal[0], unit.goal[1]), pace)
    elif unit.order == ATTACK:
        approach(kinds, units, u, unit.aim, pace)
    elif unit.order == ADVANCE:
        if unit.target == NOBODY:
            heals = kinds[u].weapon == HEAL
            unit.target = (
                neediest_friend(field, units, u)
                if heals
                else nearest_foe(field, units, u, True)
            )
        elif hunts_better(kinds, units, u, has_healer):
            better = nearest_foe(field, units, u, False)
            unit.target = unit.target if better == NOBODY else better
        if unit.target == NOBODY:
            head_for(unit, double(unit.goal[0], unit.goal[1]), pace)
        else:
            approach(kinds, units, u, unit.target, pace)
    else:
        set_wanted(unit, double(0, 0))


@compiled
def hunts_better(
    kinds: np.ndarray, units: np.ndarray, u: int, has_healer: bool
) -> bool:
    target = units[u].target
    return has_healer and kinds[u].weapon != HEAL and kinds[target].weapon != HEAL


@compiled
def approach(
    kinds: np.ndarray, units: np.ndarray, u: int, target: int, pace: float
) -> None:
    """Stand and strike where the target is within range, else go to it."""
    unit, other = units[u], units[target]
    if in_range(kinds, units, u, target) and can_hit(kinds[u], kinds[target]):
        unit.strikes_now = True
        set_wanted(unit, double(0, 0))
    else:
        head_for(unit, (np.float64(other.x), np.float64(other.y), True), pace)


@compiled
def head_for(unit: np.record, goal: Vector, pace: float) -> None:
    here = (np.float64(unit.x), np.float64(unit.y), True)
    way = minus(goal, here)
    apart = length(way)
    if pace == 0 or apart == 0:
        set_wanted(unit, double(0, 0))
    else:
        set_wanted(unit, over(times(pace, way), apart))


@compiled
def set_wanted(unit: np.record, velocity: Vector) -> None:
    unit.wanted[0], unit.wanted[1], unit.wanted_single = velocity


@compiled
def pace_of(
    field: Field, units: np.ndarray, u: int, was_hunting: bool, someone_hunts: bool
) -> float:
    """A unit's speed; an enemy that heals goes no faster than its slowest company.

    Its company is the friends around it, or, once it has a target, whoever attacks it
    (so it was published).
    """
    kinds = field.kinds
    if kinds[u].weapon != HEAL or not kinds[u].is_enemy:
        return kinds[u].speed
    pace = np.inf
    if was_hunting:
        for e in field.enemies:
            if is_friend_near(field, units, u, e):
                pace = min(pace, kinds[e].speed)
    elif someone_hunts:
        for a in field.agents:
            attacks = units[a].is_there and units[a].target == u
            if attacks and can_hit(kinds[u], kinds[a]):
                pace = min(pace, kinds[a].speed)
    return kinds[u].speed if pace == np.inf else pace
