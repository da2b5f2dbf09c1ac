"""What a search leaves: the best settings as recipes, a table, a figure."""

from __future__ import annotations

import datetime
import io
import itertools
import os
from pathlib import Path
from typing import Any, Dict, List

import yaml

from wqmix.config.reading import one_line

from ..figures import COLOURS, counted, headless_pyplot, title_of, write_rows
from ..sweep.plan import flat
from .studies import Study
from .tuning import SAME_FOR_ALL, Tuned, Tuning, recipe_of

FIGURE, TRIALS = "tuning.png", "trials.csv"
OTHER_COLOUR = "#CC79A7"


def write(tuning: Tuning, studies: List[Study]) -> List[Path]:
    """Write a recipe for each algorithm with a result, a table, the figure."""
    folder, written = tuning.base.folder, []
    for study in studies:
        if study.best is not None:
            path = folder / f"{study.tuned.name}.yaml"
            replace(path, recipe(tuning, study).encode())
            written.append(path)
    table = rows(studies)
    if table:
        write_rows(folder / TRIALS, table)
        written.append(folder / TRIALS)
    if any(study.completed for study in studies):
        replace(folder / FIGURE, drawn(tuning, studies))
        written.append(folder / FIGURE)
    return written


def replace(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def rows(studies: List[Study]) -> List[Dict[str, Any]]:
    """Return what was tried, a line for each trial."""
    return [
        {
            "algorithm": study.tuned.name,
            "trial": trial.number,
            "state": trial.state.name,
            "score": trial.value,
            **trial.user_attrs,
            **trial.params,
        }
        for study in studies
        for trial in study.ended
    ]


def recipe(tuning: Tuning, study: Study) -> str:
    """Return a recipe's text: where it is from, and the settings of the best trial."""
    best, tuned = study.best, study.tuned
    assert best is not None
    seeds = counted(len(tuning.runs(tuned, best.params)), "seed")
    trials = counted(len(study.ended), "trial")
    searched = "; ".join(f"{key} {told(each)}" for key, each in tuned.space.items())
    lines = [
        f"Found by wqmix tune {tuning.base.name} for {tuned.name} on "
        f"{tuning.environment['config']}, {datetime.date.today().isoformat()}.",
        f"{trials} of {seeds} ({len(study.pruned)} pruned, {len(study.failed)} failed),"
        f" {counted(study.steps, 'step')}; trial {best.number} was the best: "
        f"{tuning.metric} {best.value:.4g} (chosen by it: fresh seeds may do worse).",
        f"Searched: {searched}.",
    ]
    body: Dict[str, Any] = {}
    if recipe_of(tuning, tuned) is not None:
        body["inherit"] = recipe_of(tuning, tuned)
    body["settings"] = nested({**fixed(tuning, tuned), **best.params})
    comment = "".join(f"# {one_line(line)}\n" for line in lines)
    return comment + yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def told(space: Any) -> str:
    """Return what was searched, as text."""
    if isinstance(space, list):
        return ", ".join(map(str, space))
    return f"{space['low']} … {space['high']}{' (log)' if space.get('log') else ''}"


def fixed(tuning: Tuning, tuned: Tuned) -> Dict[str, Any]:
    """Return the file's own settings, but for the task's and those that are free."""
    given: Dict[str, Any] = {}
    for entry in (tuning.sweep, tuning.environment, tuned.entry):
        given.update(flat(entry.get("settings", {}), "settings"))
    return {k: v for k, v in given.items() if k.split(".")[0] not in SAME_FOR_ALL}


def nested(values: Dict[str, Any]) -> Dict[str, Any]:
    """Return {"a.b": 1} as {a: {b: 1}}."""
    found: Dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        below = found
        for parent in parents:
            below = below.setdefault(parent, {})
        below[last] = value
    return found


# The figure ---------------------------------------------------------------------------


def drawn(tuning: Tuning, studies: List[Study]) -> bytes:
    """Draw each algorithm's trials, and how much each setting mattered, as PNG."""
    pyplot = headless_pyplot()
    rows = len(studies)
    figure, axes = pyplot.subplots(
        rows, 2, figsize=(9, 2.8 * rows), squeeze=False, layout="constrained"
    )
    for (left, right), study in zip(axes, studies):
        left.sharey(axes[0, 0])
        draw_history(left, tuning, study)
        draw_importances(right, study)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    pyplot.close(figure)
    return buffer.getvalue()


def draw_history(axes: Any, tuning: Tuning, study: Study) -> None:
    """Draw scores in the order of the trials, the best so far, what was pruned."""
    colour = COLOURS.get(study.tuned.name, OTHER_COLOUR)
    order = {trial.number: place for place, trial in enumerate(study.ended, start=1)}
    places = [order[trial.number] for trial in study.completed]
    scores = [trial.value for trial in study.completed]
    best = min if tuning.lower_is_better else max
    so_far = list(itertools.accumulate(scores, best))
    axes.scatter(places, scores, s=14, color=colour, label="score")
    axes.step(places, so_far, where="post", color=colour, label="best so far")
    for kind, tone in ((study.pruned, "0.88"), (study.failed, "#F5C6C6")):
        for trial in kind:
            axes.axvline(order[trial.number], color=tone, linewidth=3, zorder=0)
    title = f"{title_of(study.tuned.name)}: {counted(len(order), 'trial')}"
    said = f"{len(study.pruned)} pruned (grey), {len(study.failed)} failed (red)"
    axes.set_title(f"{title}, {said}", fontsize=10)
    axes.set(xlabel="trial", ylabel=tuning.metric)
    axes.set_xlim(0.5, max(tuning.trials, len(order)) + 0.5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    if scores:
        axes.legend(fontsize="small", frameon=False)


def draw_importances(axes: Any, study: Study) -> None:
    """Draw bars of PED-ANOVA's importances."""
    found = study.importances()
    axes.set_title("importance (PED-ANOVA)", fontsize=10)
    if not found:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few trials to say", ha="center", color="0.4")
        return
    names = list(found)[::-1]
    axes.barh(names, [found[name] for name in names], color="0.6", height=0.5)
    axes.set_xlim(0, 1)
    axes.spines[["top", "right"]].set_visible(False)
