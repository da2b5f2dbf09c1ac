"""What weapons do, and what heals by itself."""

from __future__ import annotations

import numpy as np

from .compiling import compiled
from .records import BEAM, BLAST, HEAL, NOBODY, TICKS, Field
from .vectors import within

SHIELD_WAIT = 10.0  # seconds without a hit until a shield grows
SHIELD_GROWTH = 2.0  # a second
ENERGY_GROWTH = 0.5625
MENDING = 9.0  # health that a healer gives in a second
HEALTH_PER_ENERGY = 3.0
ENERGY_TO_BEGIN = 5.0
FOR_A_KILL = 10.0


@compiled
def recover(unit: np.record, kind: np.record) -> None:
    """A tick's worth of cooldown, shield, energy and health."""
    unit.cooldown = max(0.0, unit.cooldown - 1 / TICKS)
    unit.shield_wait = max(0.0, unit.shield_wait - 1 / TICKS)
    if unit.shield_wait == 0 and unit.shield < kind.shield:
        unit.shield = min(unit.shield + SHIELD_GROWTH / TICKS, kind.shield)
    if unit.energy < kind.energy:
        unit.energy = min(unit.energy + ENERGY_GROWTH / TICKS, kind.energy)
    if kind.regrowth > 0 and unit.health < kind.health:
        unit.health = min(unit.health + kind.regrowth / TICKS, kind.health)


@compiled
def strike(field: Field, units: np.ndarray, u: int, target: int) -> float:
    """Use the unit's weapon on a target; returns what it is worth."""
    weapon = field.kinds[u].weapon
    if weapon == HEAL:
        heal(field.kinds, units, u, target)
        return 0.0
    if weapon == BLAST:
        return blast(field, units, u)
    if weapon == BEAM:
        return beam(field, units, u, target)
    return hit(field, units, u, target)


@compiled
def hit(field: Field, units: np.ndarray, u: int, target: int) -> float:
    worth = 0.0
    for _ in range(field.kinds[u].strikes):
        worth += hurt(units[target], field.kinds[target], field.damage[u, target])
    return worth


@compiled
def hurt(unit: np.record, kind: np.record, amount: float) -> float:
    """Take a hit: shield first, then health behind armour. Enemies' is rewarded."""
    if unit.health == 0:
        return 0.0
    if kind.shield > 0:
        unit.shield_wait = SHIELD_WAIT
    soaked = min(amount, unit.shield)
    unit.shield -= soaked
    wound = max(0.0, min(amount - soaked - kind.armor, unit.health))
    unit.health -= wound
    if not kind.is_enemy:
        return 0.0
    return soaked + wound + (FOR_A_KILL if unit.health == 0 else 0.0)


@compiled
def heal(kinds: np.ndarray, units: np.ndarray, u: int, target: int) -> None:
    """Give health for energy; not begun with too little of it."""
    unit, other, most = units[u], units[target], kinds[target].health
    is_new = unit.last_target != unit.target
    if (is_new and unit.energy < ENERGY_TO_BEGIN) or other.health == most:
        unit.target = NOBODY
        return
    amount = min(most - other.health, MENDING / TICKS)
    if unit.mending < amount:
        spent = min(1.0, unit.energy)
        unit.energy -= spent
        unit.mending += spent * HEALTH_PER_ENERGY
    amount = min(amount, unit.mending)
    unit.mending -= amount
    other.health += amount


@compiled
def was_near(unit: np.record, other: np.record, radius: float) -> np.bool_:
    """Whether another was within `radius` when the tick began."""
    dx = np.float64(unit.x) - np.float64(other.old_x)
    dy = np.float64(unit.y) - np.float64(other.old_y)
    return dx * dx + dy * dy <= radius * radius


@compiled
def blast(field: Field, units: np.ndarray, u: int) -> float:
    """Die, and hurt all of the other side around. An enemy's own health is rewarded."""
    kinds = field.kinds
    radius = kinds[u].blast_radius
    own = units[u].health if kinds[u].is_enemy else 0.0
    worth, units[u].health = 0.0, 0.0
    for v in range(len(units)):
        is_other = units[v].is_there and kinds[v].is_enemy != kinds[u].is_enemy
        if is_other and was_near(units[u], units[v], radius + field.largest_radius):
            if within(units[v], units[u], radius + kinds[v].radius):
                worth += hit(field, units, u, v)
    return worth + own


@compiled
def beam(field: Field, units: np.ndarray, u: int, target: int) -> float:
    """Hurt all that touch a bar through the target, across the line of fire."""
    kinds, aimed = field.kinds, units[target]
    width, height = kinds[u].beam_width, kinds[u].beam_height
    radius = np.hypot(width, height) / 2
    slope = (aimed.y - units[u].y) / (aimed.x - units[u].x)
    angle = np.arctan(np.float32(-1) / slope)
    c, s = np.cos(angle), np.sin(angle)
    along, across = aimed.x * c + aimed.y * s, aimed.y * c - aimed.x * s
    worth = 0.0
    for v in range(len(units)):
        is_other = units[v].is_there and kinds[v].is_enemy == kinds[target].is_enemy
        if not is_other or not was_near(aimed, units[v], radius):
            continue
        x, y = units[v].x, units[v].y
        dx = max(abs(x * c + y * s - along) - width / 2, 0.0)
        dy = max(abs(y * c - x * s - across) - height / 2, 0.0)
        if dx * dx + dy * dy <= kinds[v].radius ** 2:
            worth += hit(field, units, u, v)
    return worth
