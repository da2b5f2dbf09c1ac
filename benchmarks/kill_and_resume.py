"""Runs that are killed with SIGKILL again and again against runs left alone.

    OMP_NUM_THREADS=1 python -m benchmarks.kill_and_resume --kills 20

For each algorithm, runner and game: a run to its end; the same run killed at random
moments and resumed each time with auto_resume=True. Parameters, optimiser, target
networks, replay buffer, random numbers and all statistics must be the same to the last
bit. Exit code 1 if not.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List, Tuple

import numpy as np
import torch

from wqmix.host.utils import checkpoints
from wqmix.plugin import launcher
from wqmix.storage import manifest, tensors

ALGORITHMS = ("cw_qmix", "ow_qmix", "qmix")
RUNNERS = {
    "episode": ["runner=episode"],
    "parallel": ["runner=parallel", "batch_size_run=2"],
    "vector": ["runner=vector", "batch_size_run=4"],
}
GAMES = {
    "matrix_game": ["t_max=2000", "save_model_interval=40"],
    "predator_prey": [
        "t_max=1500",
        "save_model_interval=60",
        "env_args.world_shape=[4,4]",
        "env_args.n_agents=2",
        "env_args.n_prey=1",
        "env_args.episode_limit=10",
        "test_nepisode=4",
        "test_interval=300",
        "log_interval=300",
        "runner_log_interval=50",
        "learner_log_interval=50",
    ],
}
COMMON = ["seed=1", "batch_size=8", "buffer_size=64", "rnn_hidden_dim=16"]
COMMON += ["save_model=True", "save_buffer=True", "auto_resume=True", "use_cuda=False"]


def fork(function: Callable[[], Any], quiet: str) -> int:
    """Run a function in a child; it starts at once, all being imported."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        log = os.open(quiet, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = function() or 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        sys.stderr.flush()
        os._exit(int(code))


def killed_after(child: int, seconds: float) -> bool:
    """Kill the child after some time; False if it had ended by itself before."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def watched(child: int, results: Path, log: str) -> Tuple[float, float]:
    """Seconds until a run's first save, and until its end."""
    began = time.monotonic()
    first_save = 0.0
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert status == 0, Path(log).read_text()[-3000:]
            return first_save, time.monotonic() - began
        if not first_save and furthest(results):
            first_save = time.monotonic() - began
        time.sleep(0.02)


def outcome(results: Path) -> dict:
    """All that the last checkpoint holds, and the last run's statistics."""
    step = furthest(results)
    (last,) = (results / "models").glob(f"*/{step}")
    folder = last.parent
    found = {"step": step, "info": last_info(results)}
    for path in sorted(last.rglob("*.th")):
        found[str(path.relative_to(last))] = plain(tensors.load(str(path)))
    episodes = {}
    for file in manifest.verify(str(last))["buffer"]:
        with np.load(folder / "buffer" / file["name"], allow_pickle=False) as arrays:
            for number in range(file["first"], file["last"]):
                at = number - file["first"]
                fields = {key: arrays[key][at].tobytes() for key in arrays.files}
                episodes[number] = fields
    # Which files hold them may differ; the oldest file may hold some that are gone.
    newest = sorted(episodes)[-64:]
    found["buffer"] = {number: episodes[number] for number in newest}
    return found


def furthest(results: Path) -> int:
    """The last step saved; a run killed before its first leaves a folder with none."""
    runs = (results / "models").glob("*")
    return max((s for run in runs for s in checkpoints.steps_in(str(run))), default=0)


def last_info(results: Path) -> str:
    runs = [path for path in (results / "sacred").iterdir() if path.name.isdigit()]
    return (max(runs, key=lambda path: int(path.name)) / "info.json").read_text()


def plain(value: Any) -> Any:
    """Nested containers without tensors, comparable by `==`."""
    if torch.is_tensor(value):
        return (str(value.dtype), tuple(value.shape), value.numpy().tobytes())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(x) for x in value] if isinstance(value, (list, tuple)) else value


def compare(words: List[str], kills: int, draw: random.Random) -> str:
    """Return a line of the report; raises AssertionError where anything differs."""
    folder = Path(tempfile.mkdtemp())
    straight, killed, log = folder / "straight", folder / "killed", str(folder / "log")
    child = fork(lambda: launcher.main([*words, f"local_results_path={straight}"]), log)
    first_save, seconds = watched(child, straight, log)
    again = [*words, f"local_results_path={killed}"]
    # So long that most runs get beyond their start, and all together not to the end.
    longest = 1.5 * first_save + 2 * (seconds - first_save) / kills
    count = saving = 0
    steps = set()
    while count < kills:
        child = fork(lambda: launcher.main(again), log)
        if not killed_after(child, draw.uniform(0.05, longest)):
            break
        count += 1
        saving += bool(list(killed.rglob("*.partial")))
        steps.add(furthest(killed))
    child = fork(lambda: launcher.main(again), log)
    assert os.waitpid(child, 0)[1] == 0, Path(log).read_text()[-3000:]
    one, other = outcome(straight), outcome(killed)
    for name in one:
        assert one[name] == other[name], f"{name} differs, see {folder}"
    shutil.rmtree(folder)
    resumed = f"resumed from {len(steps - {0})} different steps"
    return f"{count} kills, {saving} of them while saving; {resumed}; identical"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    add = parser.add_argument
    add("--games", nargs="+", choices=GAMES, default=list(GAMES))
    add("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS)
    add("--runners", nargs="+", choices=RUNNERS, default=list(RUNNERS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    draw, failed = random.Random(options.seed), False
    for game, name, runner in itertools.product(
        options.games, options.algorithms, options.runners
    ):
        words = [f"--config={name}", f"--env-config={game}", "with", *COMMON]
        words += [*GAMES[game], *RUNNERS[runner]]
        try:
            line = compare(words, options.kills, draw)
        except AssertionError as error:
            line, failed = f"FAILED: {error}", True
        print(f"{game} {name} {runner}: {line}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
