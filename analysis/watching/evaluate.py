"""`wqmix evaluate CHECKPOINT`: its episodes one by one, as a table and a summary."""

from __future__ import annotations

import argparse
import math
import numbers
from pathlib import Path
from statistics import NormalDist, mean, stdev
from typing import Any, Dict, List

import numpy as np
from tqdm import tqdm

from ...config.reading import one_line
from ...errors import ConfigError
from ...host.playing import RUNNERS, Player, settings
from ...host.utils.checkpoints import find
from ..figures import columns, counted, write_rows
from .episodes import guarded, parse

TERMINATION, TIME = "termination", "time limit"
Z = NormalDist().inv_cdf(0.975)
Rows = List[Dict[str, Any]]
EPILOG = """\
examples:
  wqmix evaluate results/models/cw_qmix__2026-11-21_10-00-00__1
  wqmix evaluate results/models/<run>/200000 --episodes 500 --out harder.csv with \\
      env_args.miscapture_punishment=-3 runner=vector batch_size_run=10

After `with`: env_args.KEY=value, runner, batch_size_run, worker_timeout,
worker_restarts. Code (env_args.entry_point, say) is never taken from a checkpoint:
repeat it here."""


def main(argv: List[str]) -> int:
    """Play and tell; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wqmix evaluate",
        description="Play episodes with a checkpoint's agents: a CSV with a row for "
        "each, and a summary.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--episodes", type=int, default=100, help="how many (100)")
    parser.add_argument(
        "--epsilon", type=float, default=0, help="of random actions; 0: greedy"
    )
    parser.add_argument("--out", type=Path, default=Path("evaluation.csv"))
    arguments = parse(parser, argv)
    return guarded(lambda: command(arguments))


def command(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    out, count, epsilon = arguments.out, arguments.episodes, arguments.epsilon
    if count < 1:
        raise ConfigError(f"--episodes {count}: at least 1 is needed")
    if out.is_dir() or not out.resolve().parent.is_dir():
        raise ConfigError(f"--out {out}: a file in a folder that exists is needed")
    path, facts = find(arguments.checkpoint)
    config = settings(
        facts,
        path,
        arguments.words,
        arguments.env_config,
        settable=RUNNERS,
        seed=arguments.seed,
        epsilon=epsilon,
    )
    rows = evaluate(config, path, facts, count)
    write(rows, out)
    how = f"ε = {epsilon:g}" if epsilon else "greedy"
    how = f"{counted(count, 'episode')}, {how}, seed {arguments.seed}"
    print(f"{path} in {config['env']}: {how}")
    print("\n".join(summary(rows)))
    print(out)


def evaluate(config: Dict[str, Any], path: str, facts: Any, count: int) -> Rows:
    """Play; return a row for each episode."""
    seed, rows = config["env_args"]["seed"], []
    with Player(config, path, facts) as player:
        for episode in tqdm(player.episodes(count), total=count, disable=None):
            row = {
                "episode": episode.number,
                "seed": seed,
                "return": episode.total,
                "length": episode.length,
                "ended": TIME if episode.is_by_time else TERMINATION,
            }
            rows.append({**row, **own_numbers(episode.info, row)})
    return rows


def own_numbers(info: Dict[str, Any], row: Dict[str, Any]) -> Dict[str, Any]:
    """Return an environment's numbers; a name that is taken gets `info_` before it."""
    return {
        f"info_{key}" if key in row else one_line(key): float(value)
        for key, value in info.items()
        if isinstance(value, (numbers.Real, np.bool_)) and key != "episode_limit"
    }


def write(rows: Rows, out: Path) -> None:
    """Write the rows as CSV, whole or not at all."""
    try:
        write_rows(out, rows)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from None


# The summary --------------------------------------------------------------------------


def summary(rows: Rows) -> List[str]:
    """Return lines: the mean of each column, with its interval."""
    lines = []
    for key in columns(rows):
        values = [row[key] for row in rows if key in row]
        if key == "ended":
            by_time = values.count(TIME)
            ends = f"{TERMINATION} {len(values) - by_time}, {TIME} {by_time}"
            lines.append(f"{'ended by':16} {ends}")
        elif key not in ("episode", "seed"):
            is_own = key not in ("return", "length")
            lines.append(f"{key:16} {told(values, may_be_share=is_own)}")
    return lines


def told(values: List[float], may_be_share: bool) -> str:
    """Return a mean and its 95 % interval; Wilson's where all are 0 or 1."""
    if may_be_share and set(values) <= {0.0, 1.0}:
        low, high = share_interval(sum(values), len(values))
    elif len(values) == 1:
        return f"{values[0]:9.4g}  (one episode has no interval)"
    else:
        low, high = mean_interval(values)
    return f"{mean(values):9.4g}  95 % interval {low:.4g} to {high:.4g}"


def mean_interval(values: List[float]) -> Any:
    """The normal 95 % interval of a mean, m ± 1.96 s / √n."""
    half = Z * stdev(values) / math.sqrt(len(values))
    return mean(values) - half, mean(values) + half


def share_interval(successes: float, n: int) -> Any:
    """Wilson's 95 % interval of a share; it has a width though all are equal."""
    p, z2 = successes / n, Z * Z
    centre, half = p + z2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
