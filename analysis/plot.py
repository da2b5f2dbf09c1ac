"""`wqmix plot`: one metric of some runs, in the terminal or as a PNG.

wqmix plot results/sacred
wqmix plot results/sacred/3 --metric loss
wqmix plot results/sacred --out curve.png       (needs the extra `plots`)

A line for each algorithm and task: the median of its runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from wqmix.config.reading import one_line
from wqmix.errors import ConfigError, WQMixError

from .groups import name_all
from .runs import METRIC, Record, read_all

MARKS = "ox+*#%@&abcdefghijklmnpqrstuvwyz"
ROWS = 20
Line = Tuple[str, np.ndarray, np.ndarray]


def main(argv: Sequence[str]) -> int:
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
    parser.add_argument("--out", help="a PNG, instead of the terminal")
    options = parser.parse_args(argv)
    try:
        lines = medians(read_all(options.results, options.metric))
        if options.out:
            draw(lines, options.metric, Path(options.out))
        else:
            columns = min(100, shutil.get_terminal_size().columns)
            print(text(lines, options.metric, columns))
    except WQMixError as error:
        print(f"wqmix plot: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    return 0


def medians(records: List[Record]) -> List[Line]:
    """Return a line for each algorithm and task: name, steps, median of its runs.

    Each point is of the runs that had come so far.
    """
    measured = [record for record in records if len(record.steps)]
    groups: Dict[Any, List[Record]] = defaultdict(list)
    for record, algorithm, task in zip(measured, *name_all(measured)[:2]):
        groups[algorithm, task].append(record)
    lines = []
    for (algorithm, task), runs in sorted(groups.items()):
        steps = np.unique(np.concatenate([run.steps for run in runs]))
        rows = [np.interp(steps, run.steps, run.values, np.nan, np.nan) for run in runs]
        kept = ~np.isnan(rows).all(axis=0)
        name = f"{algorithm}, {task} ({len(runs)} runs)"
        lines.append((name, steps[kept], np.nanmedian(np.array(rows)[:, kept], axis=0)))
    return lines


def text(lines: List[Line], metric: str, columns: int) -> str:
    """Return the lines as characters."""
    width = max(20, columns - 12)
    low = min(float(values.min()) for _, _, values in lines)
    high = max(float(values.max()) for _, _, values in lines)
    end = max(int(steps[-1]) for _, steps, _ in lines)
    span = high - low or 1.0
    grid = [[" "] * width for _ in range(ROWS)]
    for mark, (_, steps, values) in zip(MARKS * len(lines), lines):
        at = np.arange(width) * end / max(1, width - 1)
        inside = (at >= steps[0]) & (at <= steps[-1])
        inside |= np.isin(np.arange(width), (steps * (width - 1) / max(1, end)).round())
        heights = np.interp(at, steps, values)
        for column in np.flatnonzero(inside):
            row = round((high - heights[column]) / span * (ROWS - 1))
            grid[int(np.clip(row, 0, ROWS - 1))][column] = mark
    labels = {0: f"{high:.4g}", ROWS - 1: f"{low:.4g}"}
    body = [f"{labels.get(i, ''):>10} |{''.join(row)}" for i, row in enumerate(grid)]
    foot = f"{'':>11}0{end:>{width - 1},} steps"
    names = [
        f"  {mark} {name}" for mark, (name, _, _) in zip(MARKS * len(lines), lines)
    ]
    return "\n".join([metric, *body, f"{'':>11}{'-' * width}", foot, *names])


def draw(lines: List[Line], metric: str, path: Path) -> None:
    """Write the lines as a PNG.

    Raises:
        ConfigError: matplotlib is missing, or the file cannot be written.
    """
    try:
        from .figures import headless_pyplot

        pyplot = headless_pyplot()
    except ImportError:
        what = "wqmix plot --out needs more: pip install 'pymarl-wqmix[plots]'"
        raise ConfigError(what) from None
    figure, axis = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    for name, steps, values in lines:
        axis.plot(steps, values, label=name)
    axis.set_xlabel("environment steps")
    axis.set_ylabel(metric)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    try:
        figure.savefig(path, dpi=120, format="png")
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from None
    finally:
        pyplot.close(figure)
    print(f"Figure: {path}")
