"""How an update's time and memory grow with agents, sequence length and batch.

    python -m benchmarks.growth CHECKOUT [--out CSV] [--figure PNG]

From 8 agents × 61 slots × 32 episodes, one of the three is varied at a time, published
against ours as `benchmarks.train_step` does it, each point in a process of its own. One
update must agree before; of batches this large, later ones need not: where two actions
are nearly equal, rounding decides which is greedy.
Time: median of `--rounds` turns. Memory: the peak of updates beyond what was there
before.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import statistics
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch

from . import train_step
from .published import Shape

BASE = Shape(8, 14, 128, 216, 61)
VARIED = {
    "n_agents": (2, 4, 8, 16, 32, 64),
    "slots": (51, 101, 201, 401, 1001),
    "episodes": (32, 64, 128, 256, 512),
}
FIELDS = "varied value published_ms ours_ms ratio published_mib ours_mib".split()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/growth.csv"))
    parser.add_argument("--figure", type=Path, default=Path("results/growth.png"))
    options = parser.parse_args()
    rows: List[Dict[str, Any]] = []
    for varied, values in VARIED.items():
        for value in values:
            shape = replace(BASE, **{varied: value})
            rows.append({"varied": varied, "value": value, **point(options, shape)})
            print("  ".join(f"{key} {rows[-1][key]}" for key in FIELDS), flush=True)
    for path in (options.out, options.figure):
        path.parent.mkdir(parents=True, exist_ok=True)
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, options.figure)


def point(options: Any, shape: Shape) -> Dict[str, Any]:
    """Time and memory of both at one shape, each measured in a new process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        times = pool.apply(_times, (options.checkout, shape, options.rounds))
    memory = [train_step.peak_memory(options.checkout, shape, "cpu", i) for i in (0, 1)]
    theirs, ours = (statistics.median(column) * 1e3 for column in zip(*times))
    return {
        "published_ms": round(theirs, 1),
        "ours_ms": round(ours, 1),
        "ratio": round(statistics.median(t / o for t, o in times), 2),
        "published_mib": round(memory[0]),
        "ours_mib": round(memory[1]),
    }


def _times(checkout: Path, shape: Shape, rounds: int) -> List[Tuple[float, float]]:
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    published, ours, batches = train_step.build(checkout, shape, "cpu")
    train_step.check_agreement(published, ours, batches[:1])
    return train_step.in_turns(published, ours, batches, rounds, "cpu")


def draw(rows: List[Dict[str, Any]], path: Path) -> None:
    """Time above, memory below; a column for each quantity that is varied."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(10, 5.5), sharex="col", sharey="row")
    titles = {
        "n_agents": "agents",
        "slots": "slots of an episode",
        "episodes": "episodes of a batch",
    }
    for column, (varied, title) in enumerate(titles.items()):
        own = [row for row in rows if row["varied"] == varied]
        x = [row["value"] for row in own]
        for line, unit in enumerate(("ms", "mib")):
            ax = axes[line][column]
            for side, colour in (("published", "#999999"), ("ours", "#0072b2")):
                y = [row[f"{side}_{unit}"] for row in own]
                ax.loglog(x, y, "o-", color=colour, label=side)
            ax.grid(alpha=0.3)
            ax.set_xticks(x, [str(value) for value in x])
            ax.minorticks_off()
        axes[1][column].set_xlabel(title)
    axes[0][0].set_ylabel("ms an update")
    axes[1][0].set_ylabel("peak memory [MiB]")
    axes[0][0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
