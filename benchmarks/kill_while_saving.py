"""SIGKILL in the midst of saving: a checkpoint can always be loaded, no broken one is.

    OMP_NUM_THREADS=1 python -m benchmarks.kill_while_saving --kills 200

A child saves without a pause, new steps and replacements in turn, and is killed at a
random moment. Then every folder that is named by its step must be whole, and the
newest must load. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

import wqmix
from wqmix.host.utils import checkpoints

from .kill_and_resume import fork, killed_after

SIZES = dict(batch_size=4, buffer_size=32, use_cuda=False)


def save(folder: Path, runner: Any, count: int = sys.maxsize) -> None:
    """New steps, and each a second time by the learner alone, in its place."""
    log = logging.getLogger("saving")
    run = checkpoints.RunFolder(str(folder), keep=3, saves_buffer=True, log=log)
    steps = checkpoints.steps_in(str(folder)) if folder.is_dir() else []
    first = max(steps, default=0) + 1
    for step in range(first, first + count):
        runner.play(1)
        run.save(runner.learner, step, {"step": step}, runner.buffer)
        runner.learner.save_models(str(folder / "replaced"))


def check(folder: Path, runner: Any) -> bool:
    """Every checkpoint is whole and the newest loads; False if there is none yet."""
    steps = checkpoints.steps_in(str(folder)) if folder.is_dir() else []
    for step in steps:
        assert checkpoints.verify(str(folder / str(step))) is not None
    if steps:
        step, _ = checkpoints.step_to_resume(str(folder), 0)
        assert step == steps[-1]
        runner.learner.load_models(str(folder / str(step)))
    replaced = [path for path in folder.glob("replaced*") if path.suffix != ".partial"]
    if replaced:
        runner.learner.load_models(str(folder / "replaced"))
    return bool(steps)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    runner = wqmix.get_runner("cw_qmix", "matrix_game", seed=1, **SIZES)
    runner.play(8)
    draw, loadable, partial = random.Random(0), 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "run", os.path.join(name, "log")
        os.waitpid(fork(lambda: save(folder, runner, count=2), log), 0)
        assert check(folder, runner), Path(log).read_text()
        for _ in range(options.kills):
            child = fork(lambda: save(folder, runner), log)
            assert killed_after(child, draw.uniform(0.01, 0.4)), Path(log).read_text()
            partial += bool(list(folder.glob("*.partial")))
            loadable += check(folder, runner)
    print(f"{options.kills} kills, {partial} left a partial folder; {loadable} loaded")
    return int(loadable != options.kills)


if __name__ == "__main__":
    sys.exit(main())
