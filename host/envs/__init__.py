"""Environments by name: ``REGISTRY[name](**env_args)`` makes one, as PyMARL does.

``BATCH_REGISTRY[name](n_copies, **env_args)`` makes many copies that step together, for
those games that have such a form. A value that ``env_args`` leaves out is taken from
``config/envs/<name>.yaml``, the only place where it is written down. Games are imported
when they are asked for.
"""

from __future__ import annotations

import os
from functools import partial
from importlib import import_module
from typing import Any, Callable, Dict, List, Optional

from ...config import reading
from ..errors import ConfigError, unknown
from .multiagentenv import BatchEnv, MultiAgentEnv, SingleEnv
from .watched import watched

CONFIG_FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    "config",
    "envs",
)
REGISTRY: Dict[str, Callable[..., Any]] = {}
BATCH_REGISTRY: Dict[str, Callable[..., BatchEnv]] = {}

__all__ = [
    "BATCH_REGISTRY",
    "REGISTRY",
    "BatchEnv",
    "MultiAgentEnv",
    "SingleEnv",
    "complete_env_args",
    "default_env_args",
    "is_foreign",
    "maker",
    "register_env",
]


def register_env(
    name: str,
    factory: Callable[..., Any],
    batch_factory: Optional[Callable[..., BatchEnv]] = None,
) -> None:
    """Make a game known as ``env: name``.

    ``factory(**env_args)`` returns a :class:`MultiAgentEnv`; ``batch_factory(n_copies,
    **env_args)``, where the game has such a form, a :class:`BatchEnv`. A name that is
    taken is refused, and what cannot be called.
    """
    factories = [factory] if batch_factory is None else [factory, batch_factory]
    if not isinstance(name, str) or not all(map(callable, factories)):
        raise ConfigError(
            f"register_env({name!r}, {factory!r}): a name and a class or function that "
            "makes the environment are needed"
        )
    if name in REGISTRY:
        raise ConfigError(f"env '{name}' is registered already; choose another name")
    REGISTRY[name] = factory
    if batch_factory is not None:
        BATCH_REGISTRY[name] = batch_factory


def is_foreign(name: str) -> bool:
    """Whether a game's code may be the user's own: to be held against the contract."""
    return name in FOREIGN or name not in OWN


def maker(name: str) -> Callable[..., Any]:
    """``REGISTRY[name]``; what it makes is watched where it may be the user's own."""
    make = REGISTRY[name]
    return partial(watched, make, name) if is_foreign(name) else make


def imported_keys(config: Dict[str, Any]) -> List[str]:
    """The keys of `env_args` whose text is imported, other than of known packages."""
    name, env_args = config["env"], config["env_args"]
    key = str(env_args.get("key"))
    package = key.rpartition(":")[0] if name == "gymma" else key.split(".")[0]
    is_known = package in KNOWN_PACKAGES or (name == "gymma" and ":" not in key)
    if name == "custom":
        return ["entry_point"]
    return ["key"] if name in FOREIGN and not is_known else []


def default_env_args(name: str) -> Dict[str, Any]:
    """The `env_args` of ``config/envs/<name>.yaml``."""
    path = os.path.join(CONFIG_FOLDER, name + ".yaml")
    return reading.read_yaml(path)["env_args"]


def complete_env_args(name: str, env_args: Dict[str, Any]) -> Dict[str, Any]:
    """``env_args`` over those of ``config/envs/<name>.yaml``; refuses unknown keys."""
    known = default_env_args(name)
    for key in env_args:
        if key not in known:
            hint = "; what its constructor takes goes into env_args.options"
            error = unknown(f"env_args key of {name}", key, known)
            raise ConfigError(f"{error}{hint}") if "options" in known else error
    return {**known, **env_args}


def _make(name: str, module: str, class_name: str, *args: Any, **env_args: Any) -> Any:
    """A game of this package's module, with its settings completed."""
    factory = getattr(import_module("." + module, __name__), class_name)
    return factory(*args, **complete_env_args(name, env_args))


def _register(name: str, module: str, class_name: str) -> None:
    register_env(name, partial(_make, name, module, class_name))


def _register_batch(name: str, module: str, class_name: str) -> None:
    batch_factory = partial(_make, name, module, class_name)
    register_env(name, partial(_single, batch_factory), batch_factory)


def _single(batch_factory: Callable[..., BatchEnv], **env_args: Any) -> SingleEnv:
    return SingleEnv(batch_factory(1, **env_args))


def _starcraft(name: str, **env_args: Any) -> Any:
    return getattr(import_module(".starcraft", __name__), name)(**env_args)


_register_batch("matrix_game", "matrix_game", "MatrixGameBatch")
_register_batch("predator_prey", "predator_prey", "PredatorPreyBatch")
_register_batch("smax", "smax", "SmaxBatch")
_register_batch("skirmish", "skirmish.batch", "SkirmishBatch")
_register("smaclite", "smaclite", "SmacliteEnv")
_register("gymma", "gymma", "GymmaEnv")
_register("pettingzoo", "zoo", "ParallelEnv")
_register("mpe", "zoo", "mpe")
_register("football", "football", "FootballEnv")
_register("custom", "custom", "custom")
register_env("sc2", partial(_starcraft, "sc2"))
register_env("sc2v2", partial(_starcraft, "sc2v2"))
OWN = frozenset(REGISTRY)
FOREIGN = frozenset(["custom", "gymma", "pettingzoo"])
# Of other packages, those that may be imported because a checkpoint says so.
KNOWN_PACKAGES = frozenset(["lbforaging", "rware", "pettingzoo", "mpe2"])
IN_ONE_PROCESS = frozenset(["smax"])  # JAX does not survive a fork
