"""Checkouts of the real hosts, and how to run one: used by `test_hosts`
and `test_agents`.

The folder that `WQMIX_HOSTS` names holds clones under the names in `CHECKOUTS`; they
are cloned again before anything is run, and never written to.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from wqmix.config import sacred

with sacred.importable():
    from sacred.serializer import restore

FOLDER = Path(os.environ.get("WQMIX_HOSTS", "/nonexistent"))
STEPS = 2000
FORAGING = (
    "env_args.key=lbforaging:Foraging-8x8-2p-3f-v3",
    "env_args.time_limit=25",
    "test_nepisode=4",
    "batch_size=8",
)
STAG_HUNT = ("test_nepisode=1", "batch_size=4", "buffer_size=8")
MATRIX = ("test_nepisode=1", "batch_size=32", "buffer_size=200")


@dataclass(frozen=True)
class Checkout:
    """One host.

    Attributes:
        name: of its folder.
        game: a game that runs here, as `--env-config` takes it.
        settings: for that game.
        mistake: a setting whose environment cannot be built, found out by a worker.
        command: what to run.
        qmix: its own QMIX, as `--config` takes it.
        needs: packages without which the game does not run.
        is_native: it runs on today's Python without help.
    """

    name: str
    game: str
    settings: Tuple[str, ...]
    mistake: str
    command: Tuple[str, ...] = ("src/main.py",)
    qmix: str = "qmix"
    needs: Tuple[str, ...] = ()
    is_native: bool = False

    def words(self, algorithm: str, *settings: str) -> List[str]:
        """Return the host's command line for one run."""
        return [
            *self.command,
            f"--config={algorithm}",
            f"--env-config={self.game}",
            "with",
            "seed=1",
            "use_cuda=False",
            *self.settings,
            *settings,
        ]

    def lacks(self) -> Optional[str]:
        """Return why it cannot be run here, if so."""
        if not (FOLDER / self.name).is_dir():
            return (
                f"set WQMIX_HOSTS to a folder that holds a checkout named {self.name}"
            )
        absent = [need for need in self.needs if importlib.util.find_spec(need) is None]
        return f"its game needs {' and '.join(absent)}" if absent else None


CHECKOUTS = {
    checkout.name: checkout
    for checkout in (
        Checkout("pymarl", "matrix_game", MATRIX, "env_args.game=nowhere"),
        Checkout(
            "wqmix",
            "pred_prey_punish",
            STAG_HUNT,
            "env_args.agent_obs=5",
            qmix="qmix_smac",
        ),
        Checkout(
            "pymarl2",
            "stag_hunt",
            (*STAG_HUNT, "runner=episode", "batch_size_run=1"),
            "env_args.agent_obs=5",
        ),
        Checkout(
            "pymarl3",
            "matrix_game",
            (*MATRIX, "runner=episode", "batch_size_run=1", "use_tensorboard=False"),
            "env_args.game=nowhere",
        ),
        Checkout(
            "epymarl",
            "gymma",
            FORAGING,
            "env_args.key=nowhere",
            needs=("gymnasium", "lbforaging"),
        ),
        Checkout(
            "pymarlzooplus",
            "gymma",
            FORAGING,
            "env_args.key=nowhere",
            command=("-m", "pymarlzooplus.main"),
            needs=("gymnasium", "lbforaging", "cv2", "rich", "seaborn", "sklearn"),
            is_native=True,
        ),
    )
}


def clone(name: str, folder: Path) -> Path:
    """Clone a host from the folder of checkouts and return where it is."""
    target = folder / name
    command = ["git", "clone", "-q", str(FOLDER / name), str(target)]
    subprocess.run(command, check=True)
    return target


def git(checkout: Path, *words: str) -> str:
    """Return what git says in a checkout."""
    command = ["git", "-C", str(checkout), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def clean(checkout: Path) -> bool:
    """Whether git knows of nothing new but results."""
    lines = git(checkout, "status", "--porcelain").splitlines()
    return all(line.startswith("?? results") for line in lines)


def start(words: List[str], checkout: Path) -> Any:
    """Start `python …` in a checkout, in a session of its own, output to a file."""
    with open(output_file(checkout), "w", encoding="utf-8") as output:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=str(checkout),
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONDONTWRITEBYTECODE": "1",  # else __pycache__, as of any run
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # A shell's background job ignores SIGINT, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )


def run(words: List[str], checkout: Path, seconds: int = 300) -> int:
    """Run `python …` in a checkout to its end; return the exit code."""
    return start(words, checkout).wait(timeout=seconds)


def output_file(checkout: Path) -> Path:
    """Return the file that the output of the last run is in: beside the checkout."""
    return checkout.with_suffix(".out")


def output(checkout: Path) -> str:
    """Return what the last run printed."""
    return output_file(checkout).read_text(encoding="utf-8", errors="replace")


def left_in_session(leader: int) -> List[str]:
    """Return the command lines of the live processes of a session (Linux)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append((stat.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended
            continue
    return found


def last_run(checkout: Path) -> Optional[Path]:
    """Return sacred's folder of the latest run, or None before there is one."""
    files = list(checkout.glob("results*/**/run.json"))
    latest = max(files, key=lambda file: file.stat().st_mtime, default=None)
    return latest.parent if latest is not None else None


def status(checkout: Path) -> str:
    """Return sacred's word on the latest run."""
    folder = last_run(checkout)
    assert folder is not None, output(checkout)[-2000:]
    return json.loads((folder / "run.json").read_text())["status"]


def logged(checkout: Path) -> Dict[str, List[float]]:
    """Return what the latest run logged: {key: values, key_T: steps}.

    Some hosts log tensors and numpy's numbers; sacred reads back what it wrote.
    """
    folder = last_run(checkout)
    assert folder is not None
    info = restore(json.loads((folder / "info.json").read_text()))
    metrics = folder / "metrics.json"
    if metrics.is_file():
        for key, series in restore(json.loads(metrics.read_text())).items():
            info.update({key: series["values"], f"{key}_T": series["steps"]})
    return {key: [float(value) for value in values] for key, values in info.items()}
