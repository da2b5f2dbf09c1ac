"""`wqmix plot`: one metric of some runs, in the terminal or as a PNG.

wqmix plot results/sacred
wqmix plot results/sacred/3 --metric loss
wqmix plot results/sacred --out curve.png       (needs the extra `plots`)

A panel for each task, a line for each algorithm: the median of its runs, one for each
seed. Where some of them have ended it is of those that go on, and thin in a PNG. Where
lines meet in the terminal their marks are shown in turns.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from wqmix.config.ending import tells
from wqmix.config.extras import missing
from wqmix.config.reading import one_line
from wqmix.errors import ConfigError

from .choice import Choice, add_options
from .compare.drawing import COLUMNS, DASHES, panel_title, panels, thousands
from .compare.statistics import on_one_axis, smoothed
from .figures import counted, headless_pyplot
from .groups import grouped, in_order
from .runs import METRIC, Record, read_all, told

MARKS = "ox+*#%@&abcdefghijklmnpqrstuvwyz"
ROWS, ROWS_OF_SEVERAL = 20, 12
MOST_NOTES = 8  # on single runs
POINTS = 801  # of a line: about one for each pixel
Line = Tuple[str, np.ndarray, np.ndarray, int]
Lines = Dict[str, List[Line]]  # by task


@tells("wqmix plot")
def main(argv: Sequence[str]) -> None:
    """Run the command line.

    Returns:
        The exit code: 2 for a mistake, with one line.
    """
    parser = argparse.ArgumentParser(
        prog="wqmix plot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS")
    parser.add_argument("--metric", default=METRIC, help=f"default: {METRIC}")
    add_options(parser)
    parser.add_argument("--out", help="a PNG, instead of the terminal")
    options = parser.parse_args(argv)
    if options.out:
        check_output(options.out)
    choice = Choice.of(options)
    records = read_all(options.results, options.metric)
    lines = medians(records, choice, options.smooth)
    if options.out:
        draw(lines, options.metric, Path(options.out))
    else:
        columns = min(100, shutil.get_terminal_size().columns)
        print(text(lines, options.metric, columns))


def check_output(path: str) -> None:
    """Refuse, before any reading, what could not be drawn."""
    if Path(path).suffix != ".png":
        raise ConfigError(f"--out {path}: a .png file is needed")
    lacking = missing("--out", "plots", "matplotlib")
    if lacking:
        raise ConfigError(lacking)


def medians(
    records: List[Record], choice: Optional[Choice] = None, smooth: int = 1
) -> Lines:
    """Return, for each task, a line for each algorithm.

    Returns:
        Its name, steps, the median of its runs, and in how many of these points all of
        the runs are.
    """
    groups, remarks, left_out = grouped([each for each in records if len(each.steps)])
    groups, said = (choice or Choice()).of_groups(groups)
    remarks += said
    damaged = told(records)
    remarks += damaged[:MOST_NOTES]
    if len(damaged) > MOST_NOTES:
        more = counted(len(damaged) - MOST_NOTES, "remark")
        remarks.append(f"{more} more on single runs: wqmix compare has them")
    if left_out:
        what = counted(len(left_out), "run")
        remarks.append(f"{what} left out: one counts for each seed (see wqmix compare)")
    for remark in remarks:
        print(f"note: {one_line(remark)}", file=sys.stderr)
    lines: Lines = {}
    for (algorithm, task), runs in groups.items():
        axes = [run.steps.astype(float) for run in runs]
        columns = [smoothed(run, smooth) for run in runs]
        steps, rows, is_there = on_one_axis(axes, columns, POINTS)
        middle = np.nanmedian(np.where(is_there, rows, np.nan), axis=0)
        full = int(is_there.all(axis=0).sum())
        name = f"{algorithm}, {task} ({counted(len(runs), 'run')}"
        if full < len(steps):
            name += f", fewer after step {min(run.end for run in runs):,}"
        lines.setdefault(task, []).append((f"{name})", steps, middle, full))
    return {task: lines[task] for task in sorted(lines, key=in_order)}


def text(lines: Lines, metric: str, columns: int) -> str:
    """Return the lines as characters, a panel for each task."""
    rows = ROWS if len(lines) == 1 else ROWS_OF_SEVERAL
    panels = [
        panel(here, metric if len(lines) == 1 else f"{task}: {metric}", columns, rows)
        for task, here in lines.items()
    ]
    return "\n\n".join(panels)


def panel(lines: List[Line], title: str, columns: int, rows: int) -> str:
    """Return one panel: its title, the axes, and what the marks are."""
    width = max(20, columns - 12)
    low = min(float(values.min()) for _, _, values, _ in lines)
    high = max(float(values.max()) for _, _, values, _ in lines)
    end = max(int(steps[-1]) for _, steps, _, _ in lines)
    span = high - low or 1.0
    marks: Dict[Tuple[int, int], List[str]] = {}
    for mark, (_, steps, values, _) in zip(MARKS * len(lines), lines):
        at = np.arange(width) * end / max(1, width - 1)
        inside = (at >= steps[0]) & (at <= steps[-1])
        inside |= np.isin(np.arange(width), (steps * (width - 1) / max(1, end)).round())
        heights = np.interp(at, steps, values)
        for column in np.flatnonzero(inside).tolist():
            row = round((high - heights[column]) / span * (rows - 1))
            marks.setdefault((int(np.clip(row, 0, rows - 1)), column), []).append(mark)
    grid = [[" "] * width for _ in range(rows)]
    for (row, column), here in marks.items():
        grid[row][column] = here[column % len(here)]
    labels = {0: f"{high:.4g}", rows - 1: f"{low:.4g}"}
    body = [f"{labels.get(i, ''):>10} |{''.join(row)}" for i, row in enumerate(grid)]
    foot = f"{'':>11}0{end:>{width - 1},} steps"
    names = [f"  {mark} {name}" for mark, (name, *_) in zip(MARKS * len(lines), lines)]
    return "\n".join([title, *body, f"{'':>11}{'-' * width}", foot, *names])


def draw(lines: Lines, metric: str, path: Path) -> None:
    """Write the lines as a PNG, a panel for each task.

    Raises:
        ConfigError: the file cannot be written.
    """
    pyplot = headless_pyplot()
    figure, axes = panels(len(lines))
    most = max(map(len, lines.values()))
    n_rows = math.ceil(len(lines) / COLUMNS)
    figure.set_figheight(figure.get_figheight() + 0.2 * most * n_rows)
    numbers: Dict[str, int] = {}  # an algorithm has one colour in all panels
    for axis, (task, here) in zip(axes, lines.items()):
        for name, steps, values, full in here:
            algorithm, _, runs = name.rpartition(f", {task} (")
            number = numbers.setdefault(algorithm, len(numbers))
            look = {"color": f"C{number}", "ls": DASHES[number % len(DASHES)]}
            label = f" {algorithm} ({runs}"
            axis.plot(steps[:full], values[:full], **look, label=label)
            rest = slice(full - 1, None)
            axis.plot(steps[rest], values[rest], **look, lw=0.8, alpha=0.7)
        axis.set_title(panel_title(task))
        axis.set_xlabel("environment steps")
        axis.set_ylabel(metric)
        axis.xaxis.set_major_formatter(thousands)
        below = {"loc": "upper left", "bbox_to_anchor": (0, -0.2)}
        axis.legend(frameon=False, fontsize=8, **below)
    try:
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from None
    finally:
        pyplot.close(figure)
    print(f"Figure: {path}")
