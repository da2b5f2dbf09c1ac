"""Figures: tables side by side, and the distribution of alpha thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

import numpy as np

from .errors import TheoryError
from .projection import decentralised_actions, greedy_actions, is_monotonic

Panel = Tuple[str, np.ndarray]


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise TheoryError(
            "figures need matplotlib: pip install 'pymarl-wqmix[theory]', "
            "or pass --no-figure"
        ) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, bbox_inches="tight")
    except (OSError, ValueError) as error:
        raise TheoryError(f"cannot write the figure {path}: {error}") from None
    _pyplot().close(figure)


def flat(table: np.ndarray) -> np.ndarray:
    """A table of any number of agents as a matrix: agent 0 down, the rest across."""
    return table.reshape(len(table), -1)


def draw_tables(panels: Sequence[Panel], path: Path) -> None:
    """Heat maps of tables on one colour scale, the first being the payoff.

    A solid frame marks the joint actions that attain the table's maximum, a dot what
    decentralised agents play (where the table is monotonic).
    """
    pyplot = _pyplot()
    wide = flat(panels[0][1]).shape[1]
    columns = max(1, min(len(panels), 4, 16 // wide + 1))
    rows = -(-len(panels) // columns)
    low = min(table.min() for _, table in panels)
    high = max(table.max() for _, table in panels)
    cell = 0.75 if wide <= 4 else 0.55
    size = (columns * (wide * cell + 0.6), rows * (len(panels[0][1]) * cell + 0.9))
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, table) in zip(axes.flat, panels):
        _draw_table(axis, title, table, (low, high))
    figure.tight_layout()
    _save(figure, path)


def _draw_table(
    axis: Any, title: str, table: np.ndarray, limits: Tuple[float, float]
) -> None:
    pyplot = _pyplot()
    matrix = flat(table)
    axis.imshow(matrix, cmap="viridis", vmin=limits[0], vmax=limits[1])
    middle = (limits[0] + limits[1]) / 2
    for (row, column), value in np.ndenumerate(matrix):
        colour = "black" if value > middle else "white"
        axis.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour)
    for action in greedy_actions(table):
        row, column = _place(action, table.shape)
        frame = pyplot.Rectangle((column - 0.46, row - 0.46), 0.92, 0.92)
        frame.set(fill=False, edgecolor="red", linewidth=2)
        axis.add_patch(frame)
    for action in decentralised_actions(table) if is_monotonic(table) else ():
        row, column = _place(action, table.shape)
        axis.plot(column + 0.33, row - 0.33, "o", color="red", markersize=5)
    axis.set_title(title, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def _place(action: Sequence[int], shape: Sequence[int]) -> Tuple[int, int]:
    return action[0], int(np.ravel_multi_index(action[1:], shape[1:]))


def draw_thresholds(found: Dict[str, np.ndarray], title: str, path: Path) -> None:
    """Share of tables whose largest alpha is at least alpha, one curve per label."""
    pyplot = _pyplot()
    figure, axis = pyplot.subplots(figsize=(6.4, 4))
    grid = np.logspace(-3, 0, 301)
    for label, alphas in found.items():
        share = [(np.nan_to_num(alphas) >= alpha).mean() for alpha in grid]
        axis.plot(grid, share, label=label, linestyle=_style(label), linewidth=2)
    axis.set(xscale="log", xlabel="alpha", ylabel="share of tables", title=title)
    axis.set_ylim(0, 1.03)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    _save(figure, path)


def _style(label: str) -> str:
    return "-" if "attains" in label else "--"
