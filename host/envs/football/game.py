"""gfootball's game: which scenarios there are, and one that is played from seeds."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ....config import reading
from ...errors import ConfigError, unknown
from ..checks import whole
from ..packages import load

REMEDY = ": `make football` in the clone of wqmix builds it (docs/football.md)"
_HOST = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCENARIOS_FILE = os.path.join(os.path.dirname(_HOST), "config", "football.yaml")


@lru_cache(maxsize=None)
def settings_of_scenarios() -> Dict[str, Any]:
    """``config/football.yaml``: name -> {"n_agents", "time_limit"}."""
    return reading.read_yaml(SCENARIOS_FILE)


def package(module: str) -> Any:
    """A module of gfootball's.

    Raises:
        ConfigError: it is not installed, or its engine is not built.
    """
    return load(f"gfootball.env.{module}", "football", how=REMEDY)


class Game:
    """A scenario in which `n_agents` players of the left team are ours.

    gfootball's `FootballEnvCore`, which the gym environment of that package stands on:
    it tells what is seen once for all agents, and does not mind which gym there is.

    Args:
        map_name: a scenario of gfootball's, or of the user's own in its folder.
        n_agents: None: as ``config/football.yaml`` says.

    Raises:
        ConfigError: no gfootball, an unknown scenario, or too many agents for it.
    """

    def __init__(self, map_name: str, n_agents: Optional[int]) -> None:
        known = package("scenario_builder").all_scenarios()
        known = [name for name in known if not name.startswith("test")]
        if map_name not in known:
            raise unknown("env_args.map_name of football", map_name, known)
        self.n_agents = _n_agents(map_name, n_agents)
        settings = {
            "level": map_name,
            "players": [f"agent:left_players={self.n_agents}"],
            **of_episode(0),
        }
        self._config = package("config").Config(settings)
        scenario = self._config.ScenarioConfig()
        most, self.duration = scenario.controllable_left_players, scenario.game_duration
        if self.n_agents > most:
            raise ConfigError(
                f"env_args.n_agents is {self.n_agents}: {map_name} has {most} players "
                "to control"
            )
        self._core = package("football_env_core").FootballEnvCore(self._config)

    def begin(self, seed: int) -> Dict[str, Any]:
        """Start the episode of a seed; returns what is seen, a dict of arrays."""
        self._config.update(of_episode(seed))
        self._core.reset()
        return self._core.observation()

    def step(self, actions: np.ndarray) -> Tuple[Dict[str, Any], float, bool]:
        """Returns what is seen, goals (ours less theirs), and whether it is over."""
        seen, goals, over, _ = self._core.step([int(action) for action in actions])
        return seen, goals, bool(over)

    def close(self) -> None:
        self._core.close()


def of_episode(seed: int) -> Dict[str, Any]:
    """What of gfootball's settings an episode depends on, all from its seed.

    Left out, gfootball draws them from Python's global generator, or keeps those of
    its first episode.
    """
    return {
        "game_engine_random_seed": seed % 2_000_000_000,
        "reverse_team_processing": bool(seed % 2),
        "episode_number": seed
        // 2
        % 2,  # in even and odd ones the other side kicks off
    }


def _n_agents(map_name: str, n_agents: Optional[int]) -> int:
    if n_agents is None and map_name not in settings_of_scenarios():
        raise ConfigError(
            f"env_args.n_agents is null, and {map_name} is not in "
            "config/football.yaml: a whole number >= 1 is needed"
        )
    if n_agents is None:
        n_agents = settings_of_scenarios()[map_name]["n_agents"]
    return whole("n_agents", n_agents, 1)


def time_limit_of(map_name: str, time_limit: Optional[int], duration: int) -> int:
    """After how many steps time ends an episode; at most the scenario's `duration`."""
    if time_limit is None:
        time_limit = settings_of_scenarios().get(map_name, {}).get("time_limit")
    if time_limit is None:
        return duration
    if whole("time_limit", time_limit, 1) > duration:
        raise ConfigError(
            f"env_args.time_limit is {time_limit}: {map_name} ends after {duration} "
            "steps"
        )
    return time_limit
