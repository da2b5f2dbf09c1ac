"""Train for an hour and watch what the process holds and how fast it is.

    python -m benchmarks.soak --minutes 60 --out results/soak

Every `--sample` seconds: resident memory and open files of the process tree, steps for
each second of processor time and of wall time, size of sacred's info.json. At the end a
table, a CSV and a figure. Exploration stays at 1, so that the work in a step stays the
same and the rate of steps can be compared from the beginning to the end.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List

from .processes import TICKS, Tree

SETTINGS = [
    "env_args.world_shape=[5,5]",
    "env_args.n_agents=4",
    "env_args.n_prey=2",
    "env_args.episode_limit=50",
    "runner=vector",
    "batch_size_run=8",
    "buffer_size=500",
    "epsilon_finish=1.0",
    "t_max=1000000000",
    "test_interval=20000",
    "test_nepisode=8",
    "save_model=True",
    "save_model_interval=200000",
    "use_cuda=False",
    "seed=1",
]
PROGRESS = re.compile(r"Recent Stats \| t_env:\s*(\d+)")


def main() -> int:
    """Run, print and write; exit code 1 if the run ended by itself."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--minutes", type=float, default=60)
    add("--warm-up", type=float, default=10, help="minutes that are not judged")
    add("--sample", type=float, default=30, help="seconds between two samples")
    add("--config", default="cw_qmix")
    add("--env", default="predator_prey")
    add("--out", type=Path, default=Path("results/soak"))
    add("settings", nargs="*", help="key=value, over those of this script")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows, code = soak(options)
    write(rows, options)
    print(f"exit code after SIGTERM: {code}")
    return 0 if code == 128 + signal.SIGTERM else 1


def soak(options: Any) -> Any:
    """Train; return the samples and the exit code."""
    results = options.out / "run"
    command = [sys.executable, "-m", "wqmix", f"--config={options.config}"]
    command += [f"--env-config={options.env}", "with", *SETTINGS]
    command += [f"local_results_path={results}", *options.settings]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True
    )
    watch = Watch(process)
    started = time.monotonic()
    rows: List[Dict[str, float]] = []
    while time.monotonic() - started < 60 * options.minutes:
        time.sleep(options.sample)
        if not watch.next_progress(timeout=120):
            break
        rows.append({**watch.sample(started), "info_mb": info_size(results) / 1e6})
        print("  ".join(f"{key} {value:.6g}" for key, value in rows[-1].items()))
    process.send_signal(signal.SIGTERM)
    return rows, process.wait(timeout=60)


def info_size(results: Path) -> int:
    """Bytes of sacred's info.json."""
    return sum(path.stat().st_size for path in results.glob("sacred/*/info.json"))


class Watch:
    """Reads a run's console, and what its processes use."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.t_env, self.cpu, self.wall = 0, 0.0, time.monotonic()
        self.before = (0, 0.0, self.wall)
        self.progressed = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            found = PROGRESS.search(line)
            if found and not self.progressed.is_set():
                self.t_env = int(found.group(1))
                self.cpu, self.wall = Tree(self.process.pid).cpu, time.monotonic()
                self.progressed.set()

    def next_progress(self, timeout: float) -> bool:
        """Wait for the next summary on the console; False if none comes."""
        self.progressed.clear()
        return self.progressed.wait(timeout)

    def sample(self, started: float) -> Dict[str, float]:
        """Rates since the last sample, and what is held now."""
        t_env, cpu, wall = self.before
        now = self.before = (self.t_env, self.cpu, self.wall)
        tree = Tree(self.process.pid)
        return {
            "minutes": (now[2] - started) / 60,
            "t_env": now[0],
            "rss_mb": tree.rss / 1e6,
            "files": tree.files,
            "threads": tree.threads,
            "steps_per_cpu_s": (now[0] - t_env) / max(now[1] - cpu, 1 / TICKS),
            "steps_per_s": (now[0] - t_env) / (now[2] - wall),
        }


def write(rows: List[Dict[str, float]], options: Any) -> None:
    """Print the drift, and write all samples and a figure."""
    with open(options.out / "soak.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    judged = [row for row in rows if row["minutes"] >= options.warm_up] or rows
    fifth = max(1, len(judged) // 5)
    print(f"\n{len(judged)} samples after {options.warm_up:g} minutes of warm-up")
    for key in ("rss_mb", "files", "threads", "steps_per_cpu_s", "steps_per_s"):
        values = [row[key] for row in judged]
        first, last = mean(values[:fifth]), mean(values[-fifth:])
        print(
            f"{key:16} first fifth {first:10.2f}  last fifth {last:10.2f}  "
            f"change {last / first - 1:+.2%}  range {min(values):.2f}-{max(values):.2f}"
        )
    draw(rows, options.out / "soak.png")


def mean(values: List[float]) -> float:
    return sum(values) / len(values)


def draw(rows: List[Dict[str, float]], path: Path) -> None:
    """Memory and step rates over time."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 7))
    minutes = [row["minutes"] for row in rows]
    for axis, keys in zip(
        axes, (["rss_mb"], ["steps_per_cpu_s", "steps_per_s"], ["info_mb"])
    ):
        for key in keys:
            axis.plot(minutes, [row[key] for row in rows], label=key)
        axis.set_ylim(bottom=0)
        axis.legend(loc="lower right")
    axes[-1].set_xlabel("minutes")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    sys.exit(main())
