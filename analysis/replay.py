"""`wqmix replay CHECKPOINT`: one greedy episode of a game of ours, as a GIF."""

from __future__ import annotations

import argparse
import itertools
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np
import yaml

from ..errors import CheckpointError, ConfigError, WQMixError
from ..host.envs.payoffs import payoff_tensor
from ..host.errors import HostError
from ..host.utils.checkpoints import nearest_step, verify
from .figures import COLOURS, headless_pyplot

AGENT, PREY, GOOD, BAD = (
    COLOURS["cw_qmix"],
    COLOURS["vdn"],
    COLOURS["ow_qmix"],
    COLOURS["qmix"],
)
DOTS_PER_INCH = 90
LAST_FRAMES = 6  # how often the last one is shown, so that it can be read
EPILOG = """\
examples:
  wqmix replay results/models/cw_qmix__2026-11-21_10-00-00__1
  wqmix replay results/models/<run>/200000 --out prey.gif --seed 3 --fps 10"""


def main(argv: List[str]) -> int:
    """Draw an episode; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wqmix replay",
        description="Play one greedy episode of predator_prey or matrix_game with the "
        "networks of a checkpoint, and draw it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint", help="results/models/<run>/<step>, or <run>: its last step"
    )
    parser.add_argument("--out", type=Path, default=Path("replay.gif"), help="the GIF")
    parser.add_argument("--seed", type=int, default=0, help="of the episode")
    parser.add_argument("--fps", type=float, default=5, help="frames per second")
    arguments = parser.parse_args(argv)
    try:
        told = replay(
            arguments.checkpoint, arguments.out, arguments.seed, arguments.fps
        )
    except (WQMixError, HostError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(told)
    return 0


def replay(checkpoint: str, out: Path, seed: int = 0, fps: float = 5) -> str:
    """Play and draw; return what happened, as a line.

    Raises:
        WQMixError, HostError: a checkpoint that cannot be used, a game that cannot be
            drawn, or a file that cannot be written.
    """
    check_output(out, fps)
    path, config = configuration(checkpoint)
    game = config["env"]
    if game not in GAMES:
        raise ConfigError(
            f"{checkpoint} was trained on {game!r}: only {' and '.join(GAMES)} can be "
            "drawn"
        )
    episode = play(path, config, seed)
    title, frames = GAMES[game](config["env_args"], episode)
    write_gif(out, fps, title, frames)
    length, total = len(episode["reward"]), episode["reward"].sum()
    return f"{out}: {length} steps, return {total:g}, from {path}"


def check_output(out: Path, fps: float) -> None:
    """Refuse what could only fail once the episode is played."""
    try:
        headless_pyplot()
    except ImportError as error:
        raise ConfigError(
            f"replay needs matplotlib ({error}): pip install 'pymarl-wqmix[plots]'"
        ) from None
    if out.suffix != ".gif" or not out.resolve().parent.is_dir():
        raise ConfigError(f"--out {out}: a .gif file in a folder that exists is needed")
    if not 0 < fps <= 100:
        raise ConfigError(f"--fps {fps:g}: it must be over 0 and at most 100")


def configuration(checkpoint: str) -> Tuple[str, Dict[str, Any]]:
    """Return a checkpoint's folder and the settings that it was trained with."""
    path = os.path.abspath(checkpoint)
    if not os.path.basename(path).isdigit():
        path = os.path.join(path, str(nearest_step(path, 0)))
    facts = verify(path)
    if not facts or "env" not in facts.get("config", {}):
        raise CheckpointError(
            f"{checkpoint}: holds no settings; only checkpoints of the embedded host do"
        )
    return path, facts["config"]


def play(path: str, config: Dict[str, Any], seed: int) -> Dict[str, np.ndarray]:
    """Play one greedy episode with a checkpoint's networks.

    Returns:
        `state` [T+1, S], `actions` [T, A], `reward` [T], and `utilities` [A, U], what
        the agents think of their actions in the first step.
    """
    import torch

    from .. import get_runner

    logging.getLogger("pymarl").setLevel(logging.WARNING)
    changes = {"runner": "episode", "batch_size_run": 1, "use_cuda": False}
    changes["buffer_size"] = config["batch_size"]  # nothing is put into it
    settings = {**config, **changes}
    settings["env_args"] = {**config["env_args"], "seed": seed}
    with tempfile.TemporaryDirectory(prefix="wqmix-replay-") as folder:
        file = Path(folder) / "settings.yaml"
        file.write_text(yaml.safe_dump(settings), encoding="utf-8")
        runner = get_runner(str(file), config["env"], seed=seed)
    with runner, torch.no_grad():
        runner.load(path)
        batch = runner.rollout()
        runner.learner.mac.init_hidden(1)
        utilities = runner.learner.mac.forward(batch, t=0)[0]
    length = int(batch["filled"][0].sum()) - 1
    return {
        "state": batch["state"][0, : length + 1].numpy(),
        "actions": batch["actions"][0, :length, :, 0].numpy(),
        "reward": batch["reward"][0, :length, 0].numpy(),
        "utilities": utilities.numpy(),
    }


def write_gif(
    out: Path, fps: float, size: Tuple[float, float], frames: Callable[[Any], Iterator]
) -> None:
    """Write what `frames(figure)` draws, one picture each time that it yields."""
    from matplotlib.animation import PillowWriter

    pyplot = headless_pyplot()
    figure = pyplot.figure(figsize=size, layout="constrained")
    writer = PillowWriter(fps=fps)
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
        legend = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "frameon": False}
        axes.legend(ncol=2, **legend)
        for t, grid in enumerate(planes):
            for dots, plane in ((agents, 0), (prey, 1)):
                dots.set_offsets(np.argwhere(grid[..., plane])[:, ::-1])
            reward = episode["reward"][t - 1] if t else 0.0
            total = episode["reward"][:t].sum()
            paid = f"   reward {reward:+g}" if reward else ""
            colour = "black" if not reward else GOOD if reward > 0 else BAD
            axes.set_title(f"step {t}   return {total:g}{paid}", color=colour)
            yield

    return (4.6, 4.6 * rows / columns + 0.6), frames


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
        figure.suptitle("the payoffs")
        yield
        for agent, action in enumerate(actions):
            own = ", ".join(f"{q:.1f}" for q in utilities[agent, : payoff.shape[agent]])
            figure.suptitle(f"agent {agent + 1}: utilities {own}, plays {action + 1}")
            for axes, rest in zip(panels, others):
                mark_choice(axes, payoff.shape, rest, agent, action)
            yield
        paid, best = payoff[tuple(actions)], payoff.max()
        colour = GOOD if paid == best else BAD
        mark_joint(panels[others.index(tuple(actions[2:]))], actions, colour)
        text = f"together: {paid:g}, of at most {best:g}"
        figure.suptitle(text, color=colour)
        yield

    width = max(3.4, 0.9 * payoff.shape[1] + 0.8)
    return (width * len(others), 0.9 * payoff.shape[0] + 1.2), frames


def draw_payoffs(axes: Any, payoff: np.ndarray, rest: Tuple[int, ...]) -> None:
    """Draw the table of the first two agents' actions, with numbers in it."""
    table = payoff[(slice(None), slice(None), *rest)]
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
