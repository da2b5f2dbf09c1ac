"""Many battles at once, as an environment."""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from ..checks import flag, whole
from ..multiagentenv import BatchEnv, Outcomes
from ..packages import EpisodeSeeds, load
from . import maps
from .kernel.records import TICKS_PER_STEP
from .picture import picture

NOT_YET = -1  # in place of a last action


class SkirmishBatch(BatchEnv):
    """``N`` battles on one of SMAC's maps, by SMAClite's rules.

    Observations, state, available actions and rewards (at most 20 or a little more in a
    battle) are SMAC's. Info: ``battle_won``, ``dead_allies``, ``dead_enemies``, and
    ``episode_limit``, true where time ended a battle and `continuing_episode` says that
    this is no end of the game.

    Args:
        n_copies: ``N``.
        map_name: a name in ``config/skirmish/maps.yaml``.
        time_limit: steps after which a battle ends; None: the map's own.
        continuing_episode: whether learners bootstrap from a last state that time made.
        seed: of the battles' seeds.

    Raises:
        ConfigError: Numba is missing, or a value that cannot be.
    """

    def __init__(
        self,
        n_copies: int,
        map_name: str,
        time_limit: Optional[int],
        continuing_episode: bool,
        seed: Optional[int],
    ) -> None:
        load("numba", "skirmish", "skirmish")
        from . import scenario
        from .kernel import battle, chance, sight

        self.entry = entry = maps.map_named(map_name)
        limit = maps.limit_of(entry, time_limit)
        self.episode_limit = whole("time_limit", limit, 1)
        self._bootstraps = flag("continuing_episode", continuing_episode)
        self._seeds = EpisodeSeeds(seed)
        self.seed = self._seeds.seed
        self.field = scenario.field_of(entry)
        self._start = scenario.start_of(entry, self.field)
        battle.begin(self.field, self._start)
        self._battle, self._chance, self._sight = battle, chance, sight
        self.n_copies, self.n_agents = n_copies, len(self.field.agents)
        self.n_actions = self.field.n_actions
        self.obs_size, self.state_size = scenario.sizes(self.field)
        self._allocate()

    def _allocate(self) -> None:
        n, agents, units = self.n_copies, self.n_agents, len(self._start)
        self.units = np.tile(self._start, (n, 1))
        self._luck = np.zeros(n, dtype=np.uint64)
        self._order = np.zeros((n, TICKS_PER_STEP, units), dtype=np.int16)
        self._last_actions = np.full((n, agents), NOT_YET)
        self._over = np.zeros(n, dtype=bool)
        self._reward = np.zeros(n)
        self._steps = np.zeros(n, dtype=np.intp)
        self._obs = np.zeros((n, agents, self.obs_size), dtype=np.float32)
        self._state = np.zeros((n, self.state_size), dtype=np.float32)
        self._avail = np.zeros((n, agents, self.n_actions), dtype=np.uint8)

    def reset(self, copies: Optional[np.ndarray] = None) -> None:
        begun = np.zeros(self.n_copies, dtype=bool)
        begun[slice(None) if copies is None else copies] = True
        self.units[begun] = self._start
        self._luck[begun] = self._seeds.draw(begun.sum())
        self._last_actions[begun] = NOT_YET
        self._over[begun], self._steps[begun] = False, 0
        self._look(begun)

    def step(self, actions: np.ndarray) -> Outcomes:
        actions = np.asarray(actions, dtype=np.intp)
        self._check(actions)
        playing = ~self._over
        self._last_actions[playing] = actions[playing]
        self._chance.shuffle(self._luck, self._order)
        self._battle.step(
            self.field, self.units, self._order, actions, self._over, self._reward
        )
        self._steps += playing
        ended = self._over.copy()
        self._over |= self._steps >= self.episode_limit
        self._look(playing)
        return self._reward.astype(np.float32), self._over.copy(), self._info(ended)

    def _check(self, actions: np.ndarray) -> None:
        shape = (self.n_copies, self.n_agents)
        if actions.shape != shape:
            raise IndexError(f"actions of shape {actions.shape}; expected: {shape}")
        if actions.min() < 0 or actions.max() >= self.n_actions:
            raise IndexError(f"there are {self.n_actions} actions, counted from 0")
        chosen = np.take_along_axis(self._avail, actions[..., None], axis=2)[..., 0]
        refused = (chosen == 0) & ~self._over[:, None]
        if refused.any():
            copy, agent = np.argwhere(refused)[0]
            raise IndexError(
                f"agent {agent} of copy {copy}: action {actions[copy, agent]} is not "
                "available"
            )

    def _info(self, ended: np.ndarray) -> Dict[str, np.ndarray]:
        there = self.units["is_there"]
        allies = there[:, self.field.agents].sum(axis=1)
        enemies = there[:, self.field.enemies].sum(axis=1)
        by_time = self._over & ~ended & self._bootstraps
        return {
            "battle_won": ended & (enemies == 0),
            "dead_allies": self.n_agents - allies,
            "dead_enemies": len(self.field.enemies) - enemies,
            "episode_limit": by_time,
        }

    def _look(self, which: np.ndarray) -> None:
        self._sight.look(
            self.field,
            self.units,
            which,
            self._last_actions,
            self._obs,
            self._state,
            self._avail,
        )

    def get_obs(self) -> np.ndarray:
        return self._obs

    def get_state(self) -> np.ndarray:
        return self._state

    def get_avail_actions(self) -> np.ndarray:
        return self._avail

    def render(self, copy: int = 0) -> np.ndarray:
        """The battle from above, as a picture [H, W, 3] of bytes."""
        return picture(self.field, self.units[copy])

    def state_dict(self) -> Dict[str, Any]:
        return self._seeds.state_dict()

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._seeds.load_state_dict(state)
