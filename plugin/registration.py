"""Our learners in the host's own `learners.REGISTRY`.

The entries are made the moment the host has imported its `learners` package, not by an
import of ours: every random number that the host draws stays what it is without us.
"""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict

from ..errors import ConfigError, WQMixError
from .hosts import HostAdapter
from .hosts.base import read_text
from .imports import after_import
from .notes import note

LEARNERS = ("wqmix_learner", "pow_qmix_learner")  # of `wqmix.learners.LEARNERS`
LEARNER = LEARNERS[0]
LEARNER_BESIDE = "wqmix_plugin_learner"  # where the host has a `wqmix_learner` itself
GUARDED = ("train", "cuda", "save_models", "load_models")


def learner_key(root: Path) -> str:
    """Return the registry key for our learner: one that the host does not use."""
    source = root / "learners" / "__init__.py"
    taken = source.is_file() and re.search(rf"['\"]{LEARNER}['\"]", read_text(source))
    if taken:
        note(f"{source} has its own {LEARNER!r}: ours is {LEARNER_BESIDE!r}")
    return LEARNER_BESIDE if taken else LEARNER


def register_on_import(host: HostAdapter, key: str) -> None:
    """Register our learners when the host imports `learners`, or now if it has."""
    enter = functools.partial(register_in, host=host, key=key)
    after_import(host.module("learners"), enter)


def register_in(learners: ModuleType, host: HostAdapter, key: str) -> None:
    """Enter our learners into an imported `learners` package.

    Args:
        learners: the package.
        host: its adapter.
        key: the registry key of `wqmix_learner` there.

    Raises:
        ConfigError: the package has no REGISTRY, or a key is the host's own.
    """
    registry = getattr(learners, "REGISTRY", None)
    if not isinstance(registry, dict):
        raise ConfigError(
            f"{host.title}: {learners.__name__} has no dict named REGISTRY to enter "
            f"{key!r} into ({learners.__file__})"
        )
    keys = {name: key if name == LEARNER else name for name in LEARNERS}
    for taken in keys.values():
        if not _is_free_or_ours(registry, taken):
            raise ConfigError(
                f"{host.title}: {learners.__name__}.REGISTRY has its own {taken!r}, "
                "which is not overwritten: rename it in the host"
            )
    for name, entered in keys.items():
        registry[entered] = functools.partial(build_learner, host, name)


def _is_free_or_ours(registry: Dict[str, Any], key: str) -> bool:
    return getattr(registry.get(key, build_learner), "func", build_learner) is (
        build_learner
    )


def build_learner(
    host: HostAdapter, name: str, mac: Any, scheme: Any, logger: Any, args: Any
) -> Any:
    """Build a learner of ours for a host: what its registry holds under our keys.

    A `WQMixError` in the constructor or in a method ends the process with one line.
    """
    return or_one_line(_build)(host, name, mac, scheme, logger, args)


def _build(
    host: HostAdapter, name: str, mac: Any, scheme: Any, logger: Any, args: Any
) -> Any:
    from .. import learners

    check_scheme(host, scheme)
    ours = copy.copy(args)
    ours.wqmix_host = host.host_settings(vars(args))
    learner = learners.LEARNERS[name](mac, scheme, logger, ours)
    for method in GUARDED:
        setattr(learner, method, or_one_line(getattr(learner, method)))
    return learner


def check_scheme(host: HostAdapter, scheme: Any) -> None:
    """Refuse image observations and individual rewards, which the batch would hold."""
    shape = scheme["obs"]["vshape"]
    if not isinstance(shape, int) and len(shape) > 1:
        raise ConfigError(
            f"{host.title}: observations of shape {tuple(shape)} are images; Weighted "
            "QMIX here needs vectors"
        )
    shape = scheme["reward"]["vshape"]
    rewards = shape if isinstance(shape, int) else shape[0]
    if rewards != 1:
        raise ConfigError(
            f"{host.title}: {rewards} rewards a step, but Weighted QMIX needs one "
            "reward for the team"
        )


def or_one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function: a `WQMixError` becomes one line and the exit code it names."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except WQMixError as error:
            note(f"error: {error}")
            raise SystemExit(error.exit_code) from None

    return guarded
