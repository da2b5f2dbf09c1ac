"""What is bold, a LaTeX table, and the JSON layout that MARL-eval reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from wqmix.storage.files import replace

from ..groups import env_of
from . import statistics
from .drawing import title_of
from .scores import LATE, Comparison

LATEX = str.maketrans(
    {
        **{symbol: f"\\{symbol}" for symbol in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
    }
)


def rounded(value: float, reference: float) -> str:
    """Return a number with about three digits of what is compared."""
    digits = 0 if abs(reference) >= 1000 else 1 if abs(reference) >= 100 else 2
    return f"{value:.{digits}f}"


def best_of(
    comparison: Comparison, final: Dict[Any, Tuple[float, ...]], task: str
) -> List[str]:
    """Return the algorithms whose interval reaches that of the best one."""
    here = {name: found for (name, where), found in final.items() if where == task}
    if comparison.lower_is_better:
        here = {name: (-iqm, -high, -low) for name, (iqm, low, high) in here.items()}
    low = max(here.values(), default=(0.0, 0.0, 0.0))[1]
    return [name for name, (_, _, high) in here.items() if high >= low]


def bold_of(
    comparison: Comparison, final: Dict[Any, Tuple[float, ...]], task: str
) -> List[str]:
    """Return the algorithms that are bold: none, where intervals tell nothing apart.

    As of few runs, or where each of the intervals reaches the best's.
    """
    best = best_of(comparison, final, task)
    sizes = [len(group.scores) for group in comparison.on(task) if len(group.scores)]
    tells = min(sizes, default=0) >= statistics.FEWEST and len(best) < len(sizes)
    return best if tells else []


def latex(comparison: Comparison, final: Dict[Any, Tuple[float, ...]]) -> str:
    """Return the final scores as a LaTeX table (booktabs)."""
    names = comparison.algorithms
    head = " & ".join(["", *(title_of(name).translate(LATEX) for name in names)])
    lines = [
        f"% {comparison.metric}: IQM [95% stratified-bootstrap interval] of the final",
        "% scores, number of runs. Bold: the interval reaches the best's, unless all",
        f"% do, or some are of fewer than {statistics.FEWEST} runs. Needs booktabs",
        rf"\begin{{tabular}}{{l{'r' * len(names)}}}",
        r"\toprule",
        rf"{head} \\",
        r"\midrule",
    ]
    for task in comparison.tasks:
        bold = bold_of(comparison, final, task)
        cells = [task.translate(LATEX)]
        for name in names:
            n = comparison.n_scores(name, task)
            cells.append(latex_cell(final.get((name, task)), n, name in bold))
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def latex_cell(found: Any, n: int, is_bold: bool) -> str:
    """Return one entry of the table."""
    if found is None:
        return "--"
    middle, low, high = (rounded(each, found[0]) for each in found)
    middle = rf"\mathbf{{{middle}}}" if is_bold else middle
    return rf"${middle}$ {{\scriptsize $[{low}, {high}]$, ${n}$}}"


def write(comparison: Comparison, results: Dict[str, Any], out: Path) -> None:
    """Write the LaTeX table and MARL-eval's file into a folder."""
    replace(out / "table.tex", latex(comparison, results["final"]).encode("utf-8"))
    with open(out / "marl_eval.json", "w", encoding="utf-8") as file:
        file.writelines(marl_eval(comparison))


def runs(comparison: Comparison) -> List[Dict[str, Any]]:
    """Return a row for each run that is compared."""
    rows = []
    for _, group in comparison.groups.items():
        score_of = dict(zip(map(id, group.scored), group.scores.tolist()))
        for run in group.runs:
            hours = None if run.seconds is None else round(run.seconds[-1] / 3600, 3)
            row = {"algorithm": group.algorithm, "task": group.task, "seed": run.seed}
            row.update(status=run.status, last_step=run.end, hours=hours)
            row.update(clock=run.clock, final_score=score_of.get(id(run)))
            rows.append({**row, "folder": str(run.folder)})
    return rows


def marl_eval(comparison: Comparison) -> Iterator[str]:
    """Return all values as JSON: environment → task → algorithm → seed → step.

    MARL-eval wants the same number of steps in all runs, so each stops at the task's
    horizon. Absolute metrics are the best value of each run. In pieces, as there may be
    thousands of runs.
    """
    found: Dict[str, Any] = {}
    for (name, task), group in comparison.groups.items():
        environment = env_of(group.runs[0])
        algorithms = found.setdefault(environment, {}).setdefault(task, {})
        algorithms[name] = {
            f"run_{i}" if run.seed is None else f"seed_{run.seed}": (run, task)
            for i, run in enumerate(group.scored)
        }
    return pieces(found, lambda run: marl_eval_run(comparison, *run))


def pieces(tree: Any, leaf: Callable[[Any], Any], indent: str = "\n") -> Iterator[str]:
    """Return nested mappings as JSON; each leaf is made when its turn comes."""
    if not isinstance(tree, dict):
        yield json.dumps(leaf(tree))
        return
    for number, (key, below) in enumerate(tree.items()):
        yield f"{',' if number else '{'}{indent} {json.dumps(key)}: "
        yield from pieces(below, leaf, f"{indent} ")
    yield f"{indent}}}" if tree else "{}"


def marl_eval_run(comparison: Comparison, run: Any, task: str) -> Dict[str, Any]:
    """Return one run's steps, each with its count and the metric's values."""
    kept = run.steps <= LATE * comparison.horizons[task]
    steps, values = run.steps[kept], run.values[kept]
    seconds = run.seconds[kept] if run.seconds is not None else np.zeros(len(steps))
    rows = {
        f"step_{number}": {
            "step_count": int(step),
            "elapsed_time": round(float(second)),
            comparison.metric: [float(value)],
        }
        for number, (step, value, second) in enumerate(zip(steps, values, seconds))
    }
    best = values.min() if comparison.lower_is_better else values.max()
    return {**rows, "absolute_metrics": {comparison.metric: [float(best)]}}
