"""What a step pays each agent."""

from __future__ import annotations

from typing import Any, Dict, Type

import numpy as np

PER_RING = 0.1
N_RINGS = 10
RINGS = np.linspace(0.99, 0.19, N_RINGS)  # distances from their goal


class Scoring:
    """A goal of ours pays each agent 1, one of theirs -1."""

    def __init__(self, n_agents: int) -> None:
        self._n_agents = n_agents

    def begin(self) -> None:
        """Start an episode."""

    def of_step(self, goals: float, seen: Dict[str, Any]) -> np.ndarray:
        """The agents' rewards [A] for `goals`, ours less theirs, in this step."""
        return np.full(self._n_agents, goals, dtype=float)


class Checkpoints(Scoring):
    """And 0.1 for each ring around their goal that an agent is first in with the ball.

    A goal pays each agent those that are left, so that its return with it is 2. The
    rules are those of gfootball's `CheckpointRewardWrapper`.
    """

    def begin(self) -> None:
        self._passed = np.zeros(self._n_agents, dtype=int)

    def of_step(self, goals: float, seen: Dict[str, Any]) -> np.ndarray:
        before = self._passed.copy()
        if goals == 1:
            self._passed[:] = N_RINGS
        elif seen["ball_owned_team"] == 0:
            x, y = seen["ball"][:2]
            inside = np.count_nonzero(np.hypot(x - 1, y) <= RINGS)
            players = np.array(seen["left_agent_controlled_player"])
            is_owner = players == seen["ball_owned_player"]
            self._passed[is_owner] = np.maximum(self._passed[is_owner], inside)
        return goals + PER_RING * (self._passed - before)


REWARDS: Dict[str, Type[Scoring]] = {
    "scoring": Scoring,
    "scoring,checkpoints": Checkpoints,
}
