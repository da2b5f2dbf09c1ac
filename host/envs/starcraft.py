"""StarCraft's own challenges, where `smac` or `smacv2` and the game are installed."""

import copy
import importlib

from ..errors import ConfigError


def sc2(**env_args):
    """SMAC's environment, which takes all its settings itself."""
    return _load("smac.env", "StarCraft2Env", "sc2", _OTHER_SMAC)(**env_args)


def sc2v2(**env_args):
    """SMACv2's environment: units and positions are drawn anew for each episode.

    Its settings are handed over as copies, since it writes into them.
    """
    found = _load("smacv2.env", "StarCraftCapabilityEnvWrapper", "sc2v2", "")
    return found(**copy.deepcopy(env_args))


_OTHER_SMAC = "; the smac on PyPI is another package, a hyper-parameter optimiser"


def _load(module, name, env, warning):
    package = module.split(".")[0]
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"env {env!r} needs StarCraft's {package} ({error}): install it from "
            f"GitHub, oxwhirl/{package}, with the game{warning}"
        ) from None
