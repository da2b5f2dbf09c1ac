"""Which runs are repetitions of one another: the same algorithm on the same task.

Names are the hosts' own. Where runs of one name differ in settings, what differs
becomes part of the name: no two settings are averaged over.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any, Dict, Iterable, List, Tuple

from .runs import Record

TASK_NAMES = ("map_name", "key", "env_id", "scenario")
PREFIX = "wqmix_"  # of the embedded host's games in other hosts
# What does not make an algorithm another one.
NO_SETTINGS = frozenset(
    "name env env_args seed label repeat_id t_max test_interval log_interval "
    "runner_log_interval learner_log_interval save_model save_model_interval "
    "keep_checkpoints save_buffer save_replay unique_token local_results_path "
    "use_tensorboard checkpoint_path load_step evaluate resume auto_resume use_cuda "
    "device buffer_cpu_only worker_timeout worker_restarts test_nepisode render "
    "state_shape obs_shape n_agents n_actions env_info".split()
)
MOST_IN_A_NAME = 3


def name_all(records: List[Record]) -> Tuple[List[str], List[str], List[str]]:
    """Return each run's algorithm, each run's task, and remarks on the names."""
    tasks = variants([task_of(r) for r in records], [task_settings(r) for r in records])
    names = [algorithm_of(record, records) for record in records]
    per_task = list(zip(names, tasks))
    settings = [algorithm_settings(record) for record in records]
    varying = differing(per_task, settings)
    by_name: Dict[str, set] = defaultdict(set)
    for (name, _), keys in varying.items():
        by_name[name] |= keys
    algorithms = [
        with_settings(name, each, sorted(by_name[name]))
        for name, each in zip(names, settings)
    ]
    return shortened(algorithms), tasks, mixed(per_task, settings)


def algorithm_of(record: Record, records: Iterable[Record]) -> str:
    """Return the algorithm's name, with its source's if several have it."""
    name = str(record.config.get("name", "unknown"))
    sources = {r.source for r in records if str(r.config.get("name")) == name}
    return f"{name} ({record.source})" if len(sources) > 1 and record.source else name


def algorithm_settings(record: Record) -> Dict[str, Any]:
    """Return the settings that make an algorithm another one."""
    return {
        key: value
        for key, value in record.config.items()
        if key not in NO_SETTINGS and not key.startswith("wandb")
    }


def task_of(record: Record) -> str:
    """Return the task's name, as papers use it."""
    env_args, env = env_args_of(record), env_of(record)
    names = [str(env_args[key]) for key in TASK_NAMES if env_args.get(key)]
    # Ours in another host has its own name as `map_name`, for the results' folder.
    name = next((name for name in names if name != env), env)
    game = env_args.get("game")
    return f"{name} {game}" if isinstance(game, str) else name


def env_of(record: Record) -> str:
    """Return the environment's name, the same in every host."""
    env = str(record.config.get("env", "unknown"))
    return env[len(PREFIX) :] if env.startswith(PREFIX) else env


def task_settings(record: Record) -> Dict[str, Any]:
    """Return the environment's arguments that make a task another one."""
    unused = {*TASK_NAMES, "game", "seed", "replay_dir", "replay_prefix"}
    return {k: v for k, v in env_args_of(record).items() if k not in unused}


def env_args_of(record: Record) -> Dict[str, Any]:
    """Return the environment's arguments."""
    found = record.config.get("env_args")
    return found if isinstance(found, dict) else {}


def variants(names: List[str], settings: List[Dict[str, Any]]) -> List[str]:
    """Return the names, with the settings in which runs of one name differ."""
    varying = differing(names, settings)
    return shortened(
        [with_settings(n, s, sorted(varying[n])) for n, s in zip(names, settings)]
    )


def differing(keys: List[Any], settings: List[Dict[str, Any]]) -> Dict[Any, set]:
    """Return, for each key, the settings that have several values among its runs.

    A setting that some runs do not have at all, as those of another host, is not one.
    """
    values: Dict[Any, Dict[str, set]] = defaultdict(lambda: defaultdict(set))
    for key, each in zip(keys, settings):
        for setting, value in each.items():
            values[key][setting].add(json.dumps(value, sort_keys=True))
    return {
        key: {setting for setting, found in values[key].items() if len(found) > 1}
        for key in keys
    }


def with_settings(name: str, settings: Dict[str, Any], keys: List[str]) -> str:
    """Return `name alpha=0.1 …`."""
    return " ".join([name, *(f"{k}={settings[k]}" for k in keys if k in settings)])


def shortened(names: List[str]) -> List[str]:
    """Return names without all but the first few settings, numbered where needed."""
    short: Dict[str, str] = {}
    for name in sorted(set(names)):
        words = name.split(" ")
        settings = [word for word in words if "=" in word]
        if len(settings) > MOST_IN_A_NAME:
            kept = " ".join(words[: len(words) - len(settings) + MOST_IN_A_NAME])
            taken = sum(each.startswith(kept) for each in short.values())
            short[name] = f"{kept} … #{taken + 1}"
        else:
            short[name] = name
    return [short[name] for name in names]


def mixed(groups: List[Any], settings: List[Dict[str, Any]]) -> List[str]:
    """Return remarks on groups whose runs do not even have the same settings."""
    seen: Dict[Any, set] = defaultdict(set)
    for group, each in zip(groups, settings):
        seen[group].add(frozenset(each))
    return [
        f"{name} on {task}: runs with different sets of settings, of several hosts or "
        "versions perhaps; NAME=PATH keeps them apart"
        for (name, task), sets in sorted(seen.items())
        if len(sets) > 1
    ]
