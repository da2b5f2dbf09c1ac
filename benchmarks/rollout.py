"""Predator–prey rollouts: the published episode runner against our vector runner.

    python -m benchmarks.rollout CHECKOUT

CHECKOUT is a folder with oxwhirl/wqmix, whose environment and runner are its own. Both
play in turns in one process, without updates. Printed: environment steps per second,
their ratio and its range over the turns, and what a million steps take.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path
from typing import Any, List, Tuple

import torch

from .published import OurRun, PublishedRun

MILLION = 1_000_000


def main() -> None:
    """Run the command line."""
    options = parse(__doc__)
    published = PublishedRun(options.checkout)
    for copies in (32, 64, 128):
        rates = in_turns(published, OurRun(copies), 4, 2 * copies, False, options.turns)
        print(line(f"rollouts, {copies} copies", rates), flush=True)


def parse(description: str) -> argparse.Namespace:
    """Read the command line, and set the threads."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    print(f"{torch.get_num_threads()} threads, PyTorch {torch.__version__}")
    return options


def in_turns(
    published: Any, ours: Any, theirs: int, mine: int, train: bool, turns: int
) -> List[Tuple[float, float]]:
    """Return (published, ours) steps per second of each turn; the first is dropped."""
    rates = []
    for _ in range(turns + 1):
        turn = []
        for run, episodes in ((published, theirs), (ours, mine)):
            started = time.perf_counter()
            steps = run.play(episodes, train)
            turn.append(steps / (time.perf_counter() - started))
        rates.append((turn[0], turn[1]))
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
