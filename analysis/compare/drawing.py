"""The figures of a comparison."""

from __future__ import annotations

import math
import textwrap
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np

from .. import figures
from . import statistics
from .scores import Comparison

# After the colours of the algorithms that have one (Okabe and Ito; they differ for
# colour-blind readers): for others, those left. Lines differ in their dashes too.
MORE_COLOURS = ("#CC79A7", "#56B4E9", "#000000", "#8C6D31", "#7B4173", "#F0E442")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)))
COLUMNS = 3
STEPS = "environment steps"
LABEL, TITLE = 26, 38  # characters on a line of a label, of a panel's title
FONT = {"font.size": 9, "axes.titlesize": 9.5}
Style = Dict[str, Tuple[str, Any]]


def styles(comparison: Comparison) -> Style:
    """Return a colour and a dash pattern for each algorithm.

    Of several sources each has a pattern, and an algorithm one colour in all of them.
    """
    names, groups = comparison.algorithms, comparison.groups
    stems = comparison.stems
    source_of = {name: group.runs[0].source for (name, _), group in groups.items()}
    sources = sorted(set(source_of.values()))
    more = iter(MORE_COLOURS * (len(names) // len(MORE_COLOURS) + 1))
    colours: Dict[str, str] = {}
    found = {}
    for number, name in enumerate(names):
        own = name.replace(f" ({source_of[name]})", "")
        if own not in colours:
            colour = figures.COLOURS.get(stems[name])
            is_free = colour not in colours.values()
            colours[own] = colour if colour and is_free else next(more)
        dashes = number if len(sources) == 1 else sources.index(source_of[name])
        found[name] = colours[own], DASHES[dashes % len(DASHES)]
    return found


def title_of(algorithm: str) -> str:
    """Return how papers write an algorithm's name, and its settings."""
    name, space, settings = algorithm.partition(" ")
    return figures.title_of(name) + space + settings


def label_of(algorithm: str) -> str:
    """Return the same on lines that are short enough for a figure."""
    label = textwrap.fill(title_of(algorithm), LABEL, break_on_hyphens=False)
    return f" {label}" if label.startswith("_") else label  # which no legend shows


def panel_title(text: str) -> str:
    """Return a panel's title on lines that are short enough for it."""
    return textwrap.fill(text, TITLE, break_on_hyphens=False)


def n_of(numbers: Iterable[int]) -> str:
    """Return how many runs: `n = 3`, or `n = 3 to 5`."""
    found = sorted(numbers)
    return f"n = {found[0]}" + (f" to {found[-1]}" if found[-1] != found[0] else "")


def over_tasks(comparison: Comparison, numbers: Iterable[int]) -> str:
    """Return how many runs there are in a figure over tasks."""
    tasks = len(comparison.complete_tasks())
    where = f" on each of {tasks} tasks" if tasks > 1 else ""
    return f"{n_of(numbers)}{where}"


NAMES = (
    *("learning_curves", "wall_clock", "final_scores", "aggregates"),
    *("sample_efficiency", "profiles", "improvement"),
)


def draw_all(comparison: Comparison, results: Dict[str, Any]) -> Dict[str, Any]:
    """Return all figures that there are, by `NAMES`."""
    pyplot = figures.headless_pyplot()
    look = styles(comparison)
    drawn = {}
    with pyplot.rc_context(FONT):
        found = results["curves"]
        drawn["learning_curves"] = curves(comparison, found, look, STEPS)
        if results["wall_clock"]:
            found = results["wall_clock"]
            drawn["wall_clock"] = curves(comparison, found, look, "hours")
        drawn["final_scores"] = final_scores(comparison, results["final"], look)
        runs = over_tasks(comparison, results["sizes"].values() or [0])
        if results["aggregates"]:
            drawn["aggregates"] = aggregates(results["aggregates"], look, runs)
            tasks, names = comparison.complete_tasks(), comparison.algorithms
            all_runs = (comparison.n_scores(n, task) for n in names for task in tasks)
            title = over_tasks(comparison, all_runs)
            drawn["sample_efficiency"] = efficiency(results["efficiency"], look, title)
        if results["profiles"]:
            drawn["profiles"] = profiles(results["profiles"], look, runs)
        if results["improvements"]:
            drawn["improvement"] = improvement(results["improvements"], runs)
    return drawn


def panels(n: int) -> Tuple[Any, List[Any]]:
    """Return a figure with `n` axes in rows of up to three."""
    pyplot = figures.headless_pyplot()
    columns = min(COLUMNS, n)
    rows = math.ceil(n / columns)
    width = {1: 6.2, 2: 8.2, 3: 10.2}[columns]
    figure, axes = pyplot.subplots(
        rows,
        columns,
        figsize=(width, 2.7 * rows + 0.5),
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat[n:]:
        axis.axis("off")
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes.flat[:n])


def legend(figure: Any, axes: List[Any]) -> None:
    """Put one legend above all panels."""
    handles: Dict[str, Any] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    longest = max(len(line) for label in handles for line in label.split("\n"))
    width = 0.6 + 0.075 * longest  # inches
    columns = max(1, min(5, int(figure.get_figwidth() / width)))
    lines = sum(label.count("\n") + 1 for label in handles)
    more = max(0.0, 0.16 * (lines / columns - 1))
    figure.set_figheight(figure.get_figheight() + more)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
    )


def curves(
    comparison: Comparison, results: Dict[Any, Any], look: Style, unit: str
) -> Any:
    """Draw learning curves, a panel for each task."""
    figure, axes = panels(len(comparison.tasks))
    for axis, task in zip(axes, comparison.tasks):
        here = [name for name in comparison.algorithms if (name, task) in results]
        for name in here:
            one_curve(axis, name, results[name, task], look[name])
        runs = n_of(results[name, task][2].max() for name in here) if here else "n = 0"
        axis.set_title(panel_title(f"{task} ({runs})"))
        axis.set_xlabel(unit)
        smooth = f"\n(mean of {comparison.smooth})" if comparison.smooth > 1 else ""
        axis.set_ylabel(comparison.metric + smooth)
        if unit == STEPS:
            axis.xaxis.set_major_formatter(thousands)
    legend(figure, axes)
    return figure


def one_curve(axis: Any, name: str, curve: Any, look: Tuple[str, Any]) -> None:
    """Draw IQM and interval; thinner where some of the runs have ended."""
    (colour, dashes), (grid, (middle, low, high), count) = look, curve
    full = int((count == count.max()).sum())
    label = label_of(name)
    axis.plot(grid[:full], middle[:full], color=colour, ls=dashes, lw=1.7, label=label)
    axis.plot(grid[full - 1 :], middle[full - 1 :], color=colour, lw=0.8, alpha=0.7)
    axis.fill_between(grid, low, high, color=colour, alpha=0.16, lw=0)
    if len(grid) == 1:
        axis.plot(grid, middle, "o", color=colour)


def thousands(value: float, _: int) -> str:
    """Return 1500 as `1.5k`."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def final_scores(comparison: Comparison, results: Dict[Any, Any], look: Style) -> Any:
    """Draw IQM and interval beside each run's own score, a panel for each task."""
    names = comparison.algorithms[::-1]
    figure, axes = panels(len(comparison.tasks))
    more = 0.15 * max(panel_title(task).count("\n") + 1 for task in comparison.tasks)
    figure.set_figheight(axes_height(names, len(comparison.tasks), more))
    for number, (axis, task) in enumerate(zip(axes, comparison.tasks)):
        runs = n_of(len(g.scores) for g in comparison.on(task) if len(g.scores))
        at = f"at step {comparison.horizons[task]:,}"
        axis.set_title(f"{panel_title(task)}\n{at} ({runs})")
        axis.set_xlabel(comparison.metric)
        for row, name in enumerate(names):
            found = results.get((name, task))
            if found is not None:
                middle, low, high = found
                scores = comparison.groups[name, task].scores
                colour = look[name][0]
                axis.barh(
                    row, high - low, left=low, height=0.5, color=colour, alpha=0.35
                )
                axis.plot(
                    [middle, middle], [row - 0.25, row + 0.25], color=colour, lw=2
                )
                axis.plot(scores, np.full(len(scores), row), ".", color="0.25", ms=3)
        rows_of(axis, labels(names, number % COLUMNS == 0))
    return figure


def labels(names: List[str], are_shown: bool) -> List[str]:
    """Return the rows' labels: only the leftmost panel shows them."""
    return [label_of(name) if are_shown else "" for name in names]


def axes_height(names: List[str], n_panels: int, more: float = 0.15) -> float:
    """Return a figure's height for panels of horizontal bars, and lines above them."""
    lines = max(label_of(name).count("\n") for name in names)
    rows = (0.28 + 0.15 * lines) * len(names)
    return math.ceil(n_panels / COLUMNS) * (rows + 1.0 + more) + 0.2


def rows_of(axis: Any, names: List[str]) -> None:
    """Name the rows of horizontal bars."""
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.use_sticky_edges = False
    axis.margins(x=0.08)


def aggregates(results: Dict[str, np.ndarray], look: Style, runs: str) -> Any:
    """Draw median, IQM, mean and optimality gap of normalised scores over tasks."""
    names = list(results)[::-1]
    pyplot = figures.headless_pyplot()
    figure, axes = pyplot.subplots(
        1, 4, figsize=(10.2, axes_height(names, 1)), layout="constrained"
    )
    for column, (axis, title) in enumerate(zip(axes, statistics.AGGREGATES)):
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
        for row, name in enumerate(names):
            middle, low, high = results[name][:, column]
            colour = look[name][0]
            axis.barh(row, high - low, left=low, height=0.5, color=colour, alpha=0.35)
            axis.plot([middle, middle], [row - 0.25, row + 0.25], color=colour, lw=2)
        rows_of(axis, labels(names, column == 0))
        axis.set_xlabel("normalised score")
    figure.suptitle(runs, fontsize=FONT["axes.titlesize"])
    return figure


def profiles(results: Dict[str, np.ndarray], look: Style, runs: str) -> Any:
    """Draw the share of runs with a score above tau."""
    figure, (axis,) = panels(1)
    lines(axis, {name: (statistics.TAUS, each) for name, each in results.items()}, look)
    axis.set_title(runs)
    axis.set_xlabel("normalised score τ")
    axis.set_ylabel("share of runs with a score > τ")
    legend(figure, [axis])
    return figure


def efficiency(results: Dict[str, Any], look: Style, runs: str) -> Any:
    """Draw the IQM over all tasks against the share of training."""
    figure, (axis,) = panels(1)
    lines(axis, results, look)
    axis.set_title(runs)
    axis.set_xlabel("share of the training steps")
    axis.set_ylabel("IQM of normalised scores")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    legend(figure, [axis])
    return figure


def lines(axis: Any, results: Dict[str, Any], look: Style) -> None:
    """Draw lines with their intervals."""
    for name, (x, (middle, low, high)) in results.items():
        colour, dashes = look[name]
        axis.plot(x, middle, color=colour, ls=dashes, lw=1.7, label=label_of(name))
        axis.fill_between(x, low, high, color=colour, alpha=0.16, lw=0)


def improvement(results: Dict[Tuple[str, str], np.ndarray], runs: str) -> Any:
    """Draw the probability that the first of each pair is better."""
    pairs = list(results)[::-1]
    names = [f"{label_of(x)}\n> {label_of(y)}" for x, y in pairs]
    names = [name if "=" in name else name.replace("\n", " ") for name in names]
    pyplot = figures.headless_pyplot()
    lines = max(name.count("\n") for name in names)
    size = (6.8, (0.3 + 0.15 * lines) * len(pairs) + 0.9)
    figure, axis = pyplot.subplots(figsize=size, layout="constrained")
    axis.spines[["top", "right"]].set_visible(False)
    for row, pair in enumerate(pairs):
        middle, low, high = results[pair]
        axis.barh(row, high - low, left=low, height=0.5, color="#0072B2", alpha=0.35)
        axis.plot([middle, middle], [row - 0.25, row + 0.25], color="#0072B2", lw=2)
    rows_of(axis, names)
    axis.axvline(0.5, color="0.5", ls=":", lw=1)
    axis.set_title(runs)
    axis.set_xlim(-0.02, 1.02)
    axis.set_xlabel("probability that the first is better than the second")
    return figure
