"""A picture of a battle from above: ground, units, what is left of them, and shots."""

from __future__ import annotations

import math
from typing import Tuple

import numpy as np

from .kernel.records import BEAM, HEAL, NOBODY, SINGLE, Field

Colour = Tuple[int, int, int]
Place = Tuple[float, float]

SCALE = 15  # pixels a cell
FINE = 2  # drawn so many times larger, and averaged
LONG_RANGE = 1.0  # cells from which on a weapon's shots are drawn
GROUND, WALL = (236, 232, 222), (120, 118, 112)
OURS, THEIRS, RIM = (31, 90, 180), (204, 60, 50), (40, 40, 40)
HEALTH, SHIELD, LOST = (60, 150, 60), (70, 180, 220), (190, 184, 172)
SHOTS = {SINGLE: (214, 140, 20), BEAM: (214, 60, 160), HEAL: (60, 150, 60)}
BAR_HEIGHT, BAR_ABOVE, SHOT_WIDTH, RIM_WIDTH = 0.16, 0.12, 0.08, 0.07  # cells


def picture(field: Field, units: np.ndarray) -> np.ndarray:
    """One battle's `units` on its `field`, as an array [H, W, 3] of bytes.

    Ours are blue, theirs red; a unit's shape (disc, square, diamond) is its type among
    those that agents tell apart. Above it is what it has left: health, then its shield.
    Lines go from those who strike from afar, or heal, to a target within their range.
    """
    canvas = _Canvas(field.ground)
    present = np.flatnonzero(units["is_there"]).tolist()
    there = sorted(present, key=lambda number: field.kinds[number]["flies"])
    for number in there:
        _body(canvas, field.kinds[number], units[number])
    for number in there:
        _bars(canvas, field.kinds[number], units[number])
        _shot(canvas, field.kinds, units, number)
    return canvas.shown()


def _body(canvas: _Canvas, kind: np.void, unit: np.void) -> None:
    place, radius = (unit["x"], unit["y"]), kind["radius"]
    canvas.shape(place, radius, kind["type"], RIM)
    side = THEIRS if kind["is_enemy"] else OURS
    canvas.shape(place, radius - RIM_WIDTH, kind["type"], side)


def _bars(canvas: _Canvas, kind: np.void, unit: np.void) -> None:
    radius = kind["radius"]
    left, right = unit["x"] - radius, unit["x"] + radius
    low = unit["y"] + radius + BAR_ABOVE
    for key, colour in (("health", HEALTH), ("shield", SHIELD)):
        if kind[key]:
            share = unit[key] / kind[key]
            middle = left + share * (right - left)
            canvas.box(left, low, right, low + BAR_HEIGHT, LOST)
            canvas.box(left, low, middle, low + BAR_HEIGHT, colour)
            low += BAR_HEIGHT


def _shot(canvas: _Canvas, kinds: np.ndarray, units: np.ndarray, number: int) -> None:
    kind, unit, target = kinds[number], units[number], units[number]["target"]
    if kind["range"] < LONG_RANGE or target == NOBODY or not units[target]["is_there"]:
        return
    start, end = (unit["x"], unit["y"]), (units[target]["x"], units[target]["y"])
    between = math.dist(start, end) - kind["radius"] - kinds[target]["radius"]
    if between <= kind["range"]:
        canvas.line(start, end, SHOTS[int(kind["weapon"])])


class _Canvas:
    """Pixels by a map's coordinates, 0, 0 in the south-west; `ground` as in Field."""

    def __init__(self, ground: np.ndarray) -> None:
        self._step = 1 / (SCALE * FINE)
        rows, columns = (size * SCALE * FINE for size in ground.shape)
        colours = np.array([WALL, GROUND], dtype=np.uint8)[ground.astype(int)]
        self._pixels = colours.repeat(SCALE * FINE, axis=0).repeat(SCALE * FINE, axis=1)
        self._x = (np.arange(columns) + 0.5) * self._step
        self._y = (np.arange(rows) + 0.5) * self._step
        self._open = tuple(_within(np.any(ground, axis=i)) for i in (1, 0))

    def box(
        self, left: float, low: float, right: float, high: float, colour: Colour
    ) -> None:
        pixels, _, _ = self._part(left, low, right, high)
        pixels[:] = colour

    def shape(self, place: Place, radius: float, number: int, colour: Colour) -> None:
        """A disc, a square or a diamond, of about one size."""
        reach = radius * 1.2
        x, y = place
        pixels, dx, dy = self._part(x - reach, y - reach, x + reach, y + reach)
        dx, dy = abs(dx - x), abs(dy - y)
        inside = (
            np.hypot(dx, dy) <= radius,
            np.maximum(dx, dy) <= 0.9 * radius,
            dx + dy <= reach,
        )[number % 3]
        pixels[inside] = colour

    def line(self, start: Place, end: Place, colour: Colour) -> None:
        (x0, y0), (x1, y1) = start, end
        pixels, dx, dy = self._part(
            min(x0, x1) - SHOT_WIDTH,
            min(y0, y1) - SHOT_WIDTH,
            max(x0, x1) + SHOT_WIDTH,
            max(y0, y1) + SHOT_WIDTH,
        )
        length = np.hypot(x1 - x0, y1 - y0)
        off = (dx - x0) * (y1 - y0) - (dy - y0) * (x1 - x0)
        pixels[abs(off) <= SHOT_WIDTH / 2 * length] = colour

    def _part(
        self, left: float, low: float, right: float, high: float
    ) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pixels of a box, with their coordinates [1, W] and [H, 1]."""
        x0, x1 = np.searchsorted(self._x, (left, right))
        y0, y1 = np.searchsorted(self._y, (low, high))
        return self._pixels[y0:y1, x0:x1], self._x[None, x0:x1], self._y[y0:y1, None]

    def shown(self) -> np.ndarray:
        """The north above; not the walls around where anybody can be."""
        pixels = self._pixels[self._open]
        rows, columns = (size // FINE for size in pixels.shape[:2])
        fine = pixels.reshape(rows, FINE, columns, FINE, 3)
        return fine.mean(axis=(1, 3)).astype(np.uint8)[::-1]


def _within(is_open: np.ndarray) -> slice:
    """The pixels from the first open cell to the last, and a cell of wall around."""
    cells = np.flatnonzero(is_open)
    first, last = max(cells[0] - 1, 0), min(cells[-1] + 2, len(is_open))
    return slice(first * SCALE * FINE, last * SCALE * FINE)
