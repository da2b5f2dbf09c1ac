"""Steps per second of SMAC's maps: skirmish against SMAClite and SMAX, in turns.

    OMP_NUM_THREADS=1 taskset -c 0 python -m benchmarks.skirmish [MAP …] [--copies 32]

One process, one core. Each side plays whole episodes of random available actions, in
turns; the first turn, which compiles, is dropped. Counted are steps of episodes that go
on, with observations, state and masks. SMAClite steps one battle, the others `--copies`
at once; SMAX has other rules, and only a few of the maps. What is not installed is left
out, with a line that says so.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any, Callable, Dict, Optional

import numpy as np

from wqmix.host import envs
from wqmix.host.errors import HostError

MAPS = ("2s3z", "3s5z", "MMM2", "corridor")
SMAX_MAPS = ("2s3z", "3s5z", "3s5z_vs_3s6z", "10m_vs_11m", "27m_vs_30m")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("maps", nargs="*", metavar="MAP", default=MAPS)
    parser.add_argument("--copies", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a turn at least")
    options = parser.parse_args()
    print(f"{options.copies} copies, {options.turns} turns; medians (range of turns)")
    print("| map | skirmish | SMAClite | ratio | SMAX | ratio |")
    print("|---|---|---|---|---|---|")
    for name in options.maps:
        print(row(name, options), flush=True)


def row(name: str, options: argparse.Namespace) -> str:
    """A line of the table: steps/s of each side, and our ratios to the others."""
    sides: Dict[str, Optional[Callable[[float], float]]] = {
        "skirmish": side("skirmish", name, options.copies),
        "smaclite": side("smaclite", name, 1),
        "smax": side("smax", name, options.copies) if name in SMAX_MAPS else None,
    }
    rates: Dict[str, list] = {key: [] for key, play in sides.items() if play}
    for _ in range(options.turns + 1):
        for key in rates:
            rates[key].append(sides[key](options.seconds))
    ours = rates["skirmish"][1:]
    cells = [name, spread(ours, ",.0f")]
    for key in ("smaclite", "smax"):
        theirs = rates.get(key, [])[1:]
        ratios = [mine / their for mine, their in zip(ours, theirs)]
        cells += [spread(theirs, ",.0f"), spread(ratios, ".1f")]
    return f"| {' | '.join(cells)} |"


def spread(values: list, form: str) -> str:
    if not values:
        return "–"
    low, high = min(values), max(values)
    return f"{statistics.median(values):{form}} ({low:{form}}–{high:{form}})"


def side(env: str, map_name: str, copies: int) -> Optional[Callable[[float], float]]:
    """What plays for so many seconds and returns steps per second; None: not there."""
    env_args = {"map_name": map_name, "seed": 1}
    try:
        if copies > 1:
            batch = envs.BATCH_REGISTRY[env](copies, **env_args)
            return lambda seconds: play_batch(batch, copies, seconds)
        game = envs.REGISTRY[env](**env_args)
    except HostError as error:
        print(f"{env}: {error}", file=sys.stderr)
        return None
    return lambda seconds: play_one(game, seconds)


def play_batch(batch: Any, copies: int, seconds: float) -> float:
    random, steps, started = np.random.default_rng(1), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        batch.reset()
        running = np.ones(copies, dtype=bool)
        while running.any():
            steps += int(running.sum())
            batch.get_obs(), batch.get_state()
            running = ~batch.step(available(random, batch.get_avail_actions()))[1]
    return steps / (time.perf_counter() - started)


def play_one(game: Any, seconds: float) -> float:
    random, steps, started = np.random.default_rng(1), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        game.reset()
        over = False
        while not over:
            steps += 1
            game.get_obs(), game.get_state()
            _, over, _ = game.step(available(random, game.get_avail_actions()))
    return steps / (time.perf_counter() - started)


def available(random: np.random.Generator, masks: Any) -> np.ndarray:
    """Random available actions: masks [..., A, U] -> [..., A]."""
    masks = np.asarray(masks)
    return (random.random(masks.shape) * masks).argmax(axis=-1)


if __name__ == "__main__":
    main()
