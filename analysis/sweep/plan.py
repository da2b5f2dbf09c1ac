"""A sweep file, and the runs that it means.

name: prey
algorithms: [qmix, {config: cw_qmix, grid: {alpha: [0.1, 0.5]}}]
environments: [predator_prey]
seeds: 3
settings: {t_max: 100000, env_args: {miscapture_punishment: -2}}
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
    TypeVar,
)

from wqmix.config import reading
from wqmix.config.names import nearest
from wqmix.config.reading import (
    ReadingError,
    in_home,
    read_bytes,
    read_yaml,
    spelt,
    stays_inside,
)
from wqmix.errors import ConfigError

T = TypeVar("T")
KEYS = (
    "name main module host algorithms environments seeds recipe settings grid "
    "results retries slurm"
).split()
ENTRY_KEYS = ("config", "recipe", "settings", "grid")
OURS = {
    "seed": "`seeds`",
    "label": "the sweep, to know its runs again",
    "local_results_path": "`results`",
}
MAX_RUNS = 10_000
RETRIES = 2


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        name: for people and for the log's file name.
        label: its identity, a digest of all that it was asked with. The host records
            it in the run's own config.json.
        arguments: what follows `python -m wqmix`.
        t_max: how many steps, where the sweep says so.
    """

    name: str
    label: str
    arguments: Tuple[str, ...]
    t_max: Optional[int] = None

    @property
    def command(self) -> List[str]:
        """What to execute."""
        return [sys.executable, "-m", "wqmix", *self.arguments]


@dataclass(frozen=True)
class Plan:
    """A sweep.

    Attributes:
        results: the folder with `sacred/` in it, where the host puts its runs.
        folder: of the sweep's own logs and lock.
        target: what of the command line says which host runs.
    """

    name: str
    results: Path
    folder: Path
    target: Tuple[str, ...]
    runs: List[Run]
    retries: int = RETRIES
    slurm: Dict[str, Any] = field(default_factory=dict)


def read(path: str) -> Plan:
    """Read a sweep file.

    Raises:
        ConfigError: a mistake in it, one line.
    """
    return read_as(path, plan)


def read_as(path: str, meaning: Callable[[Dict[str, Any], str], T]) -> T:
    """Return what a file's mapping, and its name, mean.

    Raises:
        ConfigError: a mistake in it, one line.
    """
    try:
        return meaning(read_yaml(Path(path)), Path(path).stem)
    except (ReadingError, ConfigError) as error:
        raise ConfigError(f"{path}: {error}") from None


def plan(values: Dict[str, Any], name: str) -> Plan:
    """Return the sweep that a file's mapping means."""
    known(values, KEYS, "")
    name = str(values.get("name", name))
    if not re.fullmatch(r"[\w.-]+", name) or not stays_inside(name):
        raise ConfigError(f"name={name!r}: letters, digits, '_', '-', '.' are needed")
    target, retries = target_of(values), values.get("retries", RETRIES)
    if not is_whole(retries):
        raise ConfigError(f"retries={retries!r}: a whole number from 0 is needed")
    slurm = values.get("slurm", {})
    if not isinstance(slurm, dict):
        raise ConfigError("slurm: `key: value` lines of submitit's are needed")
    results = results_of(values)
    logs = results if is_embedded(target) else Path("results")
    found = runs(values, target)
    return Plan(name, results, logs / "sweeps" / name, target, found, retries, slurm)


def runs(values: Dict[str, Any], target: Tuple[str, ...]) -> List[Run]:
    """Return all runs of a sweep, each once: all of the first seed first."""
    fixed = flat(values.get("settings", {}), "settings")
    grid = flat(values.get("grid", {}), "grid")
    where = {}
    if is_embedded(target) and "results" in values:
        where = {"local_results_path": text(values, "results")}
    algorithms = entries(values, "algorithms")
    environments = entries(values, "environments")
    if "recipe" in values:
        common = {"recipe": text(values, "recipe")}
        environments = [{**common, **entry} for entry in environments]
    apart = {*told_apart_by(algorithms), *told_apart_by(environments)}
    combined = (
        (algorithm, environment, seed, *choice)
        for seed in seeds(values)
        for algorithm in algorithms
        for environment in environments
        for choice in choices(fixed, grid, environment, algorithm)
    )
    listed = list(itertools.islice(combined, MAX_RUNS + 1))
    if not listed:
        raise ConfigError("no runs: `seeds` is empty")
    if len(listed) > MAX_RUNS:
        raise ConfigError(f"more than {MAX_RUNS} runs: that many are possible")
    found = [run(target, where, apart, *each) for each in listed]
    return list({each.label: each for each in found}.values())


def known(values: Dict[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse a key that is not one of `keys`."""
    for key in values:
        if key not in keys:
            offer = ", ".join(keys)
            raise ConfigError(f"{where}{key}: not one of {offer}{nearest(key, keys)}")


def text(values: Dict[str, Any], key: str) -> str:
    """Return a text of the file."""
    if not isinstance(values[key], str) or not values[key]:
        raise ConfigError(f"{key}={values[key]!r}: a text is needed")
    return in_home(values[key])


def is_whole(value: Any) -> bool:
    """Whether it is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def target_of(values: Dict[str, Any]) -> Tuple[str, ...]:
    """Return `[--host NAME] [SCRIPT | -m MODULE]` as the launcher takes it."""
    if "main" in values and "module" in values:
        raise ConfigError("main and module: only one of them")
    target: Tuple[str, ...] = ()
    if "host" in values:
        target += ("--host", text(values, "host"))
    if "main" in values:
        target += (text(values, "main"),)
    if "module" in values:
        target += ("-m", text(values, "module"))
    return target


def is_embedded(target: Tuple[str, ...]) -> bool:
    """Whether the runs are those of the host that comes with this package."""
    return not [word for word in target if not word.startswith("--host")]


def results_of(values: Dict[str, Any]) -> Path:
    """Return the folder of results: given, a checkout's own, or one that is here."""
    if "results" in values:
        return Path(text(values, "results"))
    if "main" in values:
        return Path(text(values, "main")).resolve().parent.parent / "results"
    return Path("results")


def flat(values: Any, where: str, prefix: str = "") -> Dict[str, Any]:
    """Return {a: {b: 1}} as {"a.b": 1}."""
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: `key: value` lines are needed")
    found: Dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in OURS:
            raise ConfigError(f"{where}: {name} is set by {OURS[name]}")
        if isinstance(value, dict) and value:
            found.update(flat(value, where, f"{name}."))
        else:
            found[name] = value
    return found


def entries(values: Dict[str, Any], key: str) -> List[Dict[str, Any]]:
    """Return the algorithms or environments: mappings with `config` and `content`."""
    listed = values.get(key)
    if isinstance(listed, str):
        listed = [listed]
    if not isinstance(listed, list) or not listed:
        raise ConfigError(f"{key}: a list of names is needed")
    found = []
    for entry in listed:
        entry = {"config": entry} if not isinstance(entry, dict) else entry
        known(entry, ENTRY_KEYS, f"{key}: ")
        if not isinstance(entry.get("config"), str) or not entry["config"]:
            raise ConfigError(f"{key}: config: the name of a config is needed")
        entry = {**entry, "config": in_home(entry["config"])}
        if "recipe" in entry:
            entry["recipe"] = text(entry, "recipe")
        main = text(values, "main") if "main" in values else None
        found.append({**entry, "content": content(entry["config"], main)})
    return found


def told_apart_by(listed: List[Dict[str, Any]]) -> List[str]:
    """Return the settings in which entries of the same config differ."""
    found: List[str] = []
    for config in {entry["config"] for entry in listed}:
        same = [entry for entry in listed if entry["config"] == config]
        settings = [flat(entry.get("settings", {}), "settings") for entry in same]
        for key in {key for each in settings for key in each}:
            given = [(key in each, each.get(key)) for each in settings]
            if any(value != given[0] for value in given):
                found.append(key)
    return found


def seeds(values: Dict[str, Any]) -> List[int]:
    """Return the seeds: a list, or a number of them, from 0 on."""
    given = values.get("seeds", 1)
    if is_whole(given):
        given = list(range(min(given, MAX_RUNS + 1)))
    if not isinstance(given, list) or not all(map(is_whole, given)):
        raise ConfigError(f"seeds={given!r}: a number of seeds, or a list, is needed")
    return given


def choices(
    fixed: Dict[str, Any],
    grid: Dict[str, Any],
    environment: Dict[str, Any],
    algorithm: Dict[str, Any],
) -> Iterator[Tuple[Dict[str, Any], List[str]]]:
    """Yield all settings of one algorithm on one environment, and the grid's keys.

    The grid's values win over the algorithm's settings, those over the environment's,
    those over the common ones.
    """
    settings, axes = dict(fixed), dict(grid)
    for kind, entry in (("environments", environment), ("algorithms", algorithm)):
        settings.update(flat(entry.get("settings", {}), f"{kind}: settings"))
        for key, values in flat(entry.get("grid", {}), f"{kind}: grid").items():
            if key in axes:
                raise ConfigError(f"{kind}: grid: {key} is in another grid too")
            axes[key] = values
    for key, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ConfigError(f"grid: {key}={values!r}: a list of values is needed")
    for chosen in itertools.product(*axes.values()):
        yield {**settings, **dict(zip(axes, chosen))}, list(axes)


def run(
    target: Tuple[str, ...],
    where: Dict[str, Any],
    apart: Set[str],
    algorithm: Dict[str, Any],
    environment: Dict[str, Any],
    seed: int,
    settings: Dict[str, Any],
    varied: List[str],
) -> Run:
    """Return one run, with those of `apart` and `varied` that it sets in its name."""
    configs = [algorithm["config"], environment["config"]]
    contents = [algorithm["content"], environment["content"]]
    identity = [target, configs, contents, seed, settings]
    recipe = algorithm.get("recipe") or environment.get("recipe")
    if recipe is not None:
        identity += [recipe, content(recipe, None)]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    label, t_max = f"sweep-{digest[:16]}", settings.get("t_max")
    given = {"seed": seed, **settings, "label": label, **where}
    words = {key: f"{key}={spelt(value)}" for key, value in given.items()}
    parts = [Path(name).stem for name in configs] + ([recipe] if recipe else [])
    in_name = sorted(apart.intersection(settings).difference(varied))
    parts += [words[key] for key in [*in_name, *varied, "seed"]]
    name = re.sub(r"[^\w.=+-]+", "_", "-".join(parts))[:100]
    options = [f"--config={configs[0]}", f"--env-config={configs[1]}"]
    options += [f"--recipe={recipe}"] if recipe is not None else []
    options.append("with")
    return Run(
        f"{name}-{digest[:6]}",
        label,
        (*target, *options, *words.values()),
        t_max if is_whole(t_max) else None,
    )


def content(config: str, main: Optional[str]) -> Optional[str]:
    """Return a digest of what is in a config that is the user's file: it may change.

    A name that we ship, or that the checkout of the script `main` has, is no such file,
    even where one of that name is at hand: it may be the sweep's own.
    """
    shipped = [Path(reading.__file__).parent]
    shipped += [Path(main).parent / "config"] if main else []
    for folder, kind in itertools.product(shipped, ("algs", "envs", "recipes")):
        if stays_inside(config) and (folder / kind / f"{config}.yaml").is_file():
            return None
    for path in (config, f"{config}.yaml", config.rpartition(":")[0]):
        if os.path.isfile(path):
            try:
                return hashlib.sha256(read_bytes(Path(path))).hexdigest()
            except ReadingError:
                return None  # the host will say so
    return None
