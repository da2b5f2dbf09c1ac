"""Our learners in the host's own `learners.REGISTRY`.

The entries are made the moment the host has imported its `learners` package, not by an
import of ours: every random number that the host draws stays what it is without us.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict

from ..errors import ConfigError
from .configs import OUR_CONFIGS, our_learners, our_names, read_yaml
from .hosts import HostAdapter
from .hosts.base import read_text
from .imports import after_import
from .names import hold_folder
from .notes import note, or_one_line

BESIDE = "plugin_"  # put before a key of ours that a host has itself
GUARDED = ("train", "cuda", "save_models", "load_models")


def learner_keys(root: Path) -> Dict[str, str]:
    """Return the registry key for each learner of ours: one that the host does not use.

    Args:
        root: the host's source folder; its `learners/__init__.py` is read as text.
    """
    source = root / "learners" / "__init__.py"
    text = read_text(source) if source.is_file() else ""
    keys = {}
    for name in our_learners():
        taken = re.search(rf"['\"]{name}['\"]", text)
        keys[name] = BESIDE + name if taken else name
        if taken:
            note(f"{source} has its own {name!r}: ours is {keys[name]!r}")
    return keys


def register_on_import(host: HostAdapter, keys: Dict[str, str]) -> None:
    """Register our learners when the host imports `learners`, or now if it has."""
    enter = functools.partial(register_in, host=host, keys=keys)
    after_import(host.module("learners"), enter)


def register_in(learners: ModuleType, host: HostAdapter, keys: Dict[str, str]) -> None:
    """Enter our learners into an imported `learners` package.

    Raises:
        ConfigError: the package has no REGISTRY, or a key is the host's own.
    """
    registry = getattr(learners, "REGISTRY", None)
    if not isinstance(registry, dict):
        raise ConfigError(
            f"{host.title}: {learners.__name__} has no dict named REGISTRY to enter "
            f"our learners into ({learners.__file__})"
        )
    for name, key in keys.items():
        present = registry.get(key)
        if present is None:
            registry[key] = functools.partial(build_learner, host, name)
        elif getattr(present, "func", None) is not build_learner:
            raise ConfigError(
                f"{host.title}: {learners.__name__}.REGISTRY has its own {key!r}, "
                "which is not overwritten: rename it in the host"
            )


def build_learner(
    host: HostAdapter, name: str, mac: Any, scheme: Any, logger: Any, args: Any
) -> Any:
    """Build one of our learners for a host: what its registry holds under our key.

    A `WQMixError` in the constructor or in a method ends the process with one line.
    """
    return or_one_line(_build)(host, name, mac, scheme, logger, args)


def _build(
    host: HostAdapter, name: str, mac: Any, scheme: Any, logger: Any, args: Any
) -> Any:
    from ..learners import LEARNERS
    from . import parity  # imports torch

    check_handed_on(host, name, args)
    check_scheme(host, scheme)
    check_agent(host, mac, scheme, args)
    lock = hold_folder(host, args) if getattr(args, "save_model", False) else None
    ours = copy.copy(args)
    facts = host.host_settings(vars(args))
    if args.mixer not in host.mixers:  # the user vouches for it (monotonic_mixer)
        build = parity.vouched_mixer(host, mac, scheme, args)
        facts = dataclasses.replace(facts, build_mixer=build)
    ours.wqmix_host = parity.settled(host, facts, mac, scheme, logger, args)
    learner: Any = LEARNERS[name](mac, scheme, logger, ours)
    learner.folder_lock = lock  # for as long as it may save
    for method in GUARDED:
        setattr(learner, method, or_one_line(getattr(learner, method)))
    if host.not_restored and not getattr(args, "evaluate", False):
        learner.load_models = followed_by_note(learner.load_models, host)
    return learner


def followed_by_note(
    load: Callable[[str], None], host: HostAdapter
) -> Callable[[str], None]:
    """Wrap `load_models`: say once what the host itself does not restore."""

    def loaded(path: str) -> None:
        load(path)
        note(f"{path} is loaded; {host.title} does not restore {host.not_restored}")

    return loaded


def check_handed_on(host: HostAdapter, name: str, args: Any) -> None:
    """Refuse a host that lets through only those settings that it knows itself."""
    ours = (read_yaml(OUR_CONFIGS / f"{each}.yaml") for each in our_names())
    listed = next(values for values in ours if values.get("learner") == name)
    lacking = [key for key in listed if key != "inherit" and not hasattr(args, key)]
    if lacking:
        raise ConfigError(
            f"{host.title}: what reaches its learners lacks {', '.join(lacking)}: some "
            "code of this host drops settings that it does not know; let these through"
        )


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


def check_agent(host: HostAdapter, mac: Any, scheme: Any, args: Any) -> None:
    """Refuse an agent that does not give one value for each action.

    It is asked before the host's first episode, about one slot of zeros. An agent that
    fails on it is left to the host, whose own message says more.
    """
    import torch

    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            mac.init_hidden(1)
            found = tuple(mac.forward(Probe(scheme, args.n_agents), t=0).shape)
    except Exception:
        return
    expected = (1, args.n_agents, args.n_actions)
    if found != expected:
        raise ConfigError(
            f"{host.title}: agent={args.agent!r} with mac={args.mac!r} gives values "
            f"of shape {found}, not (episodes, agents, actions) = {expected}: Weighted "
            "QMIX needs one value for each action"
        )


class Probe:
    """A batch of one episode and one slot of zeros, as far as a controller looks."""

    batch_size = max_seq_length = 1
    device = "cpu"

    def __init__(self, scheme: Any, n_agents: int) -> None:
        self._scheme, self._n_agents = scheme, n_agents

    def __getitem__(self, key: str) -> Any:
        import torch

        field = self._scheme[key]
        shape = field["vshape"]
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        group = (self._n_agents,) if "group" in field else ()
        dtype = field.get("dtype", torch.float32)
        return torch.zeros((1, 1, *group, *shape), dtype=dtype)
