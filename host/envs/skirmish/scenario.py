"""A map as arrays: its units' kinds, its ground, and where everybody starts."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Tuple

import numpy as np

from . import maps
from .kernel.records import HEAL, KIND, UNIT, WEAPONS, Field

BETWEEN = 0.05  # cells between neighbours when a battle begins
FIRST_TARGET = 6
FOR_A_KILL = 10.0
FOR_THE_BATTLE = 200.0


def field_of(entry: Dict[str, Any]) -> Field:
    """A map's :class:`Field`."""
    stats = maps.read("units")
    units = maps.units_of(entry)
    kinds = np.zeros(len(units), dtype=KIND)
    slots = {"ally": 0, "enemy": 0}
    for kind, (side, name) in zip(kinds, units):
        fill(kind, stats[name])
        kind["is_enemy"], kind["slot"] = side == "enemy", slots[side]
        kind["type"] = entry["types"].index(name) if entry["types"] else 0
        slots[side] += 1
    is_enemy = kinds["is_enemy"]
    enemies, allies = kinds[is_enemy], kinds[~is_enemy]
    ground = maps.ground_named(entry["terrain"])
    names = [name for _, name in units]
    return Field(
        kinds=kinds,
        damage=np.array([[damage(stats[a], stats[b]) for b in names] for a in names]),
        agents=np.flatnonzero(~is_enemy),
        enemies=np.flatnonzero(is_enemy),
        ground=ground,
        walls=maps.walls_of(ground),
        attacks=np.array(entry["attacks"], dtype=np.float64),
        largest_radius=float(kinds["radius"].max()),
        n_actions=FIRST_TARGET + n_targets(allies, enemies),
        n_types=len(entry["types"]),
        ally_shields=bool(allies["shield"].any()),
        enemy_shields=bool(enemies["shield"].any()),
        most_reward=FOR_A_KILL * len(enemies)
        + FOR_THE_BATTLE
        + float((enemies["health"] + enemies["shield"]).sum()),
    )


def fill(kind: np.void, unit: Dict[str, Any]) -> None:
    """Write a unit's statistics into its `KIND` record."""
    weapon = unit["weapon"]
    for key in ("health", "shield", "armor", "regrowth", "speed", "flies", "notices"):
        kind[key] = unit[key]
    for key in ("range", "cooldown", "strikes"):
        kind[key] = weapon[key]
    kind["radius"] = unit["size"] / 2
    kind["energy"], kind["first_energy"] = (
        unit["energy"]["most"],
        unit["energy"]["first"],
    )
    kind["weapon"] = WEAPONS[weapon["kind"]]
    kind["hits_ground"] = "ground" in weapon["hits"]
    kind["hits_air"] = "air" in weapon["hits"]
    kind["blast_radius"] = weapon.get("radius", 0)
    kind["beam_width"] = weapon.get("width", 0)
    kind["beam_height"] = weapon.get("height", 0)


def damage(unit: Dict[str, Any], other: Dict[str, Any]) -> float:
    """Of one strike, before shield and armour."""
    bonus = unit["weapon"]["bonus"]
    traits = other["traits"]
    more = sum(amount for trait, amount in bonus.items() if trait in traits)
    return float(unit["weapon"]["damage"] + more)


def n_targets(allies: np.ndarray, enemies: np.ndarray) -> int:
    """How many target actions there are; healers' targets are agents."""
    n_healers = (allies["weapon"] == HEAL).sum()
    if not n_healers:
        return len(enemies)
    return int(max(len(allies) - n_healers, len(enemies)))


def sizes(field: Field) -> Tuple[int, int]:
    """The lengths of an observation and of the state."""
    n_agents, n_enemies = len(field.agents), len(field.enemies)
    ally = field.ally_shields + field.n_types
    enemy = field.enemy_shields + field.n_types
    obs = 4 + n_enemies * (5 + enemy) + (n_agents - 1) * (5 + ally) + 1 + ally
    state = n_agents * (4 + ally + field.n_actions) + n_enemies * (3 + enemy)
    return obs, state


# Where they start ---------------------------------------------------------------------


def start_of(entry: Dict[str, Any], field: Field) -> np.ndarray:
    """The units when a battle begins, but for what the kernel sets: UNIT [n]."""
    units = np.zeros(len(field.kinds), dtype=UNIT)
    places, radii = [], maps.read("units")
    for group in entry["groups"]:
        sizes = [
            radii[name]["size"] / 2
            for name, count in group["units"].items()
            for _ in range(count)
        ]
        x, y = group["at"]
        places += formation(sizes, x, y, 1 if group["side"] == "ally" else -1)
    units["x"], units["y"] = np.array(places, dtype=np.float32).T
    return units


def formation(
    radii: List[float], x: float, y: float, way: int
) -> List[Tuple[float, float]]:
    """The places of a group: a square of rows around a point.

    Args:
        radii: of its units, in their order.
        x, y: the middle.
        way: 1 fills it to the north-east, -1, the enemy's, to the south-west: equal
            groups are each other's mirror image.
    """
    side = math.ceil(math.sqrt(len(radii)))
    rows = [radii[k : k + side] for k in range(0, side * side, side)]
    heights = [max(row, default=0) for row in rows]
    width = max(sum(2 * radius for radius in row) for row in rows)
    height = 2 * sum(heights) + (side - 1) * BETWEEN
    west, y = x - way * width / 2, y - way * height / 2
    places, below = [], 0.0
    for row, half in zip(rows, heights):
        y += way * (below + half)
        below, x, before = half, west, 0.0
        for radius in row:
            x += way * (before + radius)
            before = radius
            places.append((x, y))
            x += way * BETWEEN
        y += way * BETWEEN
    return places
