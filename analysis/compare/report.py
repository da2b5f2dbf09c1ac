"""One HTML file with everything in it: no script, nothing from a network."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any, Dict, List

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from wqmix.config.reading import one_line

from ..figures import counted
from ..groups import COMPLETED, algorithm_settings, spelt, task_settings
from .drawing import title_of
from .scores import LATE, Comparison, Group
from .statistics import FEWEST, REPETITIONS
from .tables import bold_of, latex, rounded

TEMPLATE = "report.html"
LONGEST = 60  # characters of a setting
ALWAYS = ("weighting", "alpha")  # Weighted QMIX's own
NOTHING = "–"


def report(
    comparison: Comparison,
    results: Dict[str, Any],
    images: Dict[str, bytes],
    places: List[str],
) -> str:
    """Return the report.

    Args:
        comparison: what was compared.
        results: the statistics.
        images: SVG files, by the names of `drawing.NAMES`.
        places: what was given to compare, each `PATH` or `NAME=PATH`.
    """
    runs = sum(len(group.runs) for group in comparison.groups.values())
    algorithms = counted(len(comparison.algorithms), "algorithm")
    tasks = counted(len(comparison.tasks), "task")
    return page(
        comparison=comparison,
        counts=f"{counted(runs, 'run')}: {algorithms} on {tasks}",
        places=places,
        moment=datetime.datetime.now().strftime("%Y-%m-%d %H:%M"),
        titles=[title_of(name) for name in comparison.algorithms],
        final=final_rows(comparison, results["final"]),
        late=round(100 * (LATE - 1)),
        repetitions=REPETITIONS,
        fewest=FEWEST,
        over=over(comparison),
        scales=scales(comparison),
        cut_tasks=cut_tasks(list(comparison.groups.values())),
        settings=settings(comparison),
        images={name: base64.b64encode(svg).decode() for name, svg in images.items()},
        reaching=reaching_rows(comparison, results["reaching"]),
        latex=escape(latex(comparison, results["final"])),
        runs=run_rows(comparison),
    )


def page(**values: Any) -> str:
    """Fill in the template; names of strangers stay text, on one line."""
    environment = Environment(
        loader=FileSystemLoader(str(Path(__file__).parent)),
        autoescape=True,
        finalize=lambda each: each if isinstance(each, Markup) else one_line(each),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(values).lstrip()


def final_rows(comparison: Comparison, final: Dict[Any, Any]) -> List[List[str]]:
    """Return IQM and interval, task × algorithm."""
    rows = []
    for task in comparison.tasks:
        bold, cells = bold_of(comparison, final, task), [task]
        for name in comparison.algorithms:
            n = comparison.n_scores(name, task)
            cells.append(cell(final.get((name, task)), n, name in bold))
        rows.append([*cells, f"{comparison.horizons[task]:,}"])
    return rows


def cell(found: Any, n: int, is_bold: bool) -> str:
    """Return one entry: the IQM; small, its interval and the number of runs."""
    if found is None:
        return NOTHING
    middle, low, high = (rounded(each, found[0]) for each in found)
    middle = Markup("<b>{}</b>").format(middle) if is_bold else middle
    entry = Markup("{} <small>[{}, {}]</small><small>n = {}</small>")
    return entry.format(middle, low, high, n)


def over(comparison: Comparison) -> str:
    """Return which tasks the statistics over tasks are over."""
    complete = comparison.complete_tasks()
    if len(complete) == len(comparison.tasks):
        return "all tasks"
    return f"those that every algorithm was run on ({', '.join(complete) or 'none'})"


def scales(comparison: Comparison) -> str:
    """Return what is 0 and what is 1 on each task."""
    return ", ".join(
        f"{task}: {worst:.4g} … {best:.4g}"
        for task, (worst, best) in comparison.ranges.items()
    )


def settings(comparison: Comparison) -> List[List[str]]:
    """Return in which settings the algorithms differ; Weighted QMIX's own always."""
    groups = list(comparison.groups.values())
    found = {
        name: values_of([group for group in groups if group.algorithm == name])
        for name in comparison.algorithms
    }
    keys = sorted({key for values in found.values() for key in values})
    shown = [*filter(keys.__contains__, ALWAYS), *(k for k in keys if k not in ALWAYS)]
    rows = []
    for key in shown:
        cells = [values.get(key, NOTHING) for values in found.values()]
        if key in ALWAYS or len(set(cells)) > 1:
            rows.append([key, *cells])
    return rows


def values_of(groups: List[Group]) -> Dict[str, str]:
    """Return an algorithm's settings; of several values, the tasks of each."""
    tasks_of: Dict[str, Dict[str, Dict[str, None]]] = {}
    for group in groups:
        for run in group.runs:
            for key, value in algorithm_settings(run).items():
                shown = spelt(value)
                shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
                tasks_of.setdefault(key, {}).setdefault(shown, {})[group.task] = None
    return {
        key: next(iter(values))
        if len(values) == 1
        else "; ".join(f"{v} ({', '.join(tasks)})" for v, tasks in values.items())
        for key, values in tasks_of.items()
    }


def cut_tasks(groups: List[Group]) -> List[str]:
    """Return the whole settings of each task whose name is cut."""
    runs = {group.task: group.runs[0] for group in groups if "…" in group.task}
    return [
        f"{task}: {', '.join(f'{k}={spelt(v)}' for k, v in task_settings(run).items())}"
        for task, run in runs.items()
    ]


def reaching_rows(
    comparison: Comparison, rows: List[Dict[str, Any]]
) -> List[List[str]]:
    """Return after how many steps runs first had a score: the median, and how many."""
    found = {(r["task"], r["threshold"], r["algorithm"]): r for r in rows}
    lines = []
    places = {task: number for number, task in enumerate(comparison.tasks)}
    for task, threshold in sorted(
        {(r["task"], r["threshold"]) for r in rows},
        key=lambda each: (places[each[0]], each[1]),
    ):
        cells = [found.get((task, threshold, name)) for name in comparison.algorithms]
        value = next(cell["value"] for cell in cells if cell)
        lines.append([task, f"{value:.4g} ({threshold:.0%})", *map(steps, cells)])
    return lines


def steps(row: Any) -> str:
    """Return an entry of that table."""
    if row is None:
        return NOTHING
    median = row["median_steps"]
    return Markup("{} <small>{} of {}</small>").format(
        NOTHING if median == float("inf") else f"{median:,.0f}",
        row["reached"],
        row["runs"],
    )


def run_rows(comparison: Comparison) -> List[List[Any]]:
    """Return all runs."""
    return [
        [
            run.folder,
            title_of(group.algorithm),
            group.task,
            NOTHING if run.seed is None else run.seed,
            "completed" if run.status == COMPLETED else run.status,
            f"{run.end:,}",
            NOTHING if run.seconds is None else f"{run.seconds[-1] / 3600:.2f}",
            run.clock or NOTHING,
        ]
        for group in comparison.groups.values()
        for run in group.runs
    ]
