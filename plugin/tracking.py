"""`use_wandb` in hosts that lack it: Weights & Biases beside their own logger.

Settings are EPyMARL's: `use_wandb`, `wandb_mode`, `wandb_project`, `wandb_team`; their
defaults are those of the embedded host.
"""

from __future__ import annotations

import functools
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..config import schema
from ..config.extras import missing
from ..config.layers import Layers, WrongType
from ..config.reading import quoted, read_word, read_yaml
from ..errors import ConfigError
from ..storage import curves
from .configs import OUR_CONFIGS, ConfigFiles
from .hosts import HostAdapter
from .imports import after_import

LOGGER = ("utils", "logging.py")
OF_HOSTS = (curves.WANDB, "wandb")  # what those that have it list


def taken(
    files: ConfigFiles, words: Sequence[Any]
) -> Tuple[List[Any], Optional[Dict[str, Any]]]:
    """Split what is said of W&B from the other words after `with`.

    Returns:
        The other words, and the settings where they ask for it. All words, where the
        host has such settings itself: they are its own.

    Raises:
        ConfigError: a value that cannot be, or nothing to write with.
    """
    said = [word for word in words if name_of(word) in curves.WANDB_SETTINGS]
    if not said or files.host.name == "embedded":
        return list(words), None
    if any(key in files.defaults() for key in OF_HOSTS):
        return list(words), None
    settings = settled(said)
    rest = [word for word in words if word not in said]
    if not settings[curves.WANDB]:
        return rest, None
    mode = settings["wandb_mode"]
    wrong = missing(curves.WANDB, "wandb", "wandb") or schema.wrong("wandb_mode", mode)
    place = files.root.joinpath(*LOGGER)
    if not wrong and not place.is_file():
        wrong = f"{curves.WANDB}: {files.host.title} has no logger in {place}"
    if wrong:
        raise ConfigError(wrong)
    return rest, settings


def name_of(word: Any) -> str:
    """Return the name of the setting that a word after `with` sets."""
    return word.partition("=")[0] if isinstance(word, str) else word.name


def settled(said: Sequence[Any]) -> Dict[str, Any]:
    """Return the settings of W&B: what is said, over the defaults."""
    defaults = read_yaml(OUR_CONFIGS.parent / "default.yaml")
    layers = Layers({key: defaults[key] for key in curves.WANDB_SETTINGS})
    for word in said:
        path, value = (
            read_word(word) if isinstance(word, str) else (word.path, word.value)
        )
        try:
            layers.put(path, value)
        except WrongType as error:
            given = f"{error.name}={quoted(error.value)}"
            raise ConfigError(f"{given}: {error.needed} is needed") from None
    return layers.values


def log_on_import(host: HostAdapter, settings: Dict[str, Any], root: Path) -> None:
    """Have the host's logger write to W&B too, once its module is imported."""
    write = functools.partial(
        log_in, settings=settings, results=root.parent / "results"
    )
    after_import(host.module("utils.logging"), write)


def log_in(logging: ModuleType, settings: Dict[str, Any], results: Path) -> None:
    """Have a host's `Logger` write to W&B too: all numbers, from sacred's set-up on.

    W&B itself ends its run when the process ends.
    """
    logger = logging.Logger
    setup_sacred, log_stat = logger.setup_sacred, logger.log_stat
    begun: List[curves.Wandb] = []

    @functools.wraps(setup_sacred)
    def set_up(self: Any, run: Any) -> None:
        setup_sacred(self, run)
        name = f"{run.config.get('name')}__{run._id}"
        begun.append(curves.Wandb(settings, str(results), name, dict(run.config)))

    @functools.wraps(log_stat)
    def log(
        self: Any, key: str, value: Any, t: int, *others: Any, **named: Any
    ) -> None:
        log_stat(self, key, value, t, *others, **named)
        for each in begun:
            each.log(key, float(value), int(t))

    logger.setup_sacred, logger.log_stat = set_up, log
