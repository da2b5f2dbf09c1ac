"""What a save costs: without the replay buffer, and with a full one of predator-prey.

    OMP_NUM_THREADS=1 python -m benchmarks.saving

The buffer's 5,000 episodes of the 10 x 10 game (200 steps, 8 agents) take 4 GB.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

import torch

import wqmix
from wqmix.host.utils.buffer_files import BufferFiles
from wqmix.host.utils.checkpoints import RunFolder

SETTINGS = dict(runner="vector", batch_size_run=50, buffer_size=5000, use_cuda=False)


def timed(name: str, function: Callable[[], Any]) -> Any:
    """Call it and print what it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name}: {wall:.3f} s, of the processor {cpu:.3f} s", flush=True)
    return result


def megabytes(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{size / 1e6:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--episodes", type=int, default=5000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runner = wqmix.get_runner("cw_qmix", "predator_prey", seed=1, **SETTINGS)
    log = logging.getLogger("saving")
    steps = timed("50 episodes and their updates", lambda: runner.play(50))
    print(f"  {steps} steps")

    def save(run: RunFolder, step: int) -> None:
        run.save(runner.learner, step, {"step": step}, runner.buffer)

    with tempfile.TemporaryDirectory() as name:
        bare = RunFolder(f"{name}/bare", 1, saves_buffer=False, log=log)
        for step in range(5):
            timed("without the buffer", lambda s=step: save(bare, s))
        print(f"  {megabytes(Path(name, 'bare'))}")
        while runner.buffer.episodes_in_buffer < options.episodes:
            runner.buffer.insert_episode_batch(runner._episodes.run())
        full = RunFolder(f"{name}/full", 1, saves_buffer=True, log=log)
        timed(f"with {options.episodes} new episodes", lambda: save(full, 1))
        print(f"  {megabytes(Path(name, 'full'))}")
        runner.buffer.insert_episode_batch(runner._episodes.run())
        timed("with 50 new episodes", lambda: save(full, 2))
        written, added = full.buffer_files.files, runner.buffer.episodes_added
        files = BufferFiles(f"{name}/full/buffer")
        timed("checking the files", lambda: files.check(written))
        timed("loading them", lambda: files.load(runner.buffer, written, added))


if __name__ == "__main__":
    main()
