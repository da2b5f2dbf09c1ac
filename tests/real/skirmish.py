"""A StarCraft-like game of ours for hosts whose agents need StarCraft's sizes.

    python skirmish.py src/main.py --config=… --env-config=sc2 …

is `python -m wqmix …` with this game in the place of `sc2`. Units stand in a plane,
actions are no-op, stop, four moves, and one attack for each enemy; observations, state
and `get_env_info` have the components that PyMARL3's agents take apart. On a map of the
type `MMM` the last agent heals: its attack on number i is on ally i.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Dict, List, Tuple

import numpy as np

from wqmix.__main__ import main
from wqmix.plugin.imports import after_import

MOVES = np.array([(0, 0.1), (0, -0.1), (0.1, 0), (-0.1, 0)])
N_NORMAL = 6  # no-op, stop, four moves
DAMAGE = 0.25


class Skirmish:
    """Three marines against three, of sizes as StarCraft's 3m has them."""

    n_agents = n_enemies = 3
    n_actions = N_NORMAL + n_enemies
    episode_limit = 20

    def __init__(self, map_name: str, seed: Any = None, **_: Any) -> None:
        self.heals = map_name.startswith("MMM")
        self._random = np.random.RandomState(seed)

    # The game

    def reset(self) -> None:
        n_units = self.n_agents + self.n_enemies
        self.place = self._random.uniform(-1, 1, (n_units, 2))
        self.health = np.ones(n_units)
        self.last = np.zeros((self.n_agents, self.n_actions))
        self.t = 0

    def step(self, actions: Any) -> Tuple[float, bool, Dict[str, Any]]:
        actions, before = [int(action) for action in actions], self.enemies.sum()
        self.last = np.eye(self.n_actions)[actions]
        assert np.all(
            np.take_along_axis(  # what is not available is never chosen
                np.array(self.get_avail_actions()), np.array(actions)[:, None], axis=1
            )
        )
        for agent, action in enumerate(actions):
            if action >= N_NORMAL:
                self._target(agent, action - N_NORMAL)
            elif action > 1:
                self.place[agent] += MOVES[action - 2]
        for enemy in np.flatnonzero(self.enemies):
            if self._random.rand() < 0.3:
                self._hit(int(enemy) % self.n_agents, DAMAGE)
        self.t += 1
        won, lost = not self.enemies.any(), not self.allies.any()
        info = {"battle_won": won}
        if self.t == self.episode_limit and not (won or lost):
            info["episode_limit"] = True
        reward = before - self.enemies.sum() + 2.0 * won
        return reward, won or lost or self.t == self.episode_limit, info

    def _target(self, agent: int, number: int) -> None:
        if self._is_healer(agent):
            self._hit(number, -DAMAGE)
        else:
            self._hit(self.n_agents + number, DAMAGE)

    def _hit(self, unit: int, damage: float) -> None:
        if self.health[unit] > 0:
            self.health[unit] = np.clip(self.health[unit] - damage, 0, 1)

    def _is_healer(self, agent: int) -> bool:
        return self.heals and agent == self.n_agents - 1

    @property
    def allies(self) -> Any:
        return self.health[: self.n_agents]

    @property
    def enemies(self) -> Any:
        return self.health[self.n_agents :]

    # What agents see

    def get_obs(self) -> List[Any]:
        return [self._observed_by(agent) for agent in range(self.n_agents)]

    def _observed_by(self, agent: int) -> Any:
        own, others = self.health[agent], []
        for unit in [*range(self.n_agents, len(self.health)), *range(self.n_agents)]:
            if unit != agent:
                away = self.place[unit] - self.place[agent]
                health = self.health[unit]
                others += [health > 0, np.linalg.norm(away), *away, health]
        return np.array([1, 1, 1, 1, *others, own], dtype=np.float32) * (own > 0)

    def get_state(self) -> Any:
        allies = [(health, 0, *place) for health, place in zip(self.allies, self.place)]
        enemies = np.column_stack([self.enemies, self.place[self.n_agents :]])
        parts = [np.ravel(part) for part in (allies, enemies, self.last)]
        return np.concatenate(parts).astype(np.float32)

    def get_avail_actions(self) -> List[List[int]]:
        available = []
        for agent, health in enumerate(self.allies):
            targets = self.enemies > 0
            if self._is_healer(agent):  # itself, the last, it cannot heal
                targets = np.append(self.allies[:-1] > 0, False)
            alive = [0, 1, 1, 1, 1, 1, *targets.astype(int)]
            available.append(alive if health > 0 else [1] + [0] * (len(alive) - 1))
        return available

    # What hosts ask

    def get_env_info(self) -> Dict[str, Any]:
        self.reset()
        return {
            "n_agents": self.n_agents,
            "n_enemies": self.n_enemies,
            "n_allies": self.n_agents - 1,
            "n_actions": self.n_actions,
            "n_normal_actions": N_NORMAL,
            "episode_limit": self.episode_limit,
            "obs_shape": len(self.get_obs()[0]),
            "obs_component": [4, (self.n_enemies, 5), (self.n_agents - 1, 5), 1],
            "state_shape": len(self.get_state()),
            "state_component": [
                4 * self.n_agents,
                3 * self.n_enemies,
                self.n_agents * self.n_actions,
            ],
            "state_ally_feats_size": 4,
            "state_enemy_feats_size": 3,
            "map_type": "MMM" if self.heals else "marines",
        }

    def get_stats(self) -> Dict[str, Any]:
        return {}

    def close(self) -> None:
        pass


def enter(envs: ModuleType) -> None:
    """Take the place of StarCraft in a host's registry."""
    envs.REGISTRY["sc2"] = Skirmish


if __name__ == "__main__":
    after_import("envs", enter)
    sys.exit(main())
