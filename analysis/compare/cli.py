"""`wqmix compare`: statistics, figures and one HTML report over finished runs.

wqmix compare results/sacred
wqmix compare here=results/sacred epymarl=../epymarl/results/sacred --out report
wqmix compare results/sacred --metric test_battle_won_mean
wqmix compare results/sacred --only '*qmix*' --rename 'cw_qmix alpha=0.5=CW' --smooth 3

RESULTS are folders with sacred's run folders in them, of any PyMARL-family host;
NAME=PATH keeps algorithms of equal names apart. docs/analysis.md says what is computed.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any, Dict, List, Sequence

from wqmix.config.ending import tells
from wqmix.config.extras import missing
from wqmix.config.names import nearest
from wqmix.config.reading import one_line
from wqmix.errors import ConfigError
from wqmix.storage.files import replace

from ..choice import Choice, add_options
from ..figures import counted, headless_pyplot
from ..runs import METRIC, read_all
from . import drawing, statistics, tables
from .scores import Comparison, Range, compare

LAST = 5


@tells("wqmix compare")
def main(argv: Sequence[str]) -> None:
    """Run the command line.

    Returns:
        The exit code: 2 for a mistake, with one line.
    """
    run(_parser().parse_args(argv))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wqmix compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("results", nargs="+", metavar="RESULTS", help="PATH or NAME=PATH")
    add("--metric", default=METRIC, help=f"default: {METRIC}")
    add("--last", type=int, default=LAST, help=f"values in a final score ({LAST})")
    add(
        "--range",
        action="append",
        default=[],
        metavar="TASK=LOW:HIGH",
        help="a task's scale (default: from the lowest to the highest score here)",
    )
    add(
        "--lower-is-better",
        action="store_true",
        help="as of a loss: for what is bold, normalised scores, probabilities",
    )
    add_options(parser)
    add("--out", default="results/compare", help="folder for all that is written")
    return parser


def run(options: Any) -> None:
    """Read, compute, draw, write."""
    needed = ("matplotlib", "rliable", "pandas", "jinja2")
    lacking = missing("the report", "analysis", *needed)
    if lacking:
        raise ConfigError(lacking)
    statistics.rliable()  # installed, but it may not be importable
    if options.last < 1:
        raise ConfigError("--last is a whole number from 1")
    choice, ranges = Choice.of(options), dict(map(parse_range, options.range))
    records = read_all(options.results, options.metric)
    comparison = compare(
        records,
        options.metric,
        options.last,
        ranges,
        options.lower_is_better,
        choice,
        options.smooth,
    )
    for task in ranges:
        if task not in comparison.tasks:
            hint = nearest(task, comparison.tasks)
            raise ConfigError(
                f"--range {task}: not one of {', '.join(comparison.tasks)}{hint}"
            )
    results = compute(comparison)
    comparison.remarks += statistics.without_width(comparison)
    comparison.remarks += statistics.few_runs(comparison)
    out = Path(options.out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write(comparison, results, options.results, out)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from None
    tell(comparison, results["final"], out)


def parse_range(text: str) -> Any:
    """Return `TASK=LOW:HIGH` as (task, (low, high))."""
    task, _, numbers = text.rpartition("=")
    try:
        low, high = map(float, numbers.split(":"))
    except ValueError:
        raise ConfigError(f"--range {text}: TASK=LOW:HIGH is needed") from None
    if not task or not low < high < float("inf"):
        raise ConfigError(f"--range {text}: LOW must be less than HIGH")
    found: Range = (low, high)
    return task, found


def compute(comparison: Comparison) -> Dict[str, Any]:
    """Return all statistics by name; of one task nothing that only repeats it."""
    scores = statistics.matrices(comparison)
    is_over_several = len(comparison.complete_tasks()) > 1
    return {
        "sizes": {name: len(each) for name, each in scores.items()},
        "final": statistics.final_scores(comparison),
        "aggregates": statistics.aggregates(scores) if is_over_several else {},
        "profiles": statistics.profiles(scores),
        "improvements": statistics.improvements(scores),
        "efficiency": statistics.efficiency(comparison) if is_over_several else {},
        "reaching": statistics.steps_to_reach(comparison),
        "curves": statistics.curves(comparison, statistics.by_steps),
        "wall_clock": statistics.curves(comparison, statistics.by_hours),
    }


def write(
    comparison: Comparison, results: Dict[str, Any], places: List[str], out: Path
) -> None:
    """Write figures, tables and the report into a folder."""
    from . import frames  # not before `run` has asked what is installed
    from .report import report

    images = {}
    drawn = drawing.draw_all(comparison, results)
    for name in set(drawing.NAMES) - set(drawn):  # of an earlier comparison
        for suffix in (".png", ".pdf"):
            (out / f"{name}{suffix}").unlink(missing_ok=True)
    for name, figure in drawn.items():
        figure.savefig(out / f"{name}.png", dpi=150)
        figure.set_layout_engine("none")  # as it has just been laid out
        figure.savefig(out / f"{name}.pdf")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
        images[name] = buffer.getvalue()
        headless_pyplot().close(figure)
    frames.write(comparison, results, out)
    tables.write(comparison, results, out)
    page = report(comparison, results, images, places)
    replace(out / "report.html", page.encode("utf-8"))


def tell(comparison: Comparison, final: Dict[Any, Any], out: Path) -> None:
    """Print the final scores, and where all else is."""
    lines: List[List[str]] = [
        ["task", *map(drawing.title_of, comparison.algorithms), "runs"]
    ]
    for task in comparison.tasks:
        cells = [final.get((name, task)) for name in comparison.algorithms]
        told = [
            f"{each[0]:.4g} [{each[1]:.4g}, {each[2]:.4g}]" if each else "–"
            for each in cells
        ]
        runs = [comparison.n_scores(name, task) for name in comparison.algorithms]
        lines.append([task, *told, ", ".join(map(str, runs))])
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip())
    for remark in comparison.remarks:
        print(f"note: {one_line(remark)}", file=sys.stderr)
    if comparison.on_runs:
        more = counted(len(comparison.on_runs), "remark")
        print(f"note: in the report, {more} on single runs", file=sys.stderr)
    print(f"Report: {out / 'report.html'}")
