"""What is known of a unit and of a battlefield, as the compiled functions see it."""

from typing import NamedTuple

import numpy as np

TICKS = 16  # in a second
TICKS_PER_STEP = 8
NOBODY = -1

# What a unit is told to do.
NOTHING, STOP, MOVE, ATTACK, ADVANCE = range(5)

# What a weapon is.
SINGLE, BLAST, BEAM, HEAL = range(4)
WEAPONS = {"single": SINGLE, "blast": BLAST, "beam": BEAM, "heal": HEAL}

KIND = np.dtype(
    [
        ("is_enemy", "?"),
        ("slot", "i8"),  # number within the side: which agent, which target
        ("type", "i8"),  # place in the one-hot of unit types
        ("flies", "?"),
        ("hits_ground", "?"),
        ("hits_air", "?"),
        ("weapon", "i8"),
        ("health", "f8"),
        ("shield", "f8"),
        ("energy", "f8"),
        ("first_energy", "f8"),
        ("armor", "f8"),
        ("regrowth", "f8"),  # health a second
        ("radius", "f8"),
        ("speed", "f8"),
        ("notices", "f8"),  # how far off an enemy picks targets
        ("range", "f8"),
        ("cooldown", "f8"),
        ("strikes", "i8"),
        ("blast_radius", "f8"),
        ("beam_width", "f8"),
        ("beam_height", "f8"),
    ],
    align=True,
)

UNIT = np.dtype(
    [
        ("is_there", "?"),  # taken off the field at the end of the tick of its death
        ("health", "f8"),
        ("shield", "f8"),
        ("energy", "f8"),
        ("cooldown", "f8"),  # seconds until it can strike
        ("shield_wait", "f8"),  # seconds until its shield grows again
        ("mending", "f8"),  # health that it can give before it spends energy
        ("x", "f4"),
        ("y", "f4"),
        ("old_x", "f4"),  # where it was when the tick began
        ("old_y", "f4"),
        ("velocity", "f8", 2),
        ("velocity_single", "?"),
        ("wanted", "f8", 2),  # the velocity that it would have, were it alone
        ("wanted_single", "?"),
        ("next", "f8", 2),  # the one that it gets
        ("next_single", "?"),
        ("order", "i8"),
        ("aim", "i8"),  # whom it is told to attack
        ("goal", "f8", 2),  # where it is told to go
        ("target", "i8"),  # whom it has in its sights
        ("last_target", "i8"),  # the same, when the tick began
        ("strikes_now", "?"),  # stands within range of its target
    ],
    align=True,
)

# A half-plane of velocities: those to the left of a line.
LINE = np.dtype(
    [
        ("point", "f8", 2),
        ("point_single", "?"),
        ("way", "f8", 2),
        ("way_single", "?"),
    ],
    align=True,
)


class Field(NamedTuple):
    """A map, as arrays. ``n`` units, of which ``A`` agents and ``E`` enemies."""

    kinds: np.ndarray  # KIND [n]
    damage: np.ndarray  # of one strike of a unit against another, float64 [n, n]
    agents: np.ndarray  # units by agent [A]
    enemies: np.ndarray  # units by enemy [E]
    ground: np.ndarray  # bool [rows, columns], the south first: where one can stand
    walls: np.ndarray  # rectangles, x0, y0, x1, y1 [W, 4]
    attacks: np.ndarray  # the point towards which enemies go [2]
    largest_radius: float
    n_actions: int
    n_types: int
    ally_shields: bool
    enemy_shields: bool
    most_reward: float  # for all damage, all kills and the battle
