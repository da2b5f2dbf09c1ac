"""A picture of the pitch from above: players, ball and lines, drawn from positions."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy as np

WIDTH, HEIGHT = 480, 240  # pixels
MARGIN = 1.08  # beyond the goal line, and in the same measure beyond the side line
HALF_WIDTH = 0.42  # of the pitch; half its length is 1
GRASS, LINE, BALL = (74, 124, 68), (196, 216, 192), (255, 255, 255)
OURS, THEIRS, CONTROLLED = (31, 90, 180), (204, 60, 50), (250, 220, 70)
PLAYER_SIZE, RING_SIZE, BALL_SIZE = 0.026, 0.036, 0.014
LINE_SIZE = 0.006  # a pixel, at least
BOX = (0.70, 0.24)  # of the penalty area: x from which, y up to which
GOAL = 0.044  # half its width

_X = np.linspace(-MARGIN, MARGIN, WIDTH)[None, :]
_Y = np.linspace(-MARGIN, MARGIN, HEIGHT)[:, None] * HEIGHT / WIDTH


def picture(seen: Dict[str, Any]) -> np.ndarray:
    """The game as an array [H, W, 3] of bytes; controlled players have a rim."""
    image = _LINES.copy()
    controlled = set(seen["left_agent_controlled_player"])
    for player, place in enumerate(seen["left_team"]):
        if player in controlled:
            _dot(image, place, RING_SIZE, CONTROLLED)
        _dot(image, place, PLAYER_SIZE, OURS)
    for place in seen["right_team"]:
        _dot(image, place, PLAYER_SIZE, THEIRS)
    _dot(image, seen["ball"][:2], BALL_SIZE, BALL)
    return image


def _dot(
    image: np.ndarray,
    place: Sequence[float],
    radius: float,
    colour: Tuple[int, int, int],
) -> None:
    image[np.hypot(_X - place[0], _Y - place[1]) <= radius] = colour


def _lines() -> np.ndarray:
    image = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    image[:] = GRASS
    x, y = np.abs(_X), np.abs(_Y)
    for left, right, top in ((0, 1, HALF_WIDTH), (BOX[0], 1, BOX[1]), (1, 1.03, GOAL)):
        inside = (x >= left) & (x <= right) & (y <= top)
        within = (x >= left + LINE_SIZE) & (x <= right - LINE_SIZE)
        image[inside & ~(within & (y <= top - LINE_SIZE))] = LINE
    image[np.abs(np.hypot(x, y) - 0.18) <= LINE_SIZE / 2] = LINE
    return image


_LINES = _lines()
