"""Train while worker processes are killed or stopped every few seconds.

    python -m benchmarks.kill_workers --runner parallel --minutes 10

A thread sends SIGKILL or SIGSTOP to a worker drawn at random; the run replaces it and
trains on. Printed every half minute: steps, workers lost, resident memory and open
files of the process and its workers. At the end: whether every episode in the buffer is
whole, and which processes are left. Exit code 1 if one is not, or any is.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import sys
import threading
import time
from typing import Any, List

import torch

from wqmix import get_runner

from .processes import Tree

SETTINGS = dict(
    env_args=dict(world_shape=[4, 4], n_agents=3, n_prey=2, episode_limit=20),
    batch_size_run=4,
    batch_size=16,
    buffer_size=400,
    worker_timeout=2,
    worker_restarts=1000000,
    t_max=10**9,
    use_cuda=False,
)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runner", choices=["parallel", "vector"], default="parallel")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=3, help="seconds, on average")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("pymarl").setLevel(logging.ERROR)
    if options.runner == "vector":  # through workers with shared memory
        from wqmix.host.envs import BATCH_REGISTRY

        del BATCH_REGISTRY["predator_prey"]
    run = get_runner(
        "cw_qmix", "predator_prey", seed=1, runner=options.runner, **SETTINGS
    )
    killer = Killer(options.every)
    train(run, killer, options.minutes)
    killer.stop()
    broken = broken_episodes(run.buffer)
    run.finish()
    left = Tree(os.getpid()).pids[1:]
    print(
        f"{options.runner}: {killer.sent} signals; {run.buffer.episodes_in_buffer} "
        f"episodes in the buffer, {broken} not whole; processes left: {len(left)}"
    )
    return 1 if broken or left else 0


def train(run: Any, killer: Killer, minutes: float) -> None:
    """Play and learn, and print what is held."""
    started = shown = time.monotonic()
    steps = 0
    while time.monotonic() - started < 60 * minutes:
        steps += run.play(run.args.batch_size_run)
        if time.monotonic() - shown >= 30:
            shown = time.monotonic()
            tree = Tree(os.getpid())
            own = len(os.listdir("/proc/self/fd"))
            print(
                f"{(shown - started) / 60:5.1f} min  {steps} steps  {killer.sent} "
                f"signals  {tree.rss / 1e6:.1f} MB  {own} files  "
                f"{len(tree.pids) - 1} workers",
                flush=True,
            )


class Killer:
    """A thread that loses a worker every few seconds."""

    def __init__(self, every: float) -> None:
        self.sent = {signal.SIGKILL.name: 0, signal.SIGSTOP.name: 0}
        self._draw, self._every = random.Random(0), every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._draw.uniform(0, 2 * self._every)):
            workers: List[int] = Tree(os.getpid()).pids[1:]
            if workers:
                name = self._draw.choice([signal.SIGKILL, signal.SIGSTOP])
                try:
                    os.kill(self._draw.choice(workers), name)
                except ProcessLookupError:
                    continue  # it has just been replaced
                self.sent[name.name] += 1

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()


def broken_episodes(buffer: Any) -> int:
    """How many stored episodes have a hole, no end, or steps beyond it."""
    stored = buffer[: buffer.episodes_in_buffer]
    filled = stored["filled"][..., 0]
    slots = filled.sum(dim=1)
    prefix = torch.arange(filled.shape[1]) < slots[:, None]
    whole = (filled == prefix.long()).all(dim=1) & (slots >= 2)
    # An episode ends because the game is over, or because its time is up.
    ends = stored["terminated"][..., 0].sum(dim=1)
    whole &= (ends == 1) | (slots == filled.shape[1])
    # Each agent is somewhere on the grid in every state that was played.
    agents = stored["state"].flatten(2).abs().sum(dim=2) > 0
    whole &= (agents == prefix).all(dim=1)
    taken = stored["actions_onehot"].sum(dim=(2, 3)) == stored["actions"].shape[2]
    whole &= (taken == prefix).all(dim=1)
    return int((~whole).sum())


if __name__ == "__main__":
    sys.exit(main())
