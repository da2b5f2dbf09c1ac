"""StarCraft's own challenges, where `smac` or `smacv2` and the game are installed."""

from __future__ import annotations

import copy
import importlib
import os
from typing import Any, Callable, Dict

from ...config.names import nearest
from ..errors import ConfigError

_OTHER_SMAC = "; the smac on PyPI is another package, a hyper-parameter optimiser"
_TOO_NEW = "Descriptors cannot be created directly"  # what protobuf says from 4 on


def sc2(**env_args: Any) -> Any:
    """SMAC's environment, which takes all its settings itself."""
    return _ready(_load("smac.env", "StarCraft2Env", "sc2", _OTHER_SMAC), env_args)


def sc2v2(**env_args: Any) -> Any:
    """SMACv2's environment: units and positions are drawn anew for each episode.

    Its settings are handed over as copies, since it writes into them.
    """
    found = _load("smacv2.env", "StarCraftCapabilityEnvWrapper", "sc2v2", "")
    return _ready(found, copy.deepcopy(env_args))


def _load(module: str, name: str, env: str, warning: str) -> Any:
    package = module.split(".")[0]
    try:
        return getattr(importlib.import_module(module), name)
    except TypeError as error:
        if _TOO_NEW not in str(error):
            raise
        raise ConfigError(
            f"env {env!r}: the installed protobuf is too new for StarCraft's protocol: "
            'pip install "protobuf<3.21"'
        ) from None
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"env {env!r} needs StarCraft's {package} ({error}): install it from "
            f"GitHub, oxwhirl/{package}, with the game{warning}"
        ) from None


def _ready(constructor: Callable[..., Any], env_args: Dict[str, Any]) -> Any:
    """Construct it; what a user can mend, then or when the game starts, is one line."""
    name = env_args.get("map_name")
    try:
        env = constructor(**env_args)
    except KeyError as error:
        if error.args != (name,):
            raise
        maps = importlib.import_module(f"{_package(constructor)}.env.starcraft2.maps")
        known = sorted(maps.smac_maps.get_smac_map_registry())
        raise ConfigError(
            f"map_name={name!r} is none of {_package(constructor)}'s maps"
            f"{nearest(name, known)}: {', '.join(known)}"
        ) from None
    game = getattr(env, "env", env)  # SMACv2's is wrapped
    if hasattr(game, "_launch"):
        game._launch = _or_one_line(game._launch, _package(constructor))
    return env


def _package(constructor: Callable[..., Any]) -> str:
    return constructor.__module__.split(".")[0]


def _or_one_line(launch: Callable[[], Any], package: str) -> Callable[[], None]:
    """`launch`, the game's start, whose failures say what to look at."""

    def launch_or_say() -> None:
        try:
            launch()
        except Exception as error:  # whatever pysc2, the system or the game raise
            place = os.environ.get("SC2PATH", "~/StarCraftII")
            reason = " ".join(str(error).split())
            raise ConfigError(
                f"StarCraft II does not start ({type(error).__name__}: {reason}). It "
                f"is looked for in {place}: install it there or set SC2PATH, and "
                f"{package}'s maps in its folder Maps/SMAC_Maps"
            ) from error

    return launch_or_say
