"""Pictures of an episode: a GIF of drawn frames, and the drawings of our own games."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

from ...errors import ConfigError
from ...host.envs.payoffs import payoff_tensor
from ..figures import COLOURS, headless_pyplot

AGENT, PREY, GOOD, BAD = (
    COLOURS["cw_qmix"],
    COLOURS["vdn"],
    COLOURS["ow_qmix"],
    COLOURS["qmix"],
)
DOTS_PER_INCH = 90
LAST_FRAMES = 6  # how often the last one is shown, so that it can be read
LARGEST = 480  # pixels of an environment's own pictures
TITLE = {"fontsize": "medium"}  # utilities of three actions fit
LEGEND_MARKER = 60  # points squared, whatever the size on the grid


def write_gif(
    out: Path,
    fps: float,
    size: Tuple[float, float],
    frames: Callable[[Any], Iterator[None]],
) -> None:
    """Write what `frames(figure)` draws, one picture each time that it yields."""
    from matplotlib.animation import PillowWriter

    pyplot = headless_pyplot()
    figure = pyplot.figure(figsize=size, layout="constrained")
    writer = PillowWriter(fps=fps)  # type: ignore[arg-type]  # it takes fractions
    try:
        with writer.saving(figure, str(out), DOTS_PER_INCH):
            for _ in frames(figure):
                writer.grab_frame()
            for _ in range(LAST_FRAMES):
                writer.grab_frame()
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def set_title(axes: Any, reward: np.ndarray, t: int) -> None:
    """Say above the picture after `t` steps what they have paid."""
    last = reward[t - 1] if t else 0.0
    paid = f"   reward {last:+g}" if last else ""
    colour = "black" if not last else GOOD if last > 0 else BAD
    axes.set_title(f"step {t}   return {reward[:t].sum():g}{paid}", color=colour)


def pictures(shown: List[np.ndarray], reward: np.ndarray) -> Any:
    """Return the figure's size and the drawing of an environment's own pictures.

    Args:
        shown: what it rendered before each step and after the last one [H, W, 3].
        reward: of each step [T].
    """
    height, width = shown[0].shape[:2]

    def frames(figure: Any) -> Iterator[None]:
        axes = figure.add_subplot()
        axes.set_axis_off()
        image = axes.imshow(shown[0])
        for t, picture in enumerate(shown):
            image.set_data(picture)
            set_title(axes, reward, t)
            yield

    return (4.6, 4.6 * height / width + 0.3), frames


# Predator-prey ------------------------------------------------------------------------


def predator_prey(env_args: Dict[str, Any], episode: Dict[str, np.ndarray]) -> Any:
    """Return the figure's size and the drawing of its frames: the grid at each step."""
    rows, columns = env_args["world_shape"]
    planes = episode["state"].reshape(-1, rows, columns, 3)

    def frames(figure: Any) -> Iterator[None]:
        axes = figure.add_subplot(aspect="equal")
        axes.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
        axes.set_xticks(np.arange(columns + 1) - 0.5, [])
        axes.set_yticks(np.arange(rows + 1) - 0.5, [])
        axes.grid(color="0.85")
        axes.tick_params(length=0)
        size = 200 * 100 / max(rows, columns) ** 2
        agents = axes.scatter([], [], s=size, c=AGENT, label="agents")
        prey = axes.scatter([], [], s=size, c=PREY, marker="s", label="prey")
        legend = {"loc": "outside lower center", "ncols": 2, "frameon": False}
        figure.legend(markerscale=(LEGEND_MARKER / size) ** 0.5, **legend)
        for t, grid in enumerate(planes):
            for dots, plane in ((agents, 0), (prey, 1)):
                dots.set_offsets(np.argwhere(grid[..., plane])[:, ::-1])
            set_title(axes, episode["reward"], t)
            yield

    return (4.6, 4.6 * rows / columns + 0.8), frames


# Matrix games -------------------------------------------------------------------------


def matrix_game(env_args: Dict[str, Any], episode: Dict[str, np.ndarray]) -> Any:
    """Return the figure's size and the drawing of its frames.

    First the payoffs, then each agent's choice beside what it thinks of its actions,
    at last what the joint action pays. A panel for each choice of the agents after the
    second.
    """
    payoff = payoff_tensor(env_args["game"], env_args["payoff"])
    actions, utilities = episode["actions"][0], episode["utilities"]
    others = list(itertools.product(*map(range, payoff.shape[2:])))

    def frames(figure: Any) -> Iterator[None]:
        panels = figure.subplots(1, len(others), squeeze=False)[0]
        for axes, rest in zip(panels, others):
            draw_payoffs(axes, payoff, rest)
        figure.suptitle("the payoffs", **TITLE)
        yield
        for agent, action in enumerate(actions):
            own = ", ".join(f"{q:.1f}" for q in utilities[agent, : payoff.shape[agent]])
            text = f"agent {agent + 1}: utilities {own}, plays {action + 1}"
            figure.suptitle(text, **TITLE)
            for axes, rest in zip(panels, others):
                mark_choice(axes, payoff.shape, rest, agent, action)
            yield
        paid, best = payoff[tuple(actions)], payoff.max()
        colour = GOOD if paid == best else BAD
        mark_joint(panels[others.index(tuple(actions[2:]))], actions, colour)
        text = f"together: {paid:g}, of at most {best:g}"
        figure.suptitle(text, color=colour, **TITLE)
        yield

    width = max(3.4, 0.9 * payoff.shape[1] + 0.8)
    return (width * len(others), 0.9 * payoff.shape[0] + 1.2), frames


def draw_payoffs(axes: Any, payoff: np.ndarray, rest: Tuple[int, ...]) -> None:
    """Draw the table of the first two agents' actions, with numbers in it."""
    place: Tuple[Any, ...] = (slice(None), slice(None), *rest)
    table = payoff[place]
    axes.imshow(
        table, cmap="Blues", vmin=payoff.min(), vmax=2 * payoff.max() - payoff.min()
    )
    for (row, column), value in np.ndenumerate(table):
        axes.text(column, row, f"{value:g}", ha="center", va="center")
    axes.set_xticks(range(table.shape[1]), range(1, table.shape[1] + 1))
    axes.set_yticks(range(table.shape[0]), range(1, table.shape[0] + 1))
    axes.set(xlabel="agent 2", ylabel="agent 1")
    if rest:
        names = [f"agent {k + 3} plays {action + 1}" for k, action in enumerate(rest)]
        axes.set_title(", ".join(names), fontsize="small")


def mark_choice(
    axes: Any, shape: Tuple[int, ...], rest: Tuple[int, ...], agent: int, action: int
) -> None:
    """Frame the chosen row or column; of a later agent, fade the other panels."""
    if agent >= 2:
        if rest[agent - 2] != action:
            for artist in (*axes.images, *axes.texts, *axes.patches):
                artist.set_alpha(0.25)
        return
    corner = (-0.5, action - 0.5) if agent == 0 else (action - 0.5, -0.5)
    size = (shape[1], 1) if agent == 0 else (1, shape[0])
    frame(axes, corner, size, AGENT, 2)


def mark_joint(axes: Any, actions: np.ndarray, colour: str) -> None:
    """Frame the cell that is played."""
    frame(axes, (actions[1] - 0.5, actions[0] - 0.5), (1, 1), colour, 4)


def frame(
    axes: Any,
    corner: Tuple[float, float],
    size: Tuple[float, float],
    colour: str,
    width: float,
) -> None:
    from matplotlib.patches import Rectangle

    edge = Rectangle(corner, *size, fill=False, edgecolor=colour, lw=width, zorder=3)
    edge.set_clip_on(False)
    axes.add_patch(edge)


GAMES = {"predator_prey": predator_prey, "matrix_game": matrix_game}
