"""A tune file, and the runs of a trial.

name: lbf
algorithms: [qmix, {config: cw_qmix, search: {alpha: [0.1, 0.5, 0.75]}}]
environments: [{config: gymma, settings: {env_args: {key: "lbforaging:Foraging-…"}}}]
seeds: 2
settings: {t_max: 50000, runner: vector, batch_size_run: 8}
search: {lr: {low: 0.0001, high: 0.003, log: true}, mixer_init_scale: [0.1, 1]}
trials: 40
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from wqmix.config.reading import stays_inside
from wqmix.errors import ConfigError
from wqmix.storage.settings import FREE

from ..compare.cli import LAST
from ..figures import counted
from ..runs import METRIC
from ..sweep import plan
from ..sweep.plan import Plan, Run, is_whole, known

OURS = ("trials", "search", "metric", "last", "lower_is_better", "prune")
RANGE = ("low", "high", "log", "step")
TRIALS = 40
# The price, the task, how it is measured, and what changes no result.
SAME_FOR_ALL = FREE | {"env", "env_args", "test_nepisode", "test_greedy"}
_EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")
Space = Dict[str, Any]  # key → a list of choices, or a mapping of RANGE


@dataclass(frozen=True)
class Tuned:
    """One algorithm: its name here, its entry in the sweep, what is searched."""

    name: str
    entry: Dict[str, Any]
    space: Space


@dataclass(frozen=True)
class Tuning:
    """A search.

    Attributes:
        sweep: the file's mapping without our keys and `algorithms`.
        base: the sweep of no runs: names and folders.
        tuned: the algorithms.
        trials: for each of them, all with other settings.
        metric, last, lower_is_better: a run's score is the mean of the metric's last
            `last` values; higher is better or lower.
        prune: whether trials worse than most are ended early.
        remarks: what the user should know before it starts.
    """

    sweep: Dict[str, Any]
    base: Plan
    tuned: List[Tuned]
    trials: int
    metric: str
    last: int
    lower_is_better: bool
    prune: bool
    remarks: List[str]

    @property
    def environment(self) -> Dict[str, Any]:
        """Return the entry of the one environment."""
        (entry,) = plan.entries(self.sweep, "environments")
        return entry

    def runs(self, tuned: Tuned, values: Dict[str, Any]) -> List[Run]:
        """Return the runs of a trial, one for each seed."""
        return self.plan(tuned, values).runs

    def plan(self, tuned: Tuned, values: Dict[str, Any]) -> Plan:
        """Return the sweep that a trial is."""
        entry = dict(tuned.entry)
        own = plan.flat(entry.get("settings", {}), "algorithms: settings")
        entry["settings"] = {**own, **values}
        return plan.plan({**self.sweep, "algorithms": [entry]}, self.base.name)

    def digest(self, tuned: Tuned) -> str:
        """Return what must stay the same while a study goes on."""
        labels = [run.label for run in self.runs(tuned, corners(tuned.space)[0])]
        asked = [labels, tuned.space, self.metric, self.last, self.lower_is_better]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def read(path: str) -> Tuning:
    """Read a tune file.

    Raises:
        ConfigError: a mistake in it, one line.
    """
    return plan.read_as(path, tuning)


def tuning(values: Dict[str, Any], stem: str) -> Tuning:
    """Return the search that a file's mapping means."""
    known(values, [key for key in (*plan.KEYS, *OURS) if key != "grid"], "")
    tuned = all_tuned(values)
    sweep = {k: v for k, v in values.items() if k not in (*OURS, "algorithms")}
    first = plan.plan({**sweep, "algorithms": [tuned[0].entry]}, stem)
    if len(plan.entries(values, "environments")) != 1:
        raise ConfigError("environments: one; what several pay cannot be added up")
    folder = first.folder.parent.parent / "tune" / first.name
    base = dataclasses.replace(first, folder=folder, runs=[])
    trials, remarks = equal(tuned, count_of(values, "trials", TRIALS))
    found = Tuning(
        sweep,
        base,
        tuned,
        trials,
        plan.text({"metric": METRIC, **values}, "metric"),
        count_of(values, "last", LAST),
        flag_of(values, "lower_is_better", False),
        flag_of(values, "prune", True),
        remarks,
    )
    check_recipes(found)
    return found


def all_tuned(values: Dict[str, Any]) -> List[Tuned]:
    """Return the algorithms of a file, each with what is searched for it."""
    listed, common = values.get("algorithms"), spaces(values, "")
    if not listed:
        raise ConfigError("algorithms: a list of names is needed")
    listed = listed if isinstance(listed, list) else [listed]
    entries = [e if isinstance(e, dict) else {"config": e} for e in listed]
    tuned = [tuned_of(entry, common) for entry in entries]
    if len({each.name for each in tuned}) < len(tuned):
        raise ConfigError("algorithms: each config once, so that each has one study")
    return tuned


def tuned_of(entry: Dict[str, Any], common: Space) -> Tuned:
    """Return an algorithm of the file, with what is searched for it."""
    keys = [key for key in plan.ENTRY_KEYS if key != "grid"]
    known(entry, [*keys, "search"], "algorithms: ")
    space = {**common, **spaces(entry, "algorithms: ")}
    rest = {key: value for key, value in entry.items() if key != "search"}
    (checked,) = plan.entries({"algorithms": [rest]}, "algorithms")
    name = Path(checked["config"]).stem
    if not space:
        raise ConfigError(f"search: nothing is searched for {name}")
    return Tuned(name, rest, space)


def equal(tuned: List[Tuned], trials: int) -> Tuple[int, List[str]]:
    """Return how many trials all algorithms can have, and a remark if that is less."""
    sizes = {each.name: size(each.space) for each in tuned}
    least = min(sizes, key=lambda name: sizes[name])
    if sizes[least] >= trials:
        return trials, []
    all_of_it = f"{least} has only {counted(int(sizes[least]), 'setting')} to try"
    said = f"{all_of_it}: that is the number of trials, for each algorithm"
    return int(sizes[least]), [said]


def size(space: Space) -> float:
    """Return how many different settings there are; infinite with a range of reals."""
    lists = [values_of(each) for each in space.values()]
    return math.prod(math.inf if each is None else len(each) for each in lists)


def check_recipes(tuning: Tuning) -> None:
    """Refuse a recipe that another recipe, the best settings, could not inherit."""
    for tuned in tuning.tuned:
        recipe = recipe_of(tuning, tuned)
        if recipe is not None and not stays_inside(recipe):
            raise ConfigError(
                f"recipe={recipe}: a name, or a path below this folder, is needed: the "
                "recipes that are found inherit it"
            )


def recipe_of(tuning: Tuning, tuned: Tuned) -> Optional[str]:
    """Return the recipe under an algorithm's settings, if there is one."""
    entries = (tuned.entry, tuning.environment, tuning.sweep)
    return next((each["recipe"] for each in entries if "recipe" in each), None)


def count_of(values: Dict[str, Any], key: str, default: int) -> int:
    """Return a whole number of the file."""
    count = values.get(key, default)
    if not is_whole(count) or count < 1:
        raise ConfigError(f"{key}={count!r}: a whole number from 1 is needed")
    return count


def flag_of(values: Dict[str, Any], key: str, default: bool) -> bool:
    """Return a true or false of the file."""
    flag = values.get(key, default)
    if not isinstance(flag, bool):
        raise ConfigError(f"{key}={flag!r}: true or false is needed")
    return flag


# What is searched ---------------------------------------------------------------------


def spaces(values: Dict[str, Any], where: str) -> Space:
    """Return the checked `search` of a mapping, its keys dotted."""
    found = dict(leaves(values.get("search", {}), f"{where}search"))
    for key in found:
        if key in plan.OURS:
            raise ConfigError(f"{where}search: {key} is set by {plan.OURS[key]}")
        if key.split(".")[0] in SAME_FOR_ALL:
            raise ConfigError(f"{where}search: {key} is the same for all trials")
    return {key: checked(f"{where}search: {key}", each) for key, each in found.items()}


def leaves(values: Any, where: str, prefix: str = "") -> Iterable[Tuple[str, Any]]:
    """Yield dotted keys with what is searched at each."""
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: `key: choices` lines are needed")
    for key, value in values.items():
        if isinstance(value, dict) and value and not set(value).intersection(RANGE):
            yield from leaves(value, where, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def checked(where: str, space: Any) -> Any:
    """Return a list of choices or a range; `1e-4`, text in YAML, is a number."""
    if isinstance(space, dict):
        return checked_range(where, {k: number_of(v) for k, v in space.items()})
    if not isinstance(space, list) or len(space) < 2:
        raise ConfigError(f"{where}: a list of choices, or low and high, is needed")
    choices = [number_of(each) for each in space]
    if not all(each is None or isinstance(each, (str, int, float)) for each in choices):
        raise ConfigError(f"{where}: choices are numbers, texts, true, false, null")
    if len({json.dumps(each) for each in choices}) < len(choices):
        raise ConfigError(f"{where}: each choice once")
    return choices


def checked_range(where: str, space: Dict[str, Any]) -> Dict[str, Any]:
    """Return a range of numbers."""
    known(space, RANGE, f"{where}: ")
    low: Any = space.get("low")
    high: Any = space.get("high")
    step: Any = space.get("step")
    ends = [low, high] + ([] if step is None else [step])
    if not all(map(is_number, ends)) or low >= high or (step or 1) <= 0:
        raise ConfigError(f"{where}: numbers, low < high, are needed")
    is_log = flag_of(space, "log", False)
    if is_log and (low <= 0 or step is not None):
        raise ConfigError(f"{where}: log needs low > 0, and no step")
    return space


def number_of(value: Any) -> Any:
    """Return a text like `1e-4` as the number that it is meant to be."""
    is_meant = isinstance(value, str) and _EXPONENT.fullmatch(value)
    return float(value) if is_meant else value


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)


def is_whole_range(space: Dict[str, Any]) -> bool:
    """Whether a range has whole numbers only."""
    ends = (space["low"], space["high"], space.get("step", 1))
    return all(isinstance(each, int) for each in ends)


def values_of(space: Any) -> Optional[Sequence[Any]]:
    """Return all values that a setting can take; None for a range of reals."""
    if isinstance(space, list):
        return space
    if is_whole_range(space):
        return range(space["low"], space["high"] + 1, space.get("step", 1))
    if "step" not in space:
        return None
    low, step = space["low"], space["step"]
    steps = math.floor((space["high"] - low) / step + 1e-9)
    return [low + number * step for number in range(steps + 1)]


def corners(space: Space) -> List[Dict[str, Any]]:
    """Return settings that a search may come to: each choice, each end of a range."""
    ends = {
        key: [each["low"], each["high"]] if isinstance(each, dict) else each
        for key, each in space.items()
    }
    most = max(map(len, ends.values()))
    return [
        {key: values[min(k, len(values) - 1)] for key, values in ends.items()}
        for k in range(most)
    ]
