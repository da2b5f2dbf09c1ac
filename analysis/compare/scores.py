"""From runs to scores: which runs count, up to which step, on which scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..choice import Choice
from ..figures import TITLES, counted
from ..groups import COMPLETED, grouped, in_order, in_order_of_names
from ..runs import Record, told

NEARLY = 0.95  # of the horizon: so far a run must have come for a final score
LATE = 1.02  # test times vary a little from run to run
Range = Tuple[float, float]


@dataclass
class Group:
    """The runs of one algorithm on one task.

    Attributes:
        runs: those with a value, one for each seed.
        scored: those of them that came to the task's horizon.
        scores: their final scores, as measured.
    """

    algorithm: str
    task: str
    runs: List[Record]
    scored: List[Record] = field(default_factory=list)
    scores: np.ndarray = field(default_factory=lambda: np.array([]))

    @property
    def stem(self) -> str:
        """Return the algorithm's own name, as its runs have it."""
        name: str = self.runs[0].config["name"]
        return name


@dataclass
class Comparison:
    """Everything that is compared.

    Attributes:
        groups: by algorithm and task, sorted.
        horizons: the step at which final scores are taken, by task.
        ranges: what is 0 and what is 1 on the common scale, by task.
        remarks: what a reader must know of the whole.
        on_runs: what was found in single runs, and which are left out, and why.
        last: how many of the last values make a final score.
        lower_is_better: whether it is, as of a loss.
        smooth: curves show the mean of so many values of each run.
    """

    metric: str
    groups: Dict[Tuple[str, str], Group]
    horizons: Dict[str, int]
    ranges: Dict[str, Range]
    remarks: List[str]
    on_runs: List[str]
    last: int
    lower_is_better: bool = False
    smooth: int = 1

    @property
    def stems(self) -> Dict[str, str]:
        """Return each shown algorithm's own name."""
        return {group.algorithm: group.stem for group in self.groups.values()}

    @property
    def algorithms(self) -> List[str]:
        """Return the algorithms: the known ones first, as papers list them."""
        known, stems = list(TITLES), self.stems

        def place(name: str) -> Tuple[int, List[Any]]:
            stem = stems[name]
            return known.index(stem) if stem in known else len(known), in_order(name)

        return sorted(stems, key=place)

    @property
    def tasks(self) -> List[str]:
        """Return the tasks, by the numbers in their names."""
        return sorted({task for _, task in self.groups}, key=in_order)

    def on(self, task: str) -> List[Group]:
        """Return the groups of a task."""
        return [group for group in self.groups.values() if group.task == task]

    def n_scores(self, algorithm: str, task: str) -> int:
        """Return how many runs have a final score."""
        group = self.groups.get((algorithm, task))
        return len(group.scores) if group else 0

    def normalised(self, values: np.ndarray, task: str) -> np.ndarray:
        """Return values on the common scale of all tasks."""
        worst, best = self.ranges[task]
        if worst == best:
            return np.full_like(values, 0.5)
        return (values - worst) / (best - worst)

    def complete_tasks(self) -> List[str]:
        """Return the tasks on which every algorithm has a score."""
        return [
            task
            for task in self.tasks
            if len([group for group in self.on(task) if len(group.scores)])
            == len(self.algorithms)
        ]


def compare(
    records: List[Record],
    metric: str,
    last: int,
    ranges: Optional[Dict[str, Range]] = None,
    lower_is_better: bool = False,
    choice: Optional[Choice] = None,
    smooth: int = 1,
) -> Comparison:
    """Group runs and score them.

    Args:
        records: of all algorithms and tasks.
        metric: what they were read for.
        last: a final score is the mean of so many last values.
        ranges: the scale of tasks that have a known one; others go from the lowest to
            the highest final score here.
        lower_is_better: whether it is, as of a loss.
        choice: which algorithms and tasks, and under which names; None: all.
        smooth: curves show the mean of so many values of each run.
    """
    on_runs = told(records)
    measured = [record for record in records if len(record.steps)]
    found, remarks, left_out = grouped(measured)
    on_runs += left_out
    if len(measured) < len(records):
        empty = len(records) - len(measured)
        remarks.append(
            f"{empty} of {counted(len(records), 'run')} without a value that counts: "
            "left out"
        )
    chosen, said = (choice or Choice()).of_groups(found)
    remarks += said
    if smooth > 1:
        remarks.append(
            f"curves show the mean of each value and up to {smooth - 1} before it; "
            "final scores and steps to a score are of the values themselves"
        )
    groups = {key: Group(*key, chosen[key]) for key in in_order_of_names(chosen)}
    comparison = Comparison(
        metric, groups, {}, {}, remarks, on_runs, last, lower_is_better, smooth
    )
    for task in comparison.tasks:
        score(comparison, task)
        comparison.ranges[task] = range_of(comparison, task, ranges or {})
    remarks += told_of_early_ends(comparison) + told_of_kept_runs(comparison)
    return comparison


def told_of_early_ends(comparison: Comparison) -> List[str]:
    """Return a remark on runs without a final score, if there are any."""
    early = {
        task: sum(len(group.runs) - len(group.scored) for group in comparison.on(task))
        for task in comparison.tasks
    }
    where = ", ".join(f"{task}: {n}" for task, n in early.items() if n)
    remark = "runs that ended before the step at which final scores are taken, and have"
    return [f"{remark} none: {where}"] if where else []


def told_of_kept_runs(comparison: Comparison) -> List[str]:
    """Return remarks on what many of the compared runs have in common."""
    runs = [run for group in comparison.groups.values() for run in group.runs]
    remarks = []
    others = Counter(run.status for run in runs if run.status != COMPLETED)
    if others:
        which = ", ".join(f"{status} {n}" for status, n in sorted(others.items()))
        remarks.append(
            f"{sum(others.values())} of {counted(len(runs), 'run')} not {COMPLETED} "
            f"({which}), compared like the others as far as they came"
        )
    resumed = sum(run.is_resumed for run in runs)
    if resumed:
        what = counted(resumed, "resumed run")
        remarks.append(f"{what} without a clock: not in the curves over hours")
    return remarks


def score(comparison: Comparison, task: str) -> None:
    """Set a task's horizon and the final scores of its groups; say what is uneven.

    The horizon is the last step that every algorithm reached with at least one run.
    """
    groups = comparison.on(task)
    ends = {group.algorithm: [run.end for run in group.runs] for group in groups}
    horizon = min(max(each) for each in ends.values())
    comparison.horizons[task] = horizon
    for group in groups:
        is_late = [run.end >= NEARLY * horizon for run in group.runs]
        group.scored = [run for run, late in zip(group.runs, is_late) if late]
        group.scores = np.array(
            [final(run, horizon, comparison.last) for run in group.scored]
        )
        for run, late in zip(group.runs, is_late):
            if not late:
                comparison.on_runs.append(
                    f"{run.folder}: {group.algorithm} on {task} ends at step "
                    f"{run.end:,} ({run.status}): in the curves, but without a final "
                    f"score, which is taken at {horizon:,}"
                )
    longest = max(max(each) for each in ends.values())
    if longest > LATE * horizon:
        told = ", ".join(f"{name} {max(each):,}" for name, each in ends.items())
        comparison.remarks.append(
            f"{task}: the runs are of unequal length ({told} steps): final scores are "
            f"taken at step {horizon:,}, curves are drawn to each run's own end"
        )


def final(run: Record, horizon: int, last: int) -> float:
    """Return the mean of a run's last values up to the horizon."""
    values = run.values[run.steps <= LATE * horizon]
    return float(np.mean(values[-last:]))


def range_of(comparison: Comparison, task: str, given: Dict[str, Range]) -> Range:
    """Return what is 0 and 1 on a task: given, a rate's own, or seen."""
    if task in given:
        low, high = given[task]
    elif "won" in comparison.metric or "success" in comparison.metric:
        low, high = 0.0, 1.0
    else:
        scores = np.concatenate([group.scores for group in comparison.on(task)])
        low, high = float(scores.min()), float(scores.max())
    return (high, low) if comparison.lower_is_better else (low, high)
