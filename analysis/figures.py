"""Figures and CSV files of the demonstrations."""

from __future__ import annotations

import csv
import itertools
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from wqmix.config.reading import one_line

Curve = Sequence[Tuple[int, float]]
# Colours that also differ for colour-blind readers and in grey (Okabe and Ito).
COLOURS = {
    "iql": "#999999",
    "vdn": "#E69F00",
    "qmix": "#D55E00",
    "cw_qmix": "#0072B2",
    "ow_qmix": "#009E73",
}
FORMULA = ("=", "+", "-", "@")
TITLES = {
    "iql": "IQL",
    "vdn": "VDN",
    "qmix": "QMIX",
    "cw_qmix": "CW-QMIX",
    "ow_qmix": "OW-QMIX",
    "ideal_qmix": "ideal (Eq. 6)",
    "uniform_qmix": "uniform",
    "soft_cw_qmix": "soft CW",
    "soft_ow_qmix": "soft OW",
    "linear_cw_qmix": "CW, linear α",
    "exponential_ow_qmix": "OW, exponential α",
    "pow_qmix": "POW",
    "proj_greedy_qmix": "projector, greedy",
}


# Names are text and no formulas, though they have dollars in them; conferences refuse
# PDFs without TrueType fonts; an SVG looks the same everywhere.
LOOK: Dict[Any, Any] = {
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
}


def headless_pyplot() -> Any:
    """Return pyplot, drawing into files only, in our look."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update(LOOK)
    from matplotlib import pyplot

    return pyplot


def title_of(method: str) -> str:
    """Return how papers write an algorithm's name."""
    return TITLES.get(method, method)


def counted(number: int, noun: str) -> str:
    """Return `1 run`, `2 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def write_rows(path: Path, rows: List[Dict[str, Any]]) -> None:
    """Write dictionaries as CSV, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with open(partial, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = columns(rows)
        writer.writerow(map(as_cell, names))
        for row in rows:
            writer.writerow([as_cell(row.get(name)) for name in names])
    os.replace(partial, path)


def columns(rows: List[Dict[str, Any]]) -> List[str]:
    """Return all keys, in the order in which they first come."""
    return list(dict.fromkeys(key for row in rows for key in row))


def as_cell(value: Any) -> Any:
    """Return a value as a spreadsheet shows it: a text never begins a formula."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def draw_game(runs: List[Any], methods: Sequence[str], path: Path) -> None:
    """Payoff, each algorithm's Q_tot (and Q̂*) of its first seed, learning curves."""
    pyplot = headless_pyplot()
    first = {m: next(run for run in runs if run.method == m) for m in methods}
    columns = 1 + len(methods)
    figure = pyplot.figure(figsize=(3.1 * columns, 9.2), layout="constrained")
    grid = figure.add_gridspec(3, columns, height_ratios=(1, 1, 1.1))
    payoff = runs[0].payoff
    bound = float(np.abs(payoff).max())
    axis = figure.add_subplot(grid[0, 0])
    best = np.unravel_index(payoff.argmax(), payoff.shape)
    _table(axis, payoff, bound, f"payoff of {runs[0].game!r}", best)
    for column, method in enumerate(methods, start=1):
        run, name = first[method], title_of(method)
        for row, (table, kind) in enumerate(((run.q_tot, "Q_tot"), (run.q_star, "Q̂*"))):
            axis = figure.add_subplot(grid[row, column])
            title = f"{name}: {kind}"
            _table(axis, table, bound, title, run.greedy if row == 0 else None)
    note = figure.add_subplot(grid[1, 0])
    note.axis("off")
    note.text(0, 0.5, "framed: the joint\naction that is played\n(seed 0)", fontsize=11)
    axis = figure.add_subplot(grid[2, :])
    curves = [(run.method, run.curve) for run in runs]
    label = "return of the greedy joint action"
    _curves(axis, curves, float(payoff.max()), "updates", label)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _table(
    axis: Any,
    table: Optional[np.ndarray],
    bound: float,
    title: str,
    framed: Optional[Sequence[int]],
) -> None:
    """A table as a heat map with its numbers; agent 0 down, the others across."""
    axis.set_title(title, fontsize=12)
    if table is None:
        axis.axis("off")
        axis.text(0.5, 0.5, "has none", ha="center", va="center", color="0.5")
        return
    matrix = table.reshape(len(table), -1)
    axis.imshow(matrix, cmap="RdBu", vmin=-bound, vmax=bound)
    axis.set_xticks([]), axis.set_yticks([])
    size = 12 if matrix.shape[1] <= 4 else 8
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if abs(value) > 0.6 * bound else "black"
        axis.text(
            j, i, f"{value:.1f}", ha="center", va="center", color=colour, size=size
        )
    if framed is not None:
        i, j = framed[0], int(np.ravel_multi_index(framed[1:], table.shape[1:]))
        frame = {"fill": False, "edgecolor": "black", "linewidth": 3}
        axis.add_patch(headless_pyplot().Rectangle((j - 0.5, i - 0.5), 1, 1, **frame))


def draw_curves(
    curves: Sequence[Tuple[str, Curve]],
    maximum: float,
    title: str,
    steps: str,
    path: Path,
) -> None:
    """Learning curves: each run thin, the median of each algorithm thick."""
    pyplot = headless_pyplot()
    figure, axis = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    axis.set_title(title)
    _curves(axis, curves, maximum, steps, "test return")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _curves(
    axis: Any,
    curves: Sequence[Tuple[str, Curve]],
    maximum: float,
    steps: str,
    label: str,
) -> None:
    names = dict.fromkeys(method for method, _ in curves)
    for width, method in zip(itertools.count(2 + 1.2 * len(names), -1.2), names):
        mine = [curve for name, curve in curves if name == method]
        length = min(map(len, mine))
        t = [point[0] for point in mine[0][:length]]
        values = np.array([[v for _, v in curve[:length]] for curve in mine])
        colour = COLOURS.get(method)
        axis.plot(t, values.T, color=colour, alpha=0.25, linewidth=1)
        name = f"{title_of(method)} (median of {len(mine)})"
        median = np.median(values, 0)
        # Ever thinner, so that equal curves show beneath one another.
        axis.plot(t, median, color=colour, linewidth=width, label=name)
    axis.axhline(maximum, color="0.6", linestyle=":", linewidth=1.5)
    axis.text(0, maximum, " best possible", va="bottom", color="0.4", fontsize=9)
    axis.set_xlabel(steps), axis.set_ylabel(label)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(y=0.12)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def draw_success_rates(
    rates: Dict[Tuple[str, str], List[bool]],
    games: Sequence[str],
    methods: Sequence[str],
    path: Path,
) -> None:
    """Share of seeds that end at a best joint action, algorithm × game."""
    pyplot = headless_pyplot()
    table = np.array([[np.mean(rates[m, game]) for m in methods] for game in games])
    size = (1.3 * len(methods) + 2.2, 0.5 * len(games) + 1.2)
    figure, axis = pyplot.subplots(figsize=size, layout="constrained")
    axis.imshow(table, cmap="YlGn", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(methods)), [title_of(m) for m in methods])
    axis.set_yticks(range(len(games)), games)
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    for i, j in np.ndindex(table.shape):
        seeds = rates[methods[j], games[i]]
        text = f"{sum(seeds)} of {len(seeds)}"
        colour = "white" if table[i, j] > 0.6 else "black"
        axis.text(j, i, text, ha="center", va="center", color=colour)
    axis.spines[:].set_visible(False)
    axis.set_title("seeds that end at a best joint action")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
