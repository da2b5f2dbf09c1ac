"""What agents see, what they may do, and the state of it all: SMAC's features."""

from __future__ import annotations

import numpy as np

from .compiling import compiled, entry
from .records import HEAL, Field
from .vectors import distance, within

SIGHT = 9.0
TARGETS_WITHIN = 6.0
STEP_AHEAD = 1.0  # the ground there decides whether one can go that way
N_DIRECTIONS = 4
FIRST_TARGET = 6


@entry
def look(
    field: Field,
    battles: np.ndarray,
    which: np.ndarray,
    last_actions: np.ndarray,
    obs: np.ndarray,
    state: np.ndarray,
    avail: np.ndarray,
) -> None:
    """Write what is seen of battles.

    Args:
        field: the map.
        battles: UNIT [N, n].
        which: of them, bool [N]; the others' arrays stay as they are.
        last_actions: of the agents [N, A], -1 at the start.
        obs, state, avail: [N, A, O], [N, S], [N, A, U], changed.
    """
    for copy in np.flatnonzero(which):
        units = battles[copy]
        obs[copy], state[copy], avail[copy] = 0, 0, 0
        write_state(field, units, last_actions[copy], state[copy])
        for agent in range(len(field.agents)):
            u = field.agents[agent]
            if units[u].is_there:
                write_avail(field, units, u, avail[copy, agent])
                write_obs(field, units, u, obs[copy, agent])
            else:
                avail[copy, agent, 0] = 1


# What agents may do -------------------------------------------------------------------


@compiled
def can_go(field: Field, unit: np.record, way: int) -> bool:
    """Whether the ground is open, a cell to the north, south, east or west."""
    x, y = np.float64(unit.x), np.float64(unit.y)
    step = STEP_AHEAD if way % 2 == 0 else -STEP_AHEAD
    if way < 2:
        y += step
    else:
        x += step
    rows, columns = field.ground.shape
    is_inside = 0 <= y < columns and 0 <= x < rows
    return is_inside and field.ground[int(y), int(x)]


@compiled
def write_avail(field: Field, units: np.ndarray, u: int, avail: np.ndarray) -> None:
    avail[1] = 1
    for way in range(N_DIRECTIONS):
        avail[2 + way] = can_go(field, units[u], way)
    heals = field.kinds[u].weapon == HEAL
    for v in field.agents if heals else field.enemies:
        is_target = units[v].is_there and v != u
        if heals and field.kinds[v].weapon == HEAL:
            is_target = False
        if is_target and within(units[v], units[u], TARGETS_WITHIN):
            avail[FIRST_TARGET + field.kinds[v].slot] = 1


# What they see ------------------------------------------------------------------------


@compiled
def write_obs(field: Field, units: np.ndarray, u: int, obs: np.ndarray) -> None:
    kinds = field.kinds
    for way in range(N_DIRECTIONS):
        obs[way] = can_go(field, units[u], way)
    base = N_DIRECTIONS
    for v in field.enemies:
        flag = enemy_flag(field, units, u, v)
        base = write_other(
            field, units[u], units[v], kinds[v], flag, field.enemy_shields, obs, base
        )
    for v in field.agents:
        if v != u:
            base = write_other(
                field, units[u], units[v], kinds[v], 1.0, field.ally_shields, obs, base
            )
    write_body(field, units[u], kinds[u], field.ally_shields, obs, base)


@compiled
def enemy_flag(field: Field, units: np.ndarray, u: int, v: int) -> float:
    """Whether an enemy can be attacked; of a healer, whether the friend can be healed
    that has the enemy's number (so it was published)."""
    if field.kinds[u].weapon == HEAL:
        slot = field.kinds[v].slot
        if slot >= len(field.agents) or field.agents[slot] == u:
            return 0.0
        v = field.agents[slot]
    is_target = units[v].is_there and distance(units[u], units[v]) <= TARGETS_WITHIN
    return 1.0 if is_target else 0.0


@compiled
def write_other(
    field: Field,
    me: np.record,
    other: np.record,
    kind: np.record,
    flag: float,
    has_shield: bool,
    obs: np.ndarray,
    base: int,
) -> int:
    """Another unit, if it is in sight; returns where the next one's features begin."""
    apart = distance(me, other)
    if other.is_there and apart <= SIGHT:
        obs[base] = flag
        obs[base + 1] = apart / SIGHT
        obs[base + 2] = (other.x - me.x) / np.float32(SIGHT)
        obs[base + 3] = (other.y - me.y) / np.float32(SIGHT)
        write_body(field, other, kind, has_shield, obs, base + 4)
    return base + 5 + has_shield + field.n_types


@compiled
def write_body(
    field: Field,
    unit: np.record,
    kind: np.record,
    has_shield: bool,
    out: np.ndarray,
    base: int,
) -> None:
    """Health, shield and type, as everybody sees them."""
    out[base] = unit.health / kind.health
    if has_shield:
        out[base + 1] = unit.shield / kind.shield if kind.shield > 0 else 0.0
    if field.n_types:
        out[base + 1 + has_shield + kind.type] = 1


# The state ----------------------------------------------------------------------------


@compiled
def write_state(
    field: Field, units: np.ndarray, last_actions: np.ndarray, state: np.ndarray
) -> None:
    base = 0
    for u in field.agents:
        base = write_unit(
            field, units[u], field.kinds[u], field.ally_shields, state, base
        )
    for u in field.enemies:
        base = write_unit(
            field, units[u], field.kinds[u], field.enemy_shields, state, base
        )
    for agent in range(len(last_actions)):
        if last_actions[agent] >= 0:
            state[base + last_actions[agent]] = 1
        base += field.n_actions


@compiled
def write_unit(
    field: Field,
    unit: np.record,
    kind: np.record,
    has_shield: bool,
    state: np.ndarray,
    base: int,
) -> int:
    """Health, readiness (of agents), place, shield, type; returns the next base."""
    is_ally = not kind.is_enemy
    size = 3 + is_ally + has_shield + field.n_types
    if not unit.is_there:
        return base + size
    rows, columns = field.ground.shape
    state[base] = unit.health / kind.health
    if is_ally:
        heals = kind.weapon == HEAL
        ready = unit.energy / kind.energy if heals else unit.cooldown / kind.cooldown
        state[base + 1] = ready
    place = base + 1 + is_ally
    state[place] = (unit.x - columns / 2) / columns
    state[place + 1] = (unit.y - rows / 2) / rows
    if has_shield:
        state[place + 2] = unit.shield / kind.shield if kind.shield > 0 else 0.0
    if field.n_types:
        state[place + 2 + has_shield + kind.type] = 1
    return base + size
