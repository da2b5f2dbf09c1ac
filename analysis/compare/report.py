"""One HTML file with everything in it: no script, nothing from a network."""

from __future__ import annotations

import base64
import datetime
import html
from typing import Any, Dict, List

from wqmix.config.reading import one_line

from ..figures import counted
from ..groups import COMPLETED, algorithm_settings, spelt, task_settings
from .drawing import title_of
from .scores import LATE, Comparison, Group
from .statistics import FEWEST, REPETITIONS
from .tables import bold_of, latex, rounded

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; margin: 2rem auto;
       max-width: 68rem; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; }
p, li { max-width: 48rem; } .quiet { color: #666; font-size: .87rem; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .87rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere;
  min-width: 9rem; }
thead th { border-bottom: 2px solid #888; vertical-align: bottom; }
td small { display: block; color: #666; white-space: nowrap; }
.remarks { background: #fff6e0; border-left: 4px solid
  #e69f00; padding: .5rem 1rem; overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .8rem; }
summary { cursor: pointer; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; }
  figure, tr, .remarks { break-inside: avoid; } h2 { break-after: avoid; }
  .scroll, pre { overflow: visible; white-space: pre-wrap; }
  details::details-content { content-visibility: visible; block-size: auto; } }
figure { margin: 0; } figcaption { color: #444; font-size: .87rem; max-width: 48rem; }
"""

MOST_UNFOLDED = 8  # remarks on single runs
MOST_SETTINGS = 16  # unfolded
LONGEST = 60  # characters of a setting
ALWAYS = ("weighting", "alpha")  # Weighted QMIX's own
CAPTIONS = {
    "learning_curves": (
        "Learning curves",
        "IQM over runs, with 95 % bootstrap intervals. Thin where some of the runs "
        "have ended: there it is of those that go on. n: runs of each algorithm.",
    ),
    "final_scores": (
        "Final scores",
        "IQM (line), 95 % interval (bar), each run (dot).",
    ),
    "aggregates": (
        "Over all tasks",
        "Normalised final scores. The optimality gap is how far runs stay below 1, the "
        "upper end of the scale: less is better.",
    ),
    "profiles": (
        "Performance profiles",
        "The share of runs, over all tasks, with a normalised score above τ: higher is "
        "better; where lines cross, neither algorithm is better throughout.",
    ),
    "improvement": (
        "Probability of improvement",
        "How probable it is that a run of the first algorithm ends better than one of "
        "the second, on a task drawn at random (ties count half).",
    ),
    "sample_efficiency": (
        "Sample efficiency",
        "IQM of normalised scores over all tasks, against the share of the training "
        "steps up to each task's horizon.",
    ),
    "wall_clock": (
        "Against time",
        "The learning curves over hours since the start of each run. They compare "
        "machines as much as algorithms.",
    ),
}


def text(value: object) -> str:
    """Return a text that HTML shows as it is."""
    return html.escape(one_line(value))


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
        images: SVG files, by the names of `CAPTIONS`.
        places: what was given to compare, each `PATH` or `NAME=PATH`.
    """
    runs = sum(len(group.runs) for group in comparison.groups.values())
    moment = datetime.datetime.now().strftime("%Y-%m-%d %H:%M")
    counts = (
        f"{counted(runs, 'run')}: {counted(len(comparison.algorithms), 'algorithm')} "
        f"on {counted(len(comparison.tasks), 'task')}"
    )
    where = ", ".join(f"<code>{text(place)}</code>" for place in places)
    body = [
        f"<h1>Comparison by {text(comparison.metric)}</h1>",
        f"<p>{counts}, in {where}. "
        f"<span class=quiet>Written {moment} by wqmix compare.</span></p>",
        remarks(comparison),
        "<h2>Final scores</h2>",
        final_table(comparison, results["final"]),
        method(comparison),
        settings(comparison),
    ]
    order = [name for name in CAPTIONS if name in images]
    body += [figure(name, images[name]) for name in order]
    body += [
        "<h2>Steps to a score</h2>",
        reaching_table(comparison, results["reaching"]),
    ]
    body += [
        "<h2>For LaTeX</h2>",
        f"<pre>{html.escape(latex(comparison, results['final']))}</pre>",
        run_list(comparison),
    ]
    return page(f"Comparison by {comparison.metric}: {counts}", "\n".join(body))


def page(title: str, body: str) -> str:
    """Return a whole HTML file."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def remarks(comparison: Comparison) -> str:
    """Return what a reader must know."""
    if not comparison.remarks and not comparison.on_runs:
        return ""
    title, parts = "To know before reading on", [listed(comparison.remarks)]
    if comparison.on_runs:
        is_open = " open" if len(comparison.on_runs) <= MOST_UNFOLDED else ""
        summary = f"<summary>On single runs: {len(comparison.on_runs)}</summary>"
        inside = f"{summary}{listed(comparison.on_runs)}"
        parts.append(f"<details{is_open}>{inside}</details>")
    return f"<div class=remarks><strong>{title}</strong>{''.join(parts)}</div>"


def listed(remarks: List[str]) -> str:
    """Return remarks as a list."""
    items = "".join(f"<li>{text(each)}</li>" for each in remarks)
    return f"<ul>{items}</ul>" if remarks else ""


def table(head: List[str], rows: List[List[str]]) -> str:
    """Return a table; the cells are HTML."""
    first = "".join(f"<th>{text(each)}</th>" for each in head)
    lines = ["<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows]
    return (
        f"<div class=scroll><table><thead><tr>{first}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def final_table(comparison: Comparison, final: Dict[Any, Any]) -> str:
    """Return IQM and interval, algorithm × task."""
    names = comparison.algorithms
    rows = []
    for task in comparison.tasks:
        bold, cells = bold_of(comparison, final, task), [text(task)]
        for name in names:
            n = comparison.n_scores(name, task)
            cells.append(cell(final.get((name, task)), n, name in bold))
        rows.append([*cells, f"{comparison.horizons[task]:,}"])
    return table(["task", *map(title_of, names), "at step"], rows)


def cell(found: Any, n: int, is_bold: bool) -> str:
    """Return one entry: the IQM; small, its interval and the number of runs."""
    if found is None:
        return "–"
    middle, low, high = (rounded(each, found[0]) for each in found)
    middle = f"<b>{middle}</b>" if is_bold else middle
    return f"{middle} <small>[{low}, {high}]</small><small>n = {n}</small>"


def method(comparison: Comparison) -> str:
    """Say how the numbers come about."""
    scales = ", ".join(
        f"{task}: {worst:.4g} … {best:.4g}"
        for task, (worst, best) in comparison.ranges.items()
    )
    complete, everything = comparison.complete_tasks(), comparison.tasks
    over = "all tasks"
    if len(complete) < len(everything):
        over = (
            f"those that every algorithm was run on ({', '.join(complete) or 'none'})"
        )
    better = "Lower" if comparison.lower_is_better else "Higher"
    return (
        "<p class=quiet>A run's final score is the mean of its last "
        f"{comparison.last} values up to the task's step above, the last that every "
        f"algorithm reached, and {100 * (LATE - 1):.0f} % beyond. IQM: interquartile "
        "mean over n runs. In brackets and as bars or bands: 95 % stratified-bootstrap "
        f"intervals, {REPETITIONS:,} repetitions (Agarwal et al. 2021; rliable). Bold: "
        "the interval reaches that of the best, unless all of them do, or some are of "
        f"fewer than {FEWEST} runs. {better} values count as better. "
        f"Statistics over tasks are over {text(over)}, on a scale from 0 (worst) to 1: "
        f"{text(scales)}.</p>"
    )


def settings(comparison: Comparison) -> str:
    """Return in which settings the algorithms differ, and what cut names stand for."""
    groups = list(comparison.groups.values())
    found = {
        name: values_of([group for group in groups if group.algorithm == name])
        for name in comparison.algorithms
    }
    keys = sorted({key for values in found.values() for key in values})
    shown = [*filter(keys.__contains__, ALWAYS), *(k for k in keys if k not in ALWAYS)]
    rows = []
    for key in shown:
        cells = [values.get(key, "–") for values in found.values()]
        if key in ALWAYS or len(set(cells)) > 1:
            rows.append([text(key), *map(text, cells)])
    parts = [f"<p class=quiet>{text(each)}</p>" for each in cut_tasks(groups)]
    if rows:
        several = table(["setting", *map(title_of, found)], rows)
        summary = f"In which the algorithms differ, and α: {len(rows)}"
        is_open = " open" if len(rows) <= MOST_SETTINGS else ""
        parts.append(
            f"<details{is_open}><summary>{summary}</summary>{several}</details>"
        )
    return f"<h2>Settings</h2>{''.join(parts)}" if parts else ""


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


def figure(name: str, image: bytes) -> str:
    """Return a figure with its caption."""
    title, caption = CAPTIONS[name]
    data = base64.b64encode(image).decode("ascii")
    heading = "" if name == "final_scores" else f"<h2>{title}</h2>"
    return (
        f'{heading}<figure><img alt="{title}" src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def reaching_table(comparison: Comparison, rows: List[Dict[str, Any]]) -> str:
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
        lines.append([text(task), f"{value:.4g} ({threshold:.0%})", *map(steps, cells)])
    head = ["task", "score (of the scale)", *map(title_of, comparison.algorithms)]
    return (
        "<p class=quiet>The first test with that score: how many runs had one, and the "
        "median over all runs, where more than half of them had.</p>"
        + table(head, lines)
    )


def steps(row: Any) -> str:
    """Return an entry of that table."""
    if row is None:
        return "–"
    reached = f"<small>{row['reached']} of {row['runs']}</small>"
    median = row["median_steps"]
    return f"{'–' if median == float('inf') else f'{median:,.0f}'} {reached}"


def run_list(comparison: Comparison) -> str:
    """Return all runs, folded."""
    rows = [
        [
            text(run.folder),
            text(title_of(group.algorithm)),
            text(group.task),
            text("–" if run.seed is None else run.seed),
            text("completed" if run.status == COMPLETED else run.status),
            f"{run.end:,}",
            "–" if run.seconds is None else f"{run.seconds[-1] / 3600:.2f}",
            text(run.clock or "–"),
        ]
        for _, group in comparison.groups.items()
        for run in group.runs
    ]
    head = "folder,algorithm,task,seed,status,last step,hours,time from".split(",")
    return f"<h2>Runs</h2><details><summary>All</summary>{table(head, rows)}</details>"
