"""The embedded host's games in every other host: `--env-config=matrix_game`.

Hosts differ in how they build and step an environment; `HostEnv` speaks all of their
dialects. A game is entered under a name of its own, so that nothing is overwritten.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Sequence

from .hosts import HostAdapter
from .hosts.base import read_text
from .imports import after_import
from .notes import note, or_one_line

OUR_ENVS = Path(__file__).resolve().parents[1] / "config" / "envs"
PREFIX = "wqmix_"
NOT_THE_GAMES = ("map_name", "key", "common_reward", "reward_scalarisation")


def for_host(settings: Dict[str, Any], passed: Sequence[str] = ()) -> Dict[str, Any]:
    """Return a game's settings as another host's main file can read them.

    PyMARL2 and later put `env_args.map_name` into the name of their results folder.
    What a host passes to environments besides (`passed`) is not listed twice.
    """
    name = settings["env"]
    env_args = {"map_name": name, **settings["env_args"]}
    env_args = {key: value for key, value in env_args.items() if key not in passed}
    return {**settings, "env": PREFIX + name, "env_args": env_args}


def register_on_import(host: HostAdapter, name: str, root: Path) -> None:
    """Enter a game into the host's `envs.REGISTRY` when the host imports it."""
    as_gymnasium = steps_as_gymnasium(host, root)
    enter = functools.partial(
        register_in, host=host, name=name, as_gymnasium=as_gymnasium
    )
    after_import(host.module("envs"), enter)


def steps_as_gymnasium(host: HostAdapter, root: Path) -> bool:
    """Whether the host's runners take five values from `step`, not three.

    Read off its episode runner (an older EPyMARL takes three); where that says neither,
    what the adapter knows.
    """
    runner = root / "runners" / "episode_runner.py"
    text = read_text(runner) if runner.is_file() else ""
    taken = re.search(r"^[ \t]*([^=\n]+)=\s*(?:self\.)?env\.step\(", text, re.MULTILINE)
    values = taken.group(1).count(",") + 1 if taken else 0
    return values == 5 if values in (3, 5) else host.steps_as_gymnasium


def register_in(
    envs: ModuleType, host: HostAdapter, name: str, as_gymnasium: bool
) -> None:
    """Enter a game into an imported `envs` package."""
    note(f"env: {name}, wqmix's own, in {host.title}")
    envs.REGISTRY.setdefault(
        PREFIX + name, functools.partial(HostEnv, name, as_gymnasium)
    )


class HostEnv:
    """A game of the embedded host behind any host's environment interface."""

    def __init__(self, name: str, as_gymnasium: bool, **kwargs: Any) -> None:
        """Build the game.

        Args:
            name: of the game.
            as_gymnasium: `step` returns five values, as EPyMARL's runners take them.
            **kwargs: `env_args`, one by one or (oxwhirl/wqmix) as `env_args=` beside
                `args=`; what hosts add of their own is left out.
        """
        from ..host.envs import REGISTRY, default_env_args

        env_args = kwargs.get("env_args", kwargs)
        not_its = [key for key in env_args if key not in default_env_args(name)]
        strange = sorted(set(not_its).difference(NOT_THE_GAMES))
        if strange:
            note(f"{name} has no env_args {', '.join(strange)}: left out")
        env_args = {k: v for k, v in env_args.items() if k not in not_its}
        self._name = name
        self._env = or_one_line(REGISTRY[name])(**env_args)
        self._as_gymnasium = as_gymnasium

    def __getattr__(self, name: str) -> Any:
        if name == "_env":  # not built yet, as when unpickled
            raise AttributeError(name)
        return getattr(self._env, name)

    def step(self, actions: Any) -> Any:
        """Step the game; return what the host's runners take."""
        reward, terminated, info = self._env.step(actions)
        if self._as_gymnasium:
            return self._env.get_obs(), reward, terminated, False, info
        return reward, terminated, info

    def get_env_info(self, *args: Any, **kwargs: Any) -> EnvInfo:
        """Return sizes and the time limit; whatever else a host asks with."""
        return EnvInfo(self._name, self._env.get_env_info())

    def get_print_info(self) -> None:
        """Return nothing to print (PyMARLzoo+ asks)."""

    def get_stats(self) -> Dict[str, Any]:
        """Return no statistics (parallel runners ask)."""
        return {}


class EnvInfo(Dict[str, Any]):
    """What a game says of itself; a key that it lacks is one line and exit code 2."""

    def __init__(self, name: str, values: Dict[str, Any]) -> None:
        super().__init__(values)
        self._name = name

    def __missing__(self, key: str) -> Any:
        note(
            f"error: this host asks an environment for {key!r}, which wqmix's own "
            f"{self._name} does not have: use an environment of the host's"
        )
        raise SystemExit(2)

    def __reduce__(self) -> Any:  # workers send it to the runner
        return EnvInfo, (self._name, dict(self))
