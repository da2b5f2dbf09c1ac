"""One-step games: each agent picks an action, the payoff tensor gives the reward."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from .checks import seed_of
from .multiagentenv import BatchEnv, Outcomes
from .payoffs import payoff_tensor


class MatrixGameBatch(BatchEnv):
    """``N`` copies of a payoff tensor's one-step game (Rashid et al. 2020, section 4).

    State and observations are the constant ``[1.0]``. Agents with fewer actions than
    others have the missing ones marked unavailable.

    Args:
        n_copies: ``N``.
        game: a name in ``config/games.yaml``.
        payoff: nested lists that replace the named game, or None.
        seed: kept for the host's sake; the game has no randomness.

    Raises:
        ConfigError: see :func:`wqmix.host.envs.payoffs.payoff_tensor`.
    """

    obs_size = state_size = episode_limit = 1

    def __init__(
        self, n_copies: int, game: Optional[str], payoff: Any, seed: Optional[int]
    ) -> None:
        self.payoff = payoff_tensor(game, payoff)
        self.seed = seed_of(seed)
        self.n_copies = n_copies
        self.n_agents = self.payoff.ndim
        self.n_actions = max(self.payoff.shape)
        self._over = np.zeros(n_copies, dtype=bool)
        self._obs = np.ones((n_copies, self.n_agents, 1), dtype=np.float32)
        self._state = np.ones((n_copies, 1), dtype=np.float32)
        own_actions = np.arange(self.n_actions) < np.array(self.payoff.shape)[:, None]
        self._avail = np.repeat(own_actions[None].astype(np.uint8), n_copies, axis=0)

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        self._over[slice(None) if copies is None else copies] = False

    def step(self, actions: np.ndarray) -> Outcomes:
        actions = np.asarray(actions)
        if (actions < 0).any():
            raise IndexError("an action is negative")
        reward = self.payoff[tuple(actions.T)].astype(np.float32)
        reward[self._over] = 0
        self._over[:] = True
        info = {"episode_limit": np.zeros(self.n_copies, dtype=bool)}
        return reward, self._over.copy(), info

    def get_obs(self) -> np.ndarray:
        return self._obs

    def get_state(self) -> np.ndarray:
        return self._state

    def get_avail_actions(self) -> np.ndarray:
        return self._avail

    def state_dict(self) -> Dict[str, Any]:
        return {}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        pass  # nothing here is random

    def render(self, copy: int = 0) -> str:
        return str(self.payoff)
