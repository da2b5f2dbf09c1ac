"""Figures: tables side by side, and the distribution of alpha thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence, Tuple

import numpy as np

from ..config.extras import command
from .errors import TheoryError
from .tables import decentralised_actions, greedy_actions, is_monotonic

COLOURS = {"uniform": "tab:grey", "central": "tab:blue", "optimistic": "tab:orange"}
Panel = Tuple[str, np.ndarray]


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise TheoryError(
            f"figures need matplotlib: {command('theory')}, or pass --no-figure"
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


def draw_tables(panels: Sequence[Panel], title: str, path: Path) -> None:
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
    tall = len(panels[0][1])
    size = (columns * (wide * cell + 0.4), rows * (tall * cell + 0.8) + 0.4)
    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (name, table) in zip(axes.flat, panels):
        _draw_table(axis, name, table, (low, high))
    legend = "red frame: attains the maximum; red dot: what the agents play"
    figure.suptitle(f"{title}\n{legend}", fontsize=9)
    figure.tight_layout()
    _save(figure, path)


def _draw_table(
    axis: Any, name: str, table: np.ndarray, limits: tuple[float, float]
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
    axis.set_title(name, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def _place(action: Sequence[int], shape: Sequence[int]) -> tuple[int, int]:
    return action[0], int(np.ravel_multi_index(action[1:], shape[1:]))


def draw_thresholds(
    attained: dict[str, np.ndarray],
    played: dict[str, np.ndarray],
    alphas: Sequence[float],
    title: str,
    path: Path,
) -> None:
    """Per weighting: in which share of tables u* attains the maximum, or is played.

    ``attained`` holds each table's largest alpha, drawn as the share of tables whose
    threshold is alpha or more; ``played`` the share at each of ``alphas``.
    """
    pyplot = _pyplot()
    figure, axis = pyplot.subplots(figsize=(6.6, 4.2))
    grid = np.geomspace(min(alphas), 1, 301)
    for name, thresholds in attained.items():
        share = [(np.nan_to_num(thresholds) >= alpha).mean() for alpha in grid]
        style = {"color": COLOURS[name], "linewidth": 2}
        axis.plot(grid, share, label=f"{name}: u* attains the maximum", **style)
        label = f"{name}: the agents play u*"
        axis.plot(alphas, played[name], "o--", markersize=4, label=label, **style)
    axis.set(xscale="log", xlabel="alpha", ylabel="share of tables", title=title)
    axis.set_ylim(0, 1.03)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    _save(figure, path)
