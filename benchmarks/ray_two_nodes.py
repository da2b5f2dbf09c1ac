"""A sweep of 12 runs on two Ray nodes, one of which is killed in the middle.

    python -m benchmarks.ray_two_nodes

Both nodes are on this machine. Once two runs are completed, and one is training on the
second node, all processes of that node but the run's own get SIGKILL: the run must not
outlive its worker. At the end every run must be COMPLETED in exactly one of sacred's
folders, and the sweep's exit code 0; else the exit code is 1. With --raylet-only just
Ray's own process is killed, and the worker and its run go on: it must count then.
"""

from __future__ import annotations

import argparse
import collections
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Counter, List, Set

from wqmix.analysis.folders import CONFIG, RUN, read_mapping, run_folders

from .processes import Tree

SWEEP = """\
name: two_nodes
algorithms: [qmix, cw_qmix, ow_qmix]
environments: [matrix_game]
seeds: 4
settings: {{t_max: {steps}, batch_size: 16, test_interval: 200, use_cuda: False}}
"""
RUNS = 12


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=1500, help="of each run")
    parser.add_argument("--raylet-only", action="store_true")
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    folder = Path(tempfile.mkdtemp())
    (folder / "sweep.yaml").write_text(SWEEP.format(steps=options.steps))
    started = time.monotonic()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False},
    )
    node = cluster.add_node(num_cpus=1)
    command = ["-m", "wqmix", "sweep", "sweep.yaml", "--engine", "ray"]
    sweep = subprocess.Popen(
        [sys.executable, *command, "--address", cluster.address], cwd=folder
    )
    try:
        killed = kill_in_the_middle(node, folder, sweep, options.raylet_only)
        code = sweep.wait()
    finally:
        sweep.kill()
        cluster.shutdown()
    found = statuses(folder)
    seconds = time.monotonic() - started
    return verdict(found, code, killed, seconds)


def kill_in_the_middle(node, folder: Path, sweep, raylet_only: bool) -> bool:
    """Kill a node while a run is training on it; whether there was one."""
    raylet = node.all_processes["raylet"][0].process.pid
    while sweep.poll() is None:
        found = statuses(folder)
        under_way = {label for label, status in found if status == "RUNNING"}
        busy = training(raylet, under_way)
        if busy and sum(status == "COMPLETED" for _, status in found) >= 2:
            pids = Tree(raylet).pids
            lost = [raylet] if raylet_only else [p for p in pids if p not in busy]
            for pid in lost:
                os.kill(pid, signal.SIGKILL)
            print(f"{len(lost)} processes of a node killed, a run on it", flush=True)
            return True
        time.sleep(0.2)
    return False


def training(raylet: int, labels: Set[str]) -> List[int]:
    """The processes below a node's raylet that train a run with one of the labels."""
    found = []
    for pid in Tree(raylet).pids:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue  # it has ended
        if {f"label={label}" for label in labels} & set(words):
            found.append(pid)
    return found


def statuses(folder: Path) -> Counter:
    """How often each (label, status) is there."""
    return collections.Counter(
        (
            read_mapping(each / CONFIG).get("label"),
            read_mapping(each / RUN).get("status"),
        )
        for each in run_folders(folder / "results")
    )


def verdict(found: Counter, code: int, killed: bool, seconds: float) -> int:
    """Print what came of it; return the exit code."""
    completed = {
        label: count
        for (label, status), count in found.items()
        if status == "COMPLETED"
    }
    others = sum(n for (_, status), n in found.items() if status != "COMPLETED")
    doubled = sum(count > 1 for count in completed.values())
    print(
        f"{len(completed)} of {RUNS} runs completed, {doubled} of them more than once; "
        f"{others} folders of runs that were cut off; the sweep's exit code: {code}; "
        f"node killed: {killed}; {seconds:.0f} s"
    )
    return int(len(completed) != RUNS or doubled > 0 or code != 0 or not killed)


if __name__ == "__main__":
    sys.exit(main())
