"""Environments by name: ``REGISTRY[name](**env_args)`` makes one, as PyMARL does.

``BATCH_REGISTRY[name](n_copies, **env_args)`` makes many copies that step together, for
those games that have such a form. A value that ``env_args`` leaves out is taken from
``config/envs/<name>.yaml``, the only place where it is written down. Games are imported
when they are asked for.
"""

import os
from functools import partial

from ...config import reading
from ..errors import ConfigError, unknown
from .multiagentenv import BatchEnv, MultiAgentEnv, SingleEnv

CONFIG_FOLDER = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    "config",
    "envs",
)
REGISTRY = {}
BATCH_REGISTRY = {}

__all__ = [
    "BATCH_REGISTRY",
    "REGISTRY",
    "BatchEnv",
    "MultiAgentEnv",
    "SingleEnv",
    "complete_env_args",
    "register_env",
]


def register_env(name, factory, batch_factory=None):
    """Make a game known as ``env: name``.

    ``factory(**env_args)`` returns a :class:`MultiAgentEnv`; ``batch_factory(n_copies,
    **env_args)``, where the game has such a form, a :class:`BatchEnv`. A name that is
    taken is refused.
    """
    if name in REGISTRY:
        raise ConfigError(f"env '{name}' is registered already; choose another name")
    REGISTRY[name] = factory
    if batch_factory is not None:
        BATCH_REGISTRY[name] = batch_factory


def complete_env_args(name, env_args):
    """``env_args`` over those of ``config/envs/<name>.yaml``; refuses unknown keys."""
    path = os.path.join(CONFIG_FOLDER, name + ".yaml")
    known = reading.read_yaml(path)["env_args"]
    for key in env_args:
        if key not in known:
            raise unknown(f"env_args key of {name}", key, known)
    return {**known, **env_args}


def _matrix_game(n_copies, **env_args):
    from .matrix_game import MatrixGameBatch

    return MatrixGameBatch(n_copies, **complete_env_args("matrix_game", env_args))


def _predator_prey(n_copies, **env_args):
    from .predator_prey import PredatorPreyBatch

    return PredatorPreyBatch(n_copies, **complete_env_args("predator_prey", env_args))


def _single(batch_factory, **env_args):
    return SingleEnv(batch_factory(1, **env_args))


def _starcraft(**env_args):
    """StarCraft's SMAC, if it is installed."""
    try:
        from smac.env import StarCraft2Env
    except ImportError as error:
        raise ConfigError(
            f"env 'sc2' needs StarCraft's smac ({error}): install it from GitHub, "
            "oxwhirl/smac, with the game; the smac on PyPI is another package, "
            "a hyper-parameter optimiser"
        ) from None
    return StarCraft2Env(**env_args)


register_env("matrix_game", partial(_single, _matrix_game), _matrix_game)
register_env("predator_prey", partial(_single, _predator_prey), _predator_prey)
register_env("sc2", _starcraft)
