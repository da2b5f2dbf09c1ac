"""Environments of other packages: importing them, and their episodes' seeds."""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterable, Iterator, Optional

import numpy as np

from ...config.extras import command
from ...config.names import nearest
from ..errors import ConfigError
from ..utils.foreign import look_here
from .checks import seed_of


@contextmanager
def _without_output() -> Iterator[None]:
    """What is printed goes to the standard error: the output may be somebody's file.

    JaxMARL prints when it is imported, once it has put `sys.__stdout__` in place of
    whatever `sys.stdout` was.
    """
    before = sys.stdout, sys.stderr, sys.__stdout__
    streams: Any = sys  # Any: by its type the last one is final
    streams.stdout = streams.__stdout__ = sys.stderr
    try:
        yield
    finally:
        streams.stdout, streams.stderr, streams.__stdout__ = before


def load(
    module: str,
    env: str,
    extra: Optional[str] = None,
    known: Iterable[str] = (),
    how: Optional[str] = None,
) -> Any:
    """Import `module`, which the extra `extra` of this package installs.

    Or one of the user's own, in the current folder.

    Raises:
        ConfigError: it is not installed, or does not import; names the extra or, where
            that is None, says `how` to get it or the nearest of the `known` modules.
    """
    look_here()
    try:
        with _without_output():
            return importlib.import_module(module)
    except ImportError as error:
        if how is None:
            how = f": {command(extra)}" if extra else nearest(module, known)
        raise ConfigError(
            f"env {env!r} needs {module.split('.')[0]} ({error}){how}"
        ) from None


def build(constructor: Callable[..., Any], options: Dict[str, Any]) -> Any:
    """`constructor(**options)`, where `options` are the user's.

    Raises:
        ConfigError: it refuses them.
    """
    try:
        return constructor(**options)
    except (TypeError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(
            f"env_args.options {options} are refused: {reason}"
        ) from error


class Seeded:
    """An environment whose randomness is its `_seeds`, an `EpisodeSeeds`."""

    _seeds: EpisodeSeeds

    def seed(self) -> Any:
        return self._seeds.seed

    def state_dict(self) -> Dict[str, Any]:
        return self._seeds.state_dict()

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._seeds.load_state_dict(state)


class EpisodeSeeds:
    """A seed for each episode, so that all that happens in it follows from that seed.

    And a run that is resumed between two episodes goes on as if it had not stopped,
    although the packages themselves cannot say what state they are in.
    """

    def __init__(self, seed: Optional[int]) -> None:
        self.seed = seed_of(seed)
        self._rng = np.random.default_rng(self.seed)

    def draw(self, count: Optional[int] = None) -> Any:
        """The next episode's seed, or those of the next `count`."""
        seeds = self._rng.integers(2**31, size=count)
        return int(seeds) if count is None else seeds

    def state_dict(self) -> Dict[str, Any]:
        return {"rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        self._rng.bit_generator.state = state["rng"]
