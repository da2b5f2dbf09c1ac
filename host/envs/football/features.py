"""What agents observe, the state, and which actions do something.

`seen` is gfootball's own account of the game, a dict of arrays: positions from -1 to 1
along the pitch (our goal to theirs) and -0.42 to 0.42 across, directions per step.
"""

from __future__ import annotations

from typing import Any, Dict, List, Sequence

import numpy as np

# Per step a running player covers 0.014 and a ball 0.07, and rises 1.3 (measured).
SPEED_SCALE = 30.0
HEIGHT_SCALE = 0.1  # a ball flies up to 8 high
N_MODES = 7  # of the game: normal, kick-off, goal kick, free kick, corner …
SPRINTS, DRIBBLES = 8, 9  # of what goes on until it is released; 8 directions first
OURS, THEIRS = 0, 1  # as `ball_owned_team` has it; -1: nobody's

N_ACTIONS = 19
PASSES_AND_SHOT = [9, 10, 11, 12]
SPRINT, DRIBBLE, SLIDE = 13, 17, 16
RELEASE_DIRECTION, RELEASE_SPRINT, RELEASE_DRIBBLE = 14, 15, 18


def _one_hot(index: int, size: int) -> np.ndarray:
    return np.arange(size) == index


def _ball(seen: Dict[str, Any], origin: Sequence[float] = (0.0, 0.0)) -> List[float]:
    """Position from `origin`, and direction [6]."""
    x, y, z = seen["ball"]
    dx, dy, dz = seen["ball_direction"]
    near = [x - origin[0], y - origin[1], z * HEIGHT_SCALE]
    return [*near, dx * SPEED_SCALE, dy * SPEED_SCALE, dz]


def state(seen: Dict[str, Any], time_left: float) -> np.ndarray:
    """All of the game, from nobody's point of view; `A` agents, `n`, `m` players.

    Positions and directions of our players and theirs [4n + 4m] and of the ball [6],
    who has it (nobody, ours, theirs) [1 + n + m], whom each agent controls [A, n], what
    each has going on [A, 10], the game's mode [7], and the share of time left [1].
    """
    n, m = len(seen["left_team"]), len(seen["right_team"])
    team, player = seen["ball_owned_team"], seen["ball_owned_player"]
    owner = {-1: 0, OURS: 1 + player, THEIRS: 1 + n + player}[team]
    players = seen["left_agent_controlled_player"]
    parts = [
        seen["left_team"],
        seen["left_team_direction"] * SPEED_SCALE,
        seen["right_team"],
        seen["right_team_direction"] * SPEED_SCALE,
        _ball(seen),
        _one_hot(owner, 1 + n + m),
        [_one_hot(player, n) for player in players],
        seen["left_agent_sticky_actions"],
        _one_hot(seen["game_mode"], N_MODES),
        [time_left],
    ]
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float32)


def centred(seen: Dict[str, Any], time_left: float) -> np.ndarray:
    """Each agent's observation: positions as seen from its player [A, O].

    Its own position and direction [4], the other players of ours and all of theirs,
    position from here and direction [4(n - 1) + 4m], the ball likewise [6], whether it
    is nobody's, its own, ours or theirs [4], which player it is [n], what it has going
    on [10], the game's mode [7], and the share of time left [1]. Zeros where an agent
    has no player, as after a red card.
    """
    n, m = len(seen["left_team"]), len(seen["right_team"])
    players = seen["left_agent_controlled_player"]
    obs = np.zeros((len(players), 4 * n + 4 * m + n + 28), dtype=np.float32)
    for row, player, sticky in zip(obs, players, seen["left_agent_sticky_actions"]):
        if player >= 0:
            row[:] = _as_seen_by(player, sticky, seen, time_left)
    return obs


def _as_seen_by(
    player: int, sticky: np.ndarray, seen: Dict[str, Any], time_left: float
) -> np.ndarray:
    ours, theirs = seen["left_team"], seen["right_team"]
    ours_go, they_go = seen["left_team_direction"], seen["right_team_direction"]
    here = ours[player]
    others = np.arange(len(ours)) != player
    team = seen["ball_owned_team"]
    is_own = team == OURS and seen["ball_owned_player"] == player
    parts = [
        here,
        ours_go[player] * SPEED_SCALE,
        ours[others] - here,
        ours_go[others] * SPEED_SCALE,
        theirs - here,
        they_go * SPEED_SCALE,
        _ball(seen, here),
        [team == -1, is_own, team == OURS and not is_own, team == THEIRS],
        _one_hot(player, len(ours)),
        sticky,
        _one_hot(seen["game_mode"], N_MODES),
        [time_left],
    ]
    return np.concatenate([np.ravel(part) for part in parts])


def masks(seen: Dict[str, Any]) -> np.ndarray:
    """What is worth trying [A, U]: actions that do nothing are masked.

    A pass or a shot while another player has the ball; a slide while we have it; to
    begin what goes on already, and to release what does not.
    """
    players = seen["left_agent_controlled_player"]
    avail = np.ones((len(players), N_ACTIONS), dtype=np.uint8)
    team, owner = seen["ball_owned_team"], seen["ball_owned_player"]
    for row, player, sticky in zip(avail, players, seen["left_agent_sticky_actions"]):
        row[PASSES_AND_SHOT] = team == -1 or (team == OURS and owner == player)
        row[SLIDE] = team != OURS
        row[RELEASE_DIRECTION] = np.any(sticky[:SPRINTS])
        row[RELEASE_SPRINT], row[SPRINT] = sticky[SPRINTS], not sticky[SPRINTS]
        row[RELEASE_DRIBBLE], row[DRIBBLE] = sticky[DRIBBLES], not sticky[DRIBBLES]
        if player < 0:
            row[1:] = 0
    return avail
