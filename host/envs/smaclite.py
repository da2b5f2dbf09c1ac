"""SMAClite, uoe-agents' Python re-implementation of SMAC: the reference of skirmish."""

from __future__ import annotations

import contextlib
import importlib
import os
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..errors import ConfigError
from .checks import flag, whole
from .multiagentenv import MultiAgentEnv, Outcome
from .packages import EpisodeSeeds, Seeded, load
from .skirmish import maps

_SIDES = {"ally": "ALLY", "enemy": "ENEMY"}
_TERRAINS = {
    "plain": "SIMPLE",
    "yard": "ALL_GREEN",
    **{name: name.upper() for name in ("ravine", "octagon", "corridor", "pentagon")},
}
INSTALL = (
    "it is not on PyPI: pip install gymnasium pygame scikit-learn rtree; "
    "pip install --no-deps git+https://github.com/uoe-agents/smaclite"
)


class SmacliteEnv(Seeded, MultiAgentEnv):
    """A battle of SMAClite's, with its own state and masks, and SMAC's time limits.

    Its own maps, and those of skirmish's that it lacks. Two things are mended: after
    `reset` the state held the last actions of the episode before, and a beam that hit
    nobody raised a ValueError.

    Args:
        map_name: a name in ``config/skirmish/maps.yaml``.
        time_limit: steps after which a battle ends; None: the map's own.
        continuing_episode: whether learners bootstrap from a last state that time made.
        use_cpp_rvo2: SMAClite's.
        seed: of the battles' seeds.

    Raises:
        ConfigError: SMAClite is missing, or a value that cannot be.
    """

    def __init__(
        self,
        map_name: str,
        time_limit: Optional[int],
        continuing_episode: bool,
        use_cpp_rvo2: bool,
        seed: Optional[int],
    ) -> None:
        self._entry = maps.map_named(map_name)
        limit = maps.limit_of(self._entry, time_limit)
        self.episode_limit = whole("time_limit", limit, 1)
        self._bootstraps = flag("continuing_episode", continuing_episode)
        is_cpp = flag("use_cpp_rvo2", use_cpp_rvo2)
        package = _package()
        _let_beams_miss()
        self._seeds = EpisodeSeeds(seed)
        with contextlib.redirect_stdout(None):  # it says which variant it uses
            self._env = package.SMACliteEnv(
                map_info=_map_info(map_name, self._entry),
                seed=0,
                use_cpp_rvo2=is_cpp,
                render_mode="rgb_array",
            )
        self.n_agents, self._steps = self._env.n_agents, 0

    def reset(self) -> Tuple[List[np.ndarray], np.ndarray]:
        self._steps = 0
        self._env.last_actions = np.zeros(self.n_agents * self._env.n_actions)
        self._obs, _ = self._env.reset(seed=self._seeds.draw())
        return self.get_obs(), self.get_state()

    def step(self, actions: np.ndarray) -> Outcome:
        chosen = [int(action) for action in actions]
        self._obs, reward, ended, _, info = self._env.step(chosen)
        self._steps += 1
        by_time = self._steps >= self.episode_limit and not ended
        info = {
            "battle_won": bool(info["battle_won"]),
            "dead_allies": self.n_agents - len(self._env.agents),
            "dead_enemies": self._env.n_enemies - len(self._env.enemies),
            "episode_limit": by_time and self._bootstraps,
        }
        return float(reward), bool(ended or by_time), info

    def get_obs(self) -> List[np.ndarray]:
        return list(self._obs)

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        return self._obs[agent_id]

    def get_obs_size(self) -> int:
        return self._env.obs_size

    def get_state(self) -> np.ndarray:
        return self._env.get_state()

    def get_state_size(self) -> int:
        return self._env.state_size

    def get_avail_actions(self) -> List[List[int]]:
        return [mask.astype(int).tolist() for mask in self._env.get_avail_actions()]

    def get_avail_agent_actions(self, agent_id: int) -> List[int]:
        return self.get_avail_actions()[agent_id]

    def get_total_actions(self) -> int:
        return self._env.n_actions

    def render(self) -> np.ndarray:
        """A picture, uint8 [H, W, 3]."""
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        return np.array(self._env.render())

    def close(self) -> None:
        self._env.close()


def _package() -> Any:
    try:
        return load("smaclite.env", "smaclite", None)
    except ConfigError as error:
        raise ConfigError(f"{error}; {INSTALL}") from None


def _map_info(name: str, entry: Dict[str, Any]) -> Any:
    """SMAClite's own map of that name; else ours, as it would have it."""
    theirs = importlib.import_module("smaclite.env.maps.map")
    for preset in theirs.MapPreset:
        if preset.value.name == name:
            return preset.value
    of_type = importlib.import_module("smaclite.env.units.unit_type").UnitType.from_str
    faction = importlib.import_module("smaclite.env.util.faction").Faction
    units = maps.units_of(entry)
    groups = [
        theirs.Group(
            *group["at"],
            faction(_SIDES[group["side"]]),
            [
                (of_type(unit.upper(), "."), count)
                for unit, count in group["units"].items()
            ],
        )
        for group in entry["groups"]
    ]
    stats = maps.read("units")
    shields = [
        any(stats[unit]["shield"] for side, unit in units if side == wanted)
        for wanted in _SIDES
    ]
    return theirs.MapInfo(
        name=name,
        num_allied_units=sum(side == "ally" for side, _ in units),
        num_enemy_units=sum(side == "enemy" for side, _ in units),
        groups=groups,
        attack_point=tuple(entry["attacks"]),
        terrain=theirs.TERRAIN_PRESETS[_TERRAINS[entry["terrain"]]].value,
        ally_has_shields=shields[0],
        enemy_has_shields=shields[1],
        num_unit_types=len(entry["types"]),
        unit_type_ids={
            of_type(unit.upper(), "."): number
            for number, unit in enumerate(entry["types"])
        },
    )


def _let_beams_miss() -> None:
    """A colossus may fire at one who has just died, with nobody else near."""
    module = importlib.import_module("smaclite.env.units.targeters.targeter")
    beam = module.LaserBeamTargeter
    if getattr(beam, "may_miss", False):
        return
    fire = beam.target

    def target(self: Any, origin: Any, target: Any, **known: Any) -> Any:
        near = known["neighbour_finder"].query_radius([target], self.radius)[0]
        return fire(self, origin, target, **known) if near else 0

    beam.target, beam.may_miss = target, True
