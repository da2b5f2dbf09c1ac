"""What a PyMARL-family run left behind, read from sacred's folder."""

from __future__ import annotations

import datetime
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wqmix.config.names import nearest
from wqmix.config.reading import ReadingError, one_line, read_bytes
from wqmix.errors import ConfigError

from .figures import counted
from .folders import CONFIG, INFO, METRICS, RUN, run_folders
from .salvage import read_json

METRIC = "test_return_mean"
EMBEDDED = "host"  # as its folder is called
LARGEST_STEP, LARGEST_VALUE = 2.0**53, 1e150
_CLOCK = re.compile(rb"^\[\w+ (\d\d):(\d\d):(\d\d)\]([^\n]*)", re.MULTILINE)
_STEP = re.compile(rb"t_env:\s*(\d{1,15})")
_DAY = 86_400


@dataclass
class Record:
    """One run.

    Attributes:
        source: the name given to where it was found, or "".
        status: as sacred has it, or "unknown".
        host: `EMBEDDED`, or the checkout's folder: `epymarl`; "" if nothing tells.
        steps, values: of the metric, ascending and finite.
        seconds: since the run's start at each of `steps`; None if nothing tells, or it
            was resumed: its clock is of the last session, its steps of all.
        clock: where `seconds` are from.
        metrics: the names of all that the run recorded.
        remarks: what a reader of the results should know.
    """

    folder: Path
    source: str
    status: str
    config: Dict[str, Any]
    steps: np.ndarray
    values: np.ndarray
    seconds: Optional[np.ndarray] = None
    clock: str = ""
    host: str = ""
    metrics: List[str] = field(default_factory=list)
    remarks: List[str] = field(default_factory=list)

    @property
    def seed(self) -> Optional[int]:
        """Return the seed, where one is recorded."""
        seed = self.config.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def is_resumed(self) -> bool:
        """Return whether it goes on from another run, with that one's values."""
        return self.config.get("resume") is True

    @property
    def end(self) -> int:
        """Return the last step with a value."""
        return int(self.steps[-1]) if len(self.steps) else 0


def read_all(places: Sequence[str], metric: str) -> List[Record]:
    """Read all runs in some folders, each of them `PATH` or `NAME=PATH`.

    Raises:
        ConfigError: a folder without runs, or no run with the metric.
    """
    records = []
    for place in places:
        name, path = split(place)
        folders = list(run_folders(path))
        if not folders:
            sought = "no run in it (config.json or run.json of sacred's)"
            what = sought if os.path.isdir(path) else "no such folder"
            raise ConfigError(f"{path}: {what}")
        records += [read_run(folder, name, metric) for folder in folders]
    unique = {record.folder.resolve(): record for record in records}
    if not any(len(record.steps) for record in records):
        names = sorted({name for record in records for name in record.metrics})
        if metric in names:
            told = (f"{r.folder}: {said}" for r in records for said in r.remarks)
            why = next(told, "it is empty")
            raise ConfigError(f"no run has a {metric!r} that counts ({why})")
        offer = ", ".join(names) or "nothing"
        raise ConfigError(
            f"none of {counted(len(records), 'run')} has {metric!r}; recorded: {offer}"
            f"{nearest(metric, names)}"
        )
    return list(unique.values())


def told(records: Sequence[Record]) -> List[str]:
    """Return remarks on runs that are broken, or without the metric."""
    remarks = [f"{r.folder}: {said}" for r in records for said in r.remarks]
    empty = [record for record in records if not len(record.steps)]
    remarks += [
        f"{r.folder}: no value that counts ({r.status}), left out" for r in empty
    ]
    return remarks


def split(place: str) -> Tuple[str, Path]:
    """Return the name ("" without one) and the path of `NAME=PATH`."""
    name, equals, path = place.partition("=")
    if equals and not os.path.exists(place):
        return name, Path(path)
    return "", Path(place)


def read_run(folder: Path, source: str, metric: str) -> Record:
    """Read one run, or what is left of it."""
    remarks: List[str] = []
    facts, config, table, info = (
        _table(folder / name, remarks) for name in (RUN, CONFIG, METRICS, INFO)
    )
    status = facts.get("status")
    record = Record(
        folder,
        source,
        one_line(status) if isinstance(status, str) else "unknown",
        config,
        np.array([]),
        np.array([]),
        host=_host(facts),
        metrics=sorted({*table, *(key for key in info if f"{key}_T" in info)}),
        remarks=remarks,
    )
    if not all(isinstance(config.get(key), str) for key in ("name", "env")):
        remarks.append(f"{CONFIG} does not tell the algorithm and the environment")
        return record
    columns = _of_metrics(table, metric), _of_info(info, metric)
    steps, values, moments = max(columns, key=lambda each: len(each[0]))
    kept = _clean(steps, values, record)
    record.steps, record.values = steps[kept].astype(np.int64), values[kept]
    if len(record.steps) and not record.is_resumed:
        _set_clock(record, facts, moments[kept] if len(moments) else moments)
    return record


def _host(facts: Dict[str, Any]) -> str:
    """Which host it was, by the folder of its main: `…/wqmix/host`, `epymarl/src`."""
    experiment = facts.get("experiment")
    base = experiment.get("base_dir") if isinstance(experiment, dict) else None
    parts = re.split(r"[/\\]", base) if isinstance(base, str) else []
    return EMBEDDED if parts[-1:] == [EMBEDDED] else "".join(parts[-2:-1])


def _table(path: Path, remarks: List[str]) -> Dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found, is_whole = read_json(path)
    except ReadingError as error:
        remarks.append(f"{path.name}: {error}")
        return {}
    if not is_whole:
        remarks.append(f"{path.name} is cut off: what is whole in it was read")
    return found if isinstance(found, dict) else {}


Columns = Tuple[np.ndarray, np.ndarray, np.ndarray]


def _of_metrics(table: Dict[str, Any], metric: str) -> Columns:
    """A metric of metrics.json: steps, values, seconds of the clock."""
    entry = table.get(metric)
    if not isinstance(entry, dict):
        return np.array([]), np.array([]), np.array([])
    steps, values = numbers(entry.get("steps")), numbers(entry.get("values"))
    moments = entry.get("timestamps")
    moments = moments if isinstance(moments, list) else []
    clock = np.array([_moment(each) for each in moments], dtype=float)
    length = min(len(steps), len(values))
    clock = clock[:length] if len(clock) >= length else clock[:0]
    return steps[:length], values[:length], clock


def _of_info(table: Dict[str, Any], metric: str) -> Columns:
    """A metric of info.json, where `metric_T` has its steps."""
    values, steps = numbers(table.get(metric)), numbers(table.get(f"{metric}_T"))
    length = min(len(steps), len(values))
    return steps[:length], values[:length], np.array([])


def numbers(column: Any) -> np.ndarray:
    """Return a list of numbers, each plain or `{"value": …}` as numpy's become."""
    if not isinstance(column, list):
        return np.array([])
    return np.array([number(each) for each in column], dtype=float)


def number(value: Any) -> float:
    """Return a number in either form; NaN for anything else."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _clean(steps: np.ndarray, values: np.ndarray, record: Record) -> np.ndarray:
    """Indices of good values in the order of their steps, the last of equal ones."""
    with np.errstate(invalid="ignore"):
        good = (steps >= 0) & (steps < LARGEST_STEP) & (np.abs(values) < LARGEST_VALUE)
    if not good.all():
        bad = int((~good).sum())
        why = "the value or its step is no number, or out of bounds"
        record.remarks.append(f"{counted(bad, 'value')} left out: {why}")
    kept = np.flatnonzero(good)
    latest = {int(steps[index]): index for index in kept}
    return np.array([latest[step] for step in sorted(latest)], dtype=int)


# The clock ----------------------------------------------------------------------------


def _set_clock(record: Record, facts: Dict[str, Any], moments: np.ndarray) -> None:
    start, stop = (_moment(facts.get(key)) for key in ("start_time", "stop_time"))
    if not np.isfinite(stop):
        stop = _moment(facts.get("heartbeat"))
    if len(moments) and np.isfinite(moments).all() and np.isfinite(start):
        record.seconds = np.maximum.accumulate(np.maximum(0, moments - start))
        record.clock = "time stamps"
        return
    steps, seconds = _of_log(record.folder / "cout.txt")
    if len(steps) > 2:  # the start and two more
        record.seconds = np.interp(record.steps, steps, seconds)
        record.clock = "log"
    elif np.isfinite(stop - start) and stop > start:
        record.seconds = record.steps / max(1, record.end) * (stop - start)
        record.clock = "start and end, at constant speed"


def _moment(text: Any) -> float:
    """Seconds of the epoch for sacred's ISO dates; NaN for anything else."""
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment.replace(tzinfo=datetime.timezone.utc).timestamp()
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _of_log(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Steps and seconds of the console's lines, which carry the time of day."""
    try:
        text = read_bytes(path, 200_000_000)
    except ReadingError:
        return np.array([]), np.array([])
    found = {0: 0.0}
    first = last = None
    days = 0
    for hours, minutes, seconds, rest in _CLOCK.findall(text):
        now = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + days * _DAY
        if last is not None and now < last - _DAY / 2:  # past midnight
            days, now = days + 1, now + _DAY
        last = now if last is None else max(last, now)  # a clock may be set back
        first = last if first is None else first
        step = _STEP.search(rest)
        if step is not None:
            found.setdefault(int(step.group(1)), float(last - first))
    steps = sorted(found)
    return np.array(steps, dtype=float), np.array([found[step] for step in steps])
