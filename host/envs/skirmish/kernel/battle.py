"""One step of many battles: eight ticks, each the same six things in turn."""

from __future__ import annotations

import numpy as np

from .avoidance import avoid
from .combat import recover, strike
from .compiling import compiled, entry
from .orders import pace_of, reconsider, want
from .records import (
    ADVANCE,
    ATTACK,
    HEAL,
    LINE,
    MOVE,
    NOBODY,
    NOTHING,
    STOP,
    TICKS,
    TICKS_PER_STEP,
    Field,
)

MOVE_AMOUNT = 2.0  # how far off the goal is that "go north" sets
FIRST_TARGET = 6  # the action that attacks the first target
FOR_THE_BATTLE = 200.0
MOST_REWARD = 20.0


@entry
def step(
    field: Field,
    battles: np.ndarray,
    orders: np.ndarray,
    actions: np.ndarray,
    is_over: np.ndarray,
    reward: np.ndarray,
) -> None:
    """Play eight ticks in each copy that is not over.

    Args:
        field: the map.
        battles: UNIT [N, n], changed.
        orders: for each copy and tick the units in the order in which they act
            [N, TICKS_PER_STEP, n].
        actions: of the agents [N, A]; those of the dead are not read.
        is_over: bool [N], changed: one side is gone.
        reward: float64 [N], changed.
    """
    n_units = len(field.kinds)
    lines = np.empty(4 * len(field.walls) + n_units, dtype=LINE)
    projected = np.empty_like(lines)
    for copy in range(len(battles)):
        reward[copy] = 0
        if is_over[copy]:
            continue
        units = battles[copy]
        command(field, units, actions[copy])
        for t in range(TICKS_PER_STEP):
            reward[copy] += tick(field, units, orders[copy, t], lines, projected)
        has_won = count(units, field.enemies) == 0
        if has_won:
            reward[copy] += FOR_THE_BATTLE
        is_over[copy] = has_won or count(units, field.agents) == 0
        reward[copy] /= field.most_reward / MOST_REWARD


@compiled
def count(units: np.ndarray, which: np.ndarray) -> int:
    """How many of them are still there."""
    there = 0
    for u in which:
        there += units[u].is_there
    return there


@entry
def begin(field: Field, units: np.ndarray) -> None:
    """All units whole, where `units` has them; enemies advance."""
    for u in range(len(units)):
        unit, kind = units[u], field.kinds[u]
        unit.is_there = True
        unit.health, unit.shield, unit.energy = (
            kind.health,
            kind.shield,
            kind.first_energy,
        )
        unit.cooldown = unit.shield_wait = unit.mending = 0
        unit.velocity[:] = 0
        unit.velocity_single = True
        unit.order = ADVANCE if kind.is_enemy else NOTHING
        unit.goal[:] = field.attacks
        unit.target = unit.last_target = unit.aim = NOBODY


@compiled
def command(field: Field, units: np.ndarray, actions: np.ndarray) -> None:
    """Hand the agents their orders for this step."""
    for agent in range(len(actions)):
        u = field.agents[agent]
        unit, action = units[u], actions[agent]
        if not unit.is_there:
            continue
        if action < 2:
            unit.order = STOP if action == 1 else NOTHING
        elif action < FIRST_TARGET:
            unit.order = MOVE
            unit.goal[0], unit.goal[1] = unit.x, unit.y
            sign = 1 - 2 * (action % 2)  # north, south, east, west
            unit.goal[1 - (action - 2) // 2] += sign * MOVE_AMOUNT
        else:
            unit.order = ATTACK
            heals = field.kinds[u].weapon == HEAL
            side = field.agents if heals else field.enemies
            unit.aim = side[action - FIRST_TARGET]


@compiled
def tick(
    field: Field,
    units: np.ndarray,
    order: np.ndarray,
    lines: np.ndarray,
    projected: np.ndarray,
) -> float:
    """A sixteenth of a second; returns what it is worth."""
    kinds = field.kinds
    for u in range(len(units)):
        if units[u].is_there:
            units[u].old_x, units[u].old_y = units[u].x, units[u].y
            reconsider(kinds, units, u)
    decide(field, units)
    for u in range(len(units)):
        if units[u].is_there:
            avoid(field, units, u, lines, projected)
    worth = 0.0
    for u in order:
        if units[u].is_there and units[u].health > 0:
            worth += act(field, units, u)
    for u in range(len(units)):
        if units[u].health == 0:
            units[u].is_there = False
    return worth


@compiled
def decide(field: Field, units: np.ndarray) -> None:
    """Everybody's wishes, one after the other: they see those of who came before."""
    kinds = field.kinds
    someone_hunts = False
    for e in field.enemies:
        is_free = units[e].is_there and units[e].target == NOBODY
        someone_hunts |= is_free and kinds[e].weapon != HEAL
    has_healer = False
    for a in field.agents:
        has_healer |= units[a].is_there and kinds[a].weapon == HEAL
    for u in range(len(units)):
        if units[u].is_there:
            hunts = units[u].target == NOBODY
            pace = pace_of(field, units, u, hunts, someone_hunts)
            want(field, units, u, has_healer, pace)


@compiled
def act(field: Field, units: np.ndarray, u: int) -> float:
    """Go, recover, strike; returns what it is worth."""
    unit, kind = units[u], field.kinds[u]
    unit.velocity[:] = unit.next
    unit.velocity_single = unit.next_single
    unit.x = np.float32(unit.x + unit.velocity[0] / TICKS)
    unit.y = np.float32(unit.y + unit.velocity[1] / TICKS)
    recover(unit, kind)
    if unit.order == STOP:
        unit.target = NOBODY
    if not unit.strikes_now:
        return 0.0
    unit.strikes_now = False
    if unit.cooldown > 0:
        return 0.0
    unit.cooldown = kind.cooldown
    return strike(field, units, u, unit.aim if unit.order == ATTACK else unit.target)
