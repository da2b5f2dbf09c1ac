"""Interquartile means, and how sure they are: 95 % stratified-bootstrap intervals.

Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice,
NeurIPS 2021; by rliable, but for the curves, where all points are resampled at once.
"""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wqmix.config.extras import command
from wqmix.errors import ConfigError

from ..runs import Record
from .scores import Comparison

REPETITIONS = 2000
POINTS = 81
SEED = 0
AT_ONCE = 100_000  # numbers of a bootstrap: what a processor's cache holds
SIDES: Tuple[Any, Any] = ("left", "right")
TAUS = np.linspace(0, 1, 51)
AGGREGATES = ("median", "IQM", "mean", "optimality gap")
THRESHOLDS = (0.5, 0.75, 0.9)
FEWEST = 5  # runs: of fewer an interval is too narrow, see docs/analysis.md
Interval = Tuple[np.ndarray, np.ndarray, np.ndarray]  # estimate, low, high
Curve = Tuple[np.ndarray, Interval, np.ndarray]  # axis, IQM, number of runs


def rliable() -> Tuple[Any, Any]:
    """Return rliable's library and its metrics.

    Raises:
        ConfigError: not installed.
    """
    try:
        from rliable import library, metrics
    except ImportError as error:
        what = f"the report needs rliable ({error})"
        raise ConfigError(f"{what}: {command('analysis')}") from None
    return library, metrics


def by_rliable(scores: Dict[Any, Any], function: Callable[..., np.ndarray]) -> Any:
    """Return rliable's point and interval estimates, the same each time."""
    library, _ = rliable()
    np.random.seed(SEED)  # its own random_state has no effect
    return library.get_interval_estimates(scores, function, reps=REPETITIONS)


def iqm(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Return the interquartile mean: without the lowest and highest quarter.

    The same as rliable's (scipy's `trim_mean`), without its long way there.
    """
    n = values.shape[axis]
    cut = n // 4
    ordered = np.sort(values, axis=axis)
    return np.take(ordered, range(cut, n - cut), axis=axis).mean(axis=axis)


# Final scores -------------------------------------------------------------------------


def final_scores(comparison: Comparison) -> Dict[Tuple[str, str], Tuple[float, ...]]:
    """Return (IQM, low, high) for each algorithm and task with scores."""
    matrices = {
        key: group.scores[:, None]
        for key, group in comparison.groups.items()
        if len(group.scores)
    }
    points, intervals = by_rliable(matrices, iqm)
    return {
        key: (float(points[key][0]), *(float(each) for each in intervals[key][:, 0]))
        for key in matrices
    }


def without_width(comparison: Comparison) -> List[str]:
    """Return remarks on intervals that come from one run."""
    remarks = []
    for task in comparison.tasks:
        groups = comparison.on(task)
        single = [group.algorithm for group in groups if len(group.scores) == 1]
        if single:
            remarks.append(
                f"{task}: one run of {', '.join(single)}: such an interval has no "
                "width, and says nothing of other seeds"
            )
    return remarks


def few_runs(comparison: Comparison) -> List[str]:
    """Return a remark on the scores of few runs, if there are any."""
    found = []
    for task in comparison.tasks:
        sizes = {g.algorithm: len(g.scores) for g in comparison.on(task)}
        few = [f"{n} of {name}" for name, n in sizes.items() if 0 < n < FEWEST]
        found += [f"{task}: {', '.join(few)}"] if few else []
    remark = (
        f"fewer than {FEWEST} runs ({'; '.join(found)}): a 95 % interval of 3 runs "
        "holds the true value in about 76 of 100 cases, of 4 in 88. Nothing is "
        "bold there"
    )
    return [remark] if found else []


def matrices(comparison: Comparison) -> Dict[str, np.ndarray]:
    """Return each algorithm's normalised scores [runs, tasks], for complete tasks.

    Where an algorithm has more runs on some tasks, its first ones are taken.
    """
    tasks = comparison.complete_tasks()
    found, uneven = {}, []
    for algorithm in comparison.algorithms if tasks else ():
        columns = [
            comparison.normalised(comparison.groups[algorithm, task].scores, task)
            for task in tasks
        ]
        runs = min(map(len, columns))
        found[algorithm] = np.stack([column[:runs] for column in columns], axis=1)
        if any(len(column) > runs for column in columns):
            uneven.append(f"{algorithm}: {runs}")
    if uneven:
        comparison.remarks.append(
            "the number of runs differs from task to task; statistics over all tasks "
            f"take so many, the first ones, of each ({', '.join(uneven)})"
        )
    return found


def aggregates(scores: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return (estimate, low, high) × `AGGREGATES` for each algorithm."""
    _, metrics = rliable()
    functions = (
        metrics.aggregate_median,
        lambda x: iqm(x.ravel()),
        metrics.aggregate_mean,
        metrics.aggregate_optimality_gap,
    )
    points, intervals = by_rliable(
        scores, lambda x: np.array([each(x) for each in functions])
    )
    return {name: np.vstack([points[name], intervals[name]]) for name in scores}


def profiles(scores: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Return (share, low, high) × `TAUS` of runs with a score above tau."""

    def above(x: np.ndarray) -> np.ndarray:
        ordered = np.sort(x, axis=None)
        return 1 - np.searchsorted(ordered, TAUS, side="right") / ordered.size

    points, intervals = by_rliable(scores, above)
    return {name: np.vstack([points[name], intervals[name]]) for name in scores}


def improvements(scores: Dict[str, np.ndarray]) -> Dict[Tuple[str, str], np.ndarray]:
    """Return (probability, low, high) that X, the later one, is better than Y."""
    pairs = {
        (x, y): [scores[x], scores[y]] for y, x in itertools.combinations(scores, 2)
    }
    points, intervals = by_rliable(pairs, improvement) if pairs else ({}, {})
    return {pair: np.array([points[pair][0], *intervals[pair][:, 0]]) for pair in pairs}


def improvement(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return P(x > y) + P(x = y)/2, averaged over tasks; as rliable's, but faster.

    Args:
        x, y: scores [runs, tasks], of any number of runs each.
    """
    shares = []
    for mine, theirs in zip(x.T, np.sort(y, axis=0).T):
        below, not_above = (np.searchsorted(theirs, mine, side) for side in SIDES)
        shares.append((below.mean() + not_above.mean()) / 2 / len(theirs))
    return np.array([np.mean(shares)])


# Curves -------------------------------------------------------------------------------


def bootstrap(strata: Sequence[np.ndarray]) -> Interval:
    """Return the IQM, and its 95 % interval, at each point of some curves.

    How often each run is drawn says which of the ordered values are in the middle half
    of a resample, so that none is ever sorted, nor held as a whole: a few resamples at
    a time, and memory does not grow with the number of runs.

    Args:
        strata: for each task [runs, points]; runs are resampled within each.
    """
    rows = np.concatenate(strata)
    order = np.argsort(rows, axis=0, kind="stable")
    draws = [np.random.default_rng(SEED + number) for number in range(len(strata))]
    at_once = max(1, min(REPETITIONS, AT_ONCE // len(rows)))
    parts = []
    for start in range(0, REPETITIONS, at_once):
        n = min(at_once, REPETITIONS - start)
        times = np.concatenate(
            [times_drawn(draw, n, len(each)) for draw, each in zip(draws, strata)], 1
        )
        columns = zip(order.T, rows.T)
        parts.append(np.stack([middle_mean(times, *each) for each in columns], axis=1))
    low, high = np.percentile(np.concatenate(parts), [2.5, 97.5], axis=0)
    return iqm(rows), low, high


def times_drawn(draw: np.random.Generator, repetitions: int, runs: int) -> np.ndarray:
    """Return how often each run is in each resample [repetitions, runs]."""
    drawn = draw.integers(runs, size=(repetitions, runs))
    drawn += runs * np.arange(repetitions)[:, None]
    times = np.bincount(drawn.ravel(), minlength=repetitions * runs)
    return times.reshape(repetitions, runs).astype(np.int32)


def middle_mean(times: np.ndarray, order: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the IQM of each resample at one point.

    Args:
        times: how often each run is in each resample [repetitions, runs].
        order: the runs' indices, by ascending value.
        column: their values.
    """
    n = len(column)
    cut = n // 4
    ranks = times[:, order].cumsum(axis=1, dtype=np.int32).clip(cut, n - cut)
    weights = np.diff(ranks, axis=1, prepend=cut)
    return weights @ column[order] / (n - 2 * cut)


def by_steps(run: Record) -> Optional[np.ndarray]:
    """Return a run's horizontal axis: environment steps."""
    return run.steps.astype(float)


def by_hours(run: Record) -> Optional[np.ndarray]:
    """Return a run's horizontal axis: hours since its start; None if not known."""
    return None if run.seconds is None else run.seconds / 3600


def curves(
    comparison: Comparison, axis_of: Callable[[Record], Any]
) -> Dict[Any, Curve]:
    """Return the curve of each algorithm and task that has the axis."""
    found = {}
    for key, group in comparison.groups.items():
        pairs = [(axis_of(r), smoothed(r, comparison.smooth)) for r in group.runs]
        pairs = [(x, y) for x, y in pairs if x is not None]
        if pairs:
            found[key] = curve(*map(list, zip(*pairs)))
    return found


def smoothed(run: Record, n: int) -> np.ndarray:
    """Return the mean of each value and up to n − 1 before it."""
    if n == 1:
        return run.values
    padded = np.concatenate([np.full(n - 1, np.nan), run.values])
    found: np.ndarray = np.nanmean(sliding_window_view(padded, n), axis=1)
    return found


def curve(axes: List[np.ndarray], values: List[np.ndarray]) -> Curve:
    """Return a group's curve on a common axis, and how many runs are in each point."""
    grid, rows, is_there = on_one_axis(axes, values, POINTS)
    count = is_there.sum(axis=0)
    parts = []
    for start, stop in stretches(count):
        parts.append(bootstrap([rows[is_there[:, start], start:stop]]))
    interval = tuple(np.concatenate(column) for column in zip(*parts))
    return grid, interval, count  # type: ignore[return-value]  # three, as a part


def on_one_axis(
    axes: List[np.ndarray], values: List[np.ndarray], points: int
) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a common axis, the runs' values there, and where each of them is.

    Between two tests a run is taken to be on the line between them. It counts up to
    its own end, and a little (one part in 80) beyond: test times vary.

    Args:
        axes: for each run, ascending; steps or hours.
        values: for each run.
        points: how many the axis has.
    """
    ends = np.array([axis[-1] for axis in axes])
    first = max(axis[0] for axis in axes if axis[0] <= ends.min())
    grid = np.unique(np.linspace(first, ends.max(), points))
    rows = np.stack([np.interp(grid, x, y) for x, y in zip(axes, values)])
    ends += (ends.max() - first) / (POINTS - 1)
    is_there = grid[None, :] < ends[:, None]
    is_there[:, 0] = True
    return grid, rows, is_there


def stretches(count: np.ndarray) -> List[Tuple[int, int]]:
    """Return where equal numbers begin and end."""
    cuts = np.flatnonzero(np.diff(count)) + 1
    bounds = [0, *cuts.tolist(), len(count)]
    return list(zip(bounds, bounds[1:]))


def efficiency(comparison: Comparison) -> Dict[str, Tuple[np.ndarray, Interval]]:
    """Return the IQM of normalised values against the share of training, over tasks."""
    share = np.linspace(0, 1, POINTS)
    found = {}
    for algorithm in comparison.algorithms:
        strata = []
        for task in comparison.complete_tasks():
            group, steps = comparison.groups[algorithm, task], comparison.horizons[task]
            rows = [
                np.interp(share * steps, run.steps, smoothed(run, comparison.smooth))
                for run in group.scored
            ]
            strata.append(comparison.normalised(np.stack(rows), task))
        if strata:
            found[algorithm] = share, bootstrap(strata)
    return found


def reaching(comparison: Comparison, run: Record, task: str, threshold: float) -> float:
    """Return the first tested step with a normalised value of a threshold; or ∞."""
    above = comparison.normalised(run.values, task) >= threshold
    return float(run.steps[above.argmax()]) if above.any() else float("inf")


def steps_to_reach(comparison: Comparison) -> List[Dict[str, Any]]:
    """Return a row for each algorithm, task and threshold."""
    rows = []
    for (algorithm, task), group in comparison.groups.items():
        worst, best = comparison.ranges[task]
        for threshold in THRESHOLDS if best != worst else ():
            steps = [reaching(comparison, run, task, threshold) for run in group.runs]
            rows.append(
                {
                    "algorithm": algorithm,
                    "task": task,
                    "threshold": threshold,
                    "value": worst + threshold * (best - worst),
                    "runs": len(steps),
                    "reached": int(np.isfinite(steps).sum()),
                    "median_steps": float(np.median(steps)),
                }
            )
    return rows
