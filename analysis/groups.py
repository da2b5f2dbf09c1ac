"""Which runs are repetitions of one another: the same algorithm on the same task.

Names are the hosts' own. Where runs of one name differ in settings, what differs
becomes part of the name: no two settings are averaged over. So does what makes a game
of ours another one than its file in `config/envs` has it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterable, List, Set, Tuple

from wqmix import config
from wqmix.config.reading import one_line, read_yaml
from wqmix.storage.settings import ADDED, FREE

from .runs import EMBEDDED, Record

TASK_NAMES = ("map_name", "key", "env_id", "scenario")
PREFIX = "wqmix_"  # of the embedded host's games in other hosts
# What does not make an algorithm another one.
NO_SETTINGS = FREE.union(
    "name env env_args seed test_nepisode render state_shape obs_shape n_agents "
    "n_actions env_info".split()
)
MOST_IN_A_NAME, LONGEST_SETTING = 3, 32
COMPLETED = "COMPLETED"
_NUMBER = re.compile(r"((?:(?<==)-)?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)")


def grouped(
    records: List[Record],
) -> Tuple[Dict[Tuple[str, str], List[Record]], List[str], List[str]]:
    """Return the runs of each algorithm and task, one for each seed.

    Returns:
        The runs, remarks on whole groups, and remarks on runs that are left out.
    """
    algorithms, tasks, remarks = name_all(records)
    found: Dict[Tuple[str, str], List[Record]] = defaultdict(list)
    for record, algorithm, task in zip(records, algorithms, tasks):
        found[algorithm, task].append(record)
    groups, left_out = {}, []
    for algorithm, task in in_order_of_names(found):
        runs = found[algorithm, task]
        kept, said = one_for_each_seed(runs, f"{algorithm} on {task}")
        groups[algorithm, task] = kept
        left_out += said
    return groups, remarks, left_out


def in_order(name: str) -> List[Any]:
    """Return by what names are sorted: 5m before 10m, alpha=0.05 before alpha=0.1."""
    parts = _NUMBER.split(name)  # text, number, text, …
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]


def in_order_of_names(keys: Iterable[Tuple[str, str]]) -> List[Tuple[str, str]]:
    """Return algorithms and tasks, sorted by both names."""
    return sorted(keys, key=lambda key: tuple(map(in_order, key)))


def one_for_each_seed(
    records: List[Record], name: str
) -> Tuple[List[Record], List[str]]:
    """Keep one run for each seed: the completed one, or that which came furthest."""
    best: Dict[object, Record] = {}
    remarks = []
    for number, record in enumerate(records):
        key = ("seed", record.seed) if record.seed is not None else ("run", number)
        other = best.get(key)
        best[key] = record if other is None else max(other, record, key=merit)
        if other is not None:
            left = other if best[key] is record else record
            kept = best[key].folder
            remarks.append(
                f"{left.folder}: left out, {kept} is the same ({name}, seed "
                f"{record.seed}) and {best[key].status}, to step {best[key].end:,}"
            )
    return sorted(best.values(), key=lambda r: (r.seed is None, r.seed)), remarks


def merit(record: Record) -> Tuple[bool, int]:
    """Return by what one of several equal runs is chosen."""
    return record.status == COMPLETED, record.end


def name_all(records: List[Record]) -> Tuple[List[str], List[str], List[str]]:
    """Return each run's algorithm, each run's task, and remarks on the names."""
    task_names = [task_of(record) for record in records]
    tasks = variants(task_names, all_task_settings(records, task_names), records)
    names = algorithm_names(records)
    per_task = list(zip(names, tasks))
    settings = [algorithm_settings(record) for record in records]
    varying = differing(per_task, settings)
    by_name: Dict[str, Set[str]] = defaultdict(set)
    for (name, _), keys in varying.items():
        by_name[name] |= keys
    # What tells the runs of one algorithm apart is said of all that have it.
    several = differing(names, settings)
    anywhere = set().union(*by_name.values())
    algorithms = [
        with_settings(name, each, sorted(by_name[name] | anywhere - several[name]))
        for name, each in zip(names, settings)
    ]
    remarks = mixed(per_task, settings)
    return shown(shortened(algorithms)), shown(tasks), remarks


def shown(names: List[str]) -> List[str]:
    """Return names as they can be shown anywhere: they are whatever a file says."""
    return [one_line(name).strip() or "unnamed" for name in names]


def algorithm_names(records: List[Record]) -> List[str]:
    """Return the algorithms' names, with their sources' where several have one."""
    sources: Dict[str, Set[str]] = defaultdict(set)
    for record in records:
        sources[record.config["name"]].add(record.source)
    names = []
    for record in records:
        name, source = record.config["name"], record.source
        names.append(
            f"{name} ({source})" if source and len(sources[name]) > 1 else name
        )
    return names


def algorithm_settings(record: Record) -> Dict[str, Any]:
    """Return the settings that make an algorithm another one.

    Of the embedded host also those that it did not have yet, as it was then.
    """
    lacked = ADDED if record.host == EMBEDDED else {}
    return {
        key: value
        for key, value in {**lacked, **record.config}.items()
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
    env: str = record.config["env"]
    return env[len(PREFIX) :] if env.startswith(PREFIX) else env


def all_task_settings(records: List[Record], tasks: List[str]) -> List[Dict[str, Any]]:
    """Return for each run the environment's arguments that make a task another one.

    One that only some of a host's runs have is None for the others, as `{}` is: to be
    without it is another task. Hosts have arguments of their own for the same task.
    """
    found = [task_settings(record) for record in records]
    known: Dict[Any, Dict[str, None]] = defaultdict(dict)
    for record, task, each in zip(records, tasks, found):
        known[record.host, task].update(dict.fromkeys(each))
    return [
        {**known[record.host, task], **each}
        for record, task, each in zip(records, tasks, found)
    ]


def task_settings(record: Record) -> Dict[str, Any]:
    """Return a run's own of them."""
    unused = {*TASK_NAMES, "game", "seed", "replay_dir", "replay_prefix"}
    arguments = env_args_of(record).items()
    return {k: None if v == {} else v for k, v in arguments if k not in unused}


def env_args_of(record: Record) -> Dict[str, Any]:
    """Return the environment's arguments."""
    found = record.config.get("env_args")
    return found if isinstance(found, dict) else {}


def variants(
    names: List[str], settings: List[Dict[str, Any]], records: List[Record]
) -> List[str]:
    """Return the names, with the settings in which runs of one name differ.

    And those in which a game of ours differs from its file, in the file's order.
    """
    varying = differing(names, settings)
    full = []
    for name, each, record in zip(names, settings, records):
        usual = list(usual_settings(env_of(record)))
        place = {key: number for number, key in enumerate(usual)}
        own = own_settings(record)
        ordered = sorted(
            varying[name] | own, key=lambda key: (place.get(key, len(place)), key)
        )
        unset = {key: "none" for key in own if each[key] is None}
        full.append(with_settings(name, {**each, **unset}, ordered))
    return shortened(full)


def own_settings(record: Record) -> Set[str]:
    """Return the arguments of a game of ours that are not as in its file."""
    if record.host != EMBEDDED and not record.config["env"].startswith(PREFIX):
        return set()
    usual = usual_settings(env_of(record))
    return {
        key
        for key, value in task_settings(record).items()
        if key in usual and (usual[key] or None) != (value or None)
    }


@lru_cache(maxsize=None)
def usual_settings(env: str) -> Dict[str, Any]:
    """Return the arguments of an environment as its file has them; {} without one."""
    files = {p.stem: p for p in Path(config.__file__).parent.glob("envs/*.yaml")}
    return read_yaml(files[env]).get("env_args") or {} if env in files else {}


def differing(keys: List[Any], settings: List[Dict[str, Any]]) -> Dict[Any, Set[str]]:
    """Return, for each key, the settings that have several values among its runs.

    A setting that some runs do not have at all, as those of another host, is not one.
    """
    values: Dict[Any, Dict[str, Set[str]]] = defaultdict(lambda: defaultdict(set))
    for key, each in zip(keys, settings):
        for setting, value in each.items():
            values[key][setting].add(json.dumps(value, sort_keys=True))
    return {
        key: {setting for setting, found in values[key].items() if len(found) > 1}
        for key in keys
    }


def with_settings(name: str, settings: Dict[str, Any], keys: Iterable[str]) -> str:
    """Return `name alpha=0.1 …`."""
    found = {key: settings.get(key) for key in keys}
    return " ".join(
        [name, *(f"{k}={spelt(v)}" for k, v in found.items() if v is not None)]
    )


def spelt(value: Any) -> str:
    """Return a setting's value in one word; of a list of numbers as `5x5`."""
    if isinstance(value, list) and value and all(map(is_number, value)):
        return "x".join(map(str, value))
    nested = isinstance(value, (list, dict))
    return json.dumps(value, separators=(",", ":")) if nested else str(value)


def is_number(value: Any) -> bool:
    """Return whether a value is a number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def shortened(names: List[str]) -> List[str]:
    """Return names without all but the first few settings, numbered where needed."""
    short: Dict[str, str] = {}
    for name in sorted(set(names), key=in_order):
        words = name.split(" ")
        settings = [word for word in words if "=" in word]
        first = len(words) - len(settings)
        kept = [w[:LONGEST_SETTING] for w in words[first : first + MOST_IN_A_NAME]]
        if kept == words[first:]:
            short[name] = name
        else:
            stem = " ".join([*words[:first], *kept])
            taken = sum(each.startswith(f"{stem} … #") for each in short.values())
            short[name] = f"{stem} … #{taken + 1}"
    return [short[name] for name in names]


def mixed(groups: List[Any], settings: List[Dict[str, Any]]) -> List[str]:
    """Return remarks on groups whose runs do not even have the same settings."""
    seen: Dict[Any, Set[FrozenSet[str]]] = defaultdict(set)
    for group, each in zip(groups, settings):
        seen[group].add(frozenset(each))
    return [
        f"{name} on {task}: runs with different sets of settings, of several hosts or "
        "versions perhaps; NAME=PATH keeps them apart"
        for (name, task), sets in sorted(seen.items())
        if len(sets) > 1
    ]
