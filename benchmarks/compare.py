"""`wqmix compare` on 200 run folders, or more: how long it takes, and how much memory.

    python -m benchmarks.compare [--runs N] [--keep FOLDER]

Written first: five algorithms on eight tasks with five seeds each (more for more runs),
200 tests a run and ten more metrics, as PyMARL (plain numbers), older hosts (numpy's
numbers as mappings) and EPyMARL (metrics.json with time stamps) leave them. Every
twentieth folder is that of a run that was killed: it ends early, and its info.json is
cut off. With --keep the folders stay, and are taken as they are the next time. Exit
code 1 if the report of 200 runs takes 30 seconds or more, of the clock.
"""

from __future__ import annotations

import argparse
import datetime
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

ALGORITHMS = {"iql": 0.25, "vdn": 0.45, "qmix": 0.5, "ow_qmix": 0.75, "cw_qmix": 0.8}
MAPS = "2s3z 3s5z 5m_vs_6m 8m_vs_9m MMM2 corridor 3s_vs_5z 6h_vs_8z".split()
TESTS, STEPS = 200, 2_000_000
OTHERS = "loss grad_norm td_error_abs q_taken_mean target_mean epsilon return_mean"
OTHERS += " return_std ep_length_mean test_ep_length_mean"
LIMIT = 30.0
START = datetime.datetime(2026, 1, 1, 23, 30)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="a multiple of 40")
    parser.add_argument("--keep", help="a folder for the runs and the report")
    options = parser.parse_args()
    folder = Path(options.keep or tempfile.mkdtemp())
    n_runs = len(list(folder.glob("sacred/*")))
    n_runs = n_runs or write_all(folder / "sacred", options.runs)
    size = sum(path.stat().st_size for path in (folder / "sacred").rglob("*.json"))
    command = ["-m", "wqmix", "compare", "sacred", "--out", "report"]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL
    )
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{n_runs} runs, {size / 1e6:.0f} MB: {seconds:.1f} s by the clock, "
        f"{used.ru_utime + used.ru_stime:.1f} s of processors, "
        f"{used.ru_maxrss / 1e3:.0f} MB of memory, exit {done.returncode}"
    )
    print(folder / "report" / "report.html")
    return int(done.returncode != 0 or (n_runs <= 200 and seconds >= LIMIT))


def write_all(sacred: Path, n_runs: int) -> int:
    """Write the folders; return how many."""
    seeds = n_runs // (len(MAPS) * len(ALGORITHMS))
    draw = np.random.default_rng(0)
    number = 0
    for task, name in enumerate(MAPS):
        for algorithm, level in ALGORITHMS.items():
            for seed in range(seeds):
                number += 1
                top = level * (1 - 0.08 * task) + draw.normal(0, 0.05)
                write_run(sacred / str(number), algorithm, name, seed, top, draw)
    return number


def write_run(
    folder: Path, algorithm: str, name: str, seed: int, top: float, draw: Any
) -> None:
    """Write one run's folder."""
    number = int(folder.name)
    is_killed = number % 20 == 0
    tests = TESTS // 2 if is_killed else TESTS
    steps = np.arange(tests) * (STEPS // TESTS) + draw.integers(0, 60, tests)
    rise = 1 / (1 + np.exp(-8 * (steps / STEPS - 0.35)))
    values = 20 * np.clip(top * rise + draw.normal(0, 0.02, tests), 0, 1)
    stop = START + datetime.timedelta(hours=5)
    config = {
        "name": algorithm,
        "env": "sc2",
        "env_args": {"map_name": name, "seed": seed},
        "seed": seed,
        "t_max": STEPS,
        "lr": 0.0005,
    }
    facts = {"status": "RUNNING" if is_killed else "COMPLETED"}
    facts["start_time"] = START.isoformat()
    facts["heartbeat"] = stop.isoformat()
    facts["stop_time"] = None if is_killed else stop.isoformat()
    columns = {"test_return_mean": values.tolist()}
    for other in OTHERS.split():
        columns[other] = draw.normal(size=tests).tolist()
    folder.mkdir(parents=True)
    form = (plain, as_mappings, plain)[number % 3]
    info = json.dumps(table(columns, steps.tolist(), form))
    files = {"config": json.dumps(config), "run": json.dumps(facts)}
    files["info"] = info[: int(0.9 * len(info))] if is_killed else info
    files["metrics"] = metrics(columns, steps) if number % 3 == 2 else "{}"
    for file, content in files.items():
        (folder / f"{file}.json").write_text(content)


def plain(value: float) -> Any:
    """A number as it is."""
    return value


def as_mappings(value: float) -> Any:
    """A number as sacred writes numpy's."""
    return {"dtype": "float64", "py/object": "numpy.float64", "value": value}


def table(columns: Dict[str, List[float]], steps: List[int], form: Any) -> Any:
    """Return what is in info.json."""
    found: Dict[str, Any] = {}
    for key, values in columns.items():
        found[key], found[f"{key}_T"] = list(map(form, values)), steps
    return found


def metrics(columns: Dict[str, List[float]], steps: Any) -> str:
    """Return EPyMARL's metrics.json."""
    hours = steps / STEPS * 5
    moments = [(START + datetime.timedelta(hours=h)).isoformat() for h in hours]
    return json.dumps(
        {
            key: {"steps": steps.tolist(), "values": values, "timestamps": moments}
            for key, values in columns.items()
        }
    )


if __name__ == "__main__":
    sys.exit(main())
