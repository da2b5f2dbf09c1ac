"""Everything that can be known to be wrong before anything is written."""

from __future__ import annotations

import os
import random
from typing import Any, Collection, Dict, Optional

from ..config import reading, schema
from ..config.extras import missing
from . import controllers, envs, learners, runners
from .components import action_selectors
from .envs import contract
from .envs.multiagentenv import NO_REPLAY, records_replays
from .errors import CheckpointError, ConfigError, HostError, raised, unknown
from .modules import agents, mixers
from .utils.checkpoints import (
    differences,
    find_run,
    nearest_step,
    step_to_resume,
    verify,
)
from .utils.foreign import is_file_spec, load_class
from .utils.patience import TookTooLong, at_most

_LONGEST_NAME = 150


def validate(config: Dict[str, Any]) -> Dict[str, Any]:
    """Check a merged configuration, and settle what it leaves open.

    Draws a seed where none is given, and registers a learner that is named by its file.

    Returns:
        The configuration to run with.

    Raises:
        HostError: the first thing found wrong.
    """
    config = dict(config)
    facts = _check_resume(config)
    if config["seed"] is None and facts is not None:
        config["seed"] = facts["config"]["seed"]
    if config["seed"] is None:
        config["seed"] = random.SystemRandom().randrange(schema.LARGEST_SEED)
    _check_learner(config)
    _check_names(config)
    _check_folders(config)
    _check_values(config)
    _check_combinations(config)
    env_args = dict(config["env_args"])
    if env_args.get("seed") is None:
        env_args["seed"] = config["seed"]
    config["env_args"] = env_args
    _check_env(config)
    if facts is not None and not config["evaluate"]:
        changed = differences(config, facts)
        if changed:
            raise CheckpointError(f"resume=True needs the same settings: {changed}")
    if config["auto_resume"]:
        _look_for_a_run(config)
    _check_checkpoint(config)
    return config


def validate_playing(config: Dict[str, Any]) -> None:
    """As `validate`, for episodes that nothing is learned from: no learner, no buffer.

    Raises:
        HostError: the first thing found wrong.
    """
    _check_names(config)
    _check_values(config)
    _check_combinations(config)
    _check_env(config)


def _check_learner(config: Dict[str, Any]) -> None:
    name = config["learner"]
    if is_file_spec(name):
        learners.REGISTRY[name] = load_class(name)
    elif name == "wqmix_learner" and name not in learners.REGISTRY:
        raise ConfigError(
            "learner 'wqmix_learner' belongs to Weighted QMIX: "
            "run it through `python -m wqmix`"
        )
    elif name not in learners.REGISTRY:
        names = [*learners.REGISTRY, "path/to/file.py:ClassName"]
        raise unknown("learner", name, names)


def _check_names(config: Dict[str, Any]) -> None:
    registries: Dict[str, Collection[Any]] = {
        "runner": runners.REGISTRY,
        "mac": controllers.REGISTRY,
        "agent": agents.REGISTRY,
        "action_selector": action_selectors.REGISTRY,
        "env": envs.REGISTRY,
        "agent_output_type": ["q"],
        "optimizer": ["rmsprop", "adam"],
    }
    if config["learner"] == "q_learner":  # others may bring mixers of their own
        registries["mixer"] = {**mixers.REGISTRY, None: "no mixer"}
    for key, registry in registries.items():
        if key not in config:
            raise ConfigError(f"{key} is set by no config file; add it to yours")
        if config[key] not in registry:
            raise unknown(key, config[key], registry)


def _check_folders(config: Dict[str, Any]) -> None:
    """What is written stays where it is asked for."""
    name, results = config["name"], config["local_results_path"]
    if "/" in name or not reading.stays_inside(name) or len(name) > _LONGEST_NAME:
        raise ConfigError(f"name is {name!r}: the name of a folder is needed, no path")
    place = os.path.abspath(results)
    while not os.path.lexists(place):
        place = os.path.dirname(place)
    if not results or not os.path.isdir(place):
        raise ConfigError(f"local_results_path is {results!r}: {place} is no folder")


def _check_values(config: Dict[str, Any]) -> None:
    for key in schema.HOST:
        wrong = schema.wrong(key, config[key]) if key in config else None
        if wrong:
            raise ConfigError(wrong)


def _check_combinations(config: Dict[str, Any]) -> None:
    episodes, stored = config["batch_size_run"], config["buffer_size"]
    if config["runner"] == "episode" and episodes != 1:
        raise ConfigError(
            f"batch_size_run is {episodes}, but the episode runner plays 1 at a time: "
            "use runner=vector or runner=parallel"
        )
    if config["runner"] == "parallel" and config["episodes_per_update"] != 1:
        raise ConfigError(
            f"episodes_per_update is {config['episodes_per_update']}, but the parallel "
            "runner updates after each rollout of batch_size_run: use runner=vector"
        )
    for key in ("batch_size", "batch_size_run"):
        if config[key] > stored:
            raise ConfigError(f"{key} is {config[key]}, over buffer_size, {stored}")
    if config["runner"] == "parallel" and config["env"] in envs.IN_ONE_PROCESS:
        raise ConfigError(
            f"env {config['env']!r} cannot be in forked processes, which the parallel "
            "runner uses: runner=vector steps many copies in one"
        )
    if config["save_replay"] and config["runner"] != "episode":
        raise ConfigError("save_replay needs runner=episode")
    for extra, module in (("tensorboard", "tensorboardX"), ("wandb", "wandb")):
        lacking = missing(f"use_{extra}", extra, module)
        if config[f"use_{extra}"] and lacking:
            raise ConfigError(lacking)


def _check_resume(config: Dict[str, Any]) -> Optional[Dict[str, Any]]:
    """Settle `load_step` for `resume`; returns the checkpoint's manifest, or None."""
    if config["auto_resume"]:
        if config["seed"] is None:
            raise ConfigError("auto_resume needs a seed: it looks for the same run")
        if not config["save_model"]:
            raise ConfigError("auto_resume needs save_model=True, or finds nothing")
    if not config["resume"]:
        return None
    path = config["checkpoint_path"]
    if path == "":
        raise ConfigError("resume needs a checkpoint_path; or use auto_resume=True")
    config["load_step"], facts = step_to_resume(path, config["load_step"])
    return facts


def _look_for_a_run(config: Dict[str, Any]) -> None:
    models = os.path.join(config["local_results_path"], "models")
    found = find_run(models, config)
    if found is not None:
        folder, step = found
        config.update(checkpoint_path=folder, load_step=step, resume=True)


def _check_checkpoint(config: Dict[str, Any]) -> None:
    path = config["checkpoint_path"]
    if path == "":
        for key in ("evaluate", "save_replay"):
            if config[key]:
                raise ConfigError(f"{key} needs a checkpoint_path to load from")
        return
    verify(os.path.join(path, str(nearest_step(path, config["load_step"]))))


def _check_env(config: Dict[str, Any]) -> None:
    """Make the environment once: it knows best what its arguments may be."""
    here = os.getcwd()
    try:
        _try_env(config)
    finally:  # some change it
        os.chdir(here)


def _try_env(config: Dict[str, Any]) -> None:
    name = config["env"]
    limit = config["worker_timeout"]
    try:
        with at_most(limit):
            env = envs.REGISTRY[name](**config["env_args"])
    except TookTooLong:
        waited = f"after {limit:g} seconds (worker_timeout)"
        raise ConfigError(f"env {name!r} has not been made {waited}") from None
    except HostError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"env {name!r} refuses its env_args: {error}") from error
    except (Exception, SystemExit) as error:
        if not envs.is_foreign(name):
            raise
        raise ConfigError(f"env {name!r}: making it raised {raised(error)}") from error
    if config["save_replay"] and not records_replays(env):
        env.close()
        raise ConfigError(NO_REPLAY)
    try:
        with at_most(limit):
            contract.insist(env, name) if envs.is_foreign(name) else env.close()
    except TookTooLong:
        raise ConfigError(
            f"env {name!r}: nothing came back from one episode and close within "
            f"{limit:g} seconds (worker_timeout)"
        ) from None
