"""Predator–prey rollouts: the published episode runner against our vector runner.

    python -m benchmarks.rollout CHECKOUT

CHECKOUT is a folder with oxwhirl/wqmix, whose environment and runner are its own. Each
side lives in a process of its own, as a run does, and they play in turns, without
updates. Printed: environment steps per second, their ratio and its range over the
turns, and what a million steps take.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
import warnings
from pathlib import Path
from typing import Any, Callable, List, Tuple

import torch

from .published import OurRun, PublishedRun

MILLION = 1_000_000


def main() -> None:
    """Run the command line."""
    options = parser(__doc__).parse_args()
    print(header(options))
    published = Side(options.threads, PublishedRun, options.checkout)
    for copies in (32, 64, 128):
        ours = Side(options.threads, OurRun, copies)
        rates = in_turns(published, ours, 4, 2 * copies, False, options.turns)
        print(line(f"rollouts, {copies} copies", rates), flush=True)


def parser(description: str) -> argparse.ArgumentParser:
    """What both benchmarks of predator-prey take."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("checkout", type=Path)
    found.add_argument("--turns", type=int, default=5)
    found.add_argument("--threads", type=int, default=2)
    return found


def header(options: argparse.Namespace) -> str:
    """What was used."""
    return f"{options.threads} threads, PyTorch {torch.__version__}"


class Side:
    """One side of a comparison in a process of its own, idle while the other plays.

    Args:
        threads: of PyTorch.
        build: makes what plays, of `arguments`, in that process.
    """

    def __init__(self, threads: int, build: Callable, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, pipe = context.Pipe()
        target = (pipe, threads, build, arguments)
        context.Process(target=_serve, args=target, daemon=True).start()

    def play(self, episodes: int, train: bool) -> float:
        """Play; return environment steps per second."""
        return self._ask("play", episodes, train)

    def load(self, folder: Path) -> None:
        """Go on with the networks of a checkpoint of ours, and at its step."""
        self._ask("load", folder)

    def _ask(self, method: str, *arguments: Any) -> float:
        self._pipe.send((method, arguments))
        return self._pipe.recv()


def _serve(pipe: Any, threads: int, build: Callable, arguments: Tuple) -> None:
    torch.set_num_threads(threads)
    warnings.simplefilter("ignore")
    run = build(*arguments)
    while True:
        try:
            method, given = pipe.recv()
        except EOFError:  # the other end is gone
            return
        started = time.perf_counter()
        steps = getattr(run, method)(*given) or 0
        pipe.send(steps / (time.perf_counter() - started))


def in_turns(
    published: Side, ours: Side, theirs: int, mine: int, train: bool, turns: int
) -> List[Tuple[float, float]]:
    """Return (published, ours) steps per second of each turn; the first is dropped."""
    rates = [
        (published.play(theirs, train), ours.play(mine, train))
        for _ in range(turns + 1)
    ]
    return rates[1:]


def line(name: str, rates: List[Tuple[float, float]]) -> str:
    """Format the medians, the ratio with its range, and a million steps."""
    theirs, ours = (statistics.median(column) for column in zip(*rates))
    ratios = sorted(mine / their for their, mine in rates)
    return (
        f"{name:22} published {theirs:6.0f} steps/s, ours {ours:8.0f}; ratio "
        f"{statistics.median(ratios):6.1f} ({ratios[0]:.1f} – {ratios[-1]:.1f}); "
        f"1 M steps {MILLION / theirs / 60:.0f} → {MILLION / ours / 60:.1f} min"
    )


if __name__ == "__main__":
    main()
