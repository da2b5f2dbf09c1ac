"""The six real hosts, unmodified: set WQMIX_HOSTS to a folder that holds checkouts.

The table in docs/hosts.md is made by

    WQMIX_HOSTS=… WQMIX_HOSTS_TABLE=table.md python -m pytest tests/real/test_hosts.py
"""

from __future__ import annotations

import math
import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

from wqmix.plugin import environments
from wqmix.plugin.environments import OUR_ENVS

from . import checkouts
from .checkouts import CHECKOUTS, STEPS, Checkout

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not checkouts.FOLDER.is_dir(),
        reason="set WQMIX_HOSTS to a folder that holds checkouts of the hosts",
    ),
]
TABLE = os.environ.get("WQMIX_HOSTS_TABLE")
LAUNCH = ["-m", "wqmix"]
DIRECT = str(Path(__file__).with_name("direct.py"))
SCHEDULE = [
    f"t_max={STEPS + 50}",
    "test_interval=500",
    "log_interval=500",
    "runner_log_interval=500",
    "learner_log_interval=500",
]
SHORT = ["t_max=300", *SCHEDULE[1:]]  # four workers' first episodes are longer
COMPARED = ["t_max=1000", *SCHEDULE[1:]]
WORKERS = ["runner=parallel", "batch_size_run=4"]


@pytest.fixture(params=CHECKOUTS)
def host(request: pytest.FixtureRequest) -> Checkout:
    """Each host that can be run here."""
    found = CHECKOUTS[request.param]
    if found.lacks() is not None:
        pytest.skip(found.lacks())
    return found


@pytest.fixture
def checkout(host: Checkout, tmp_path: Path) -> Path:
    """A fresh clone of it."""
    return checkouts.clone(host.name, tmp_path)


# Training -----------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["cw_qmix", "ow_qmix", "qmix"])
def test_trains(host: Checkout, checkout: Path, algorithm: str) -> None:
    name = host.qmix if algorithm == "qmix" else algorithm
    words = [*LAUNCH, *host.words(name, *SCHEDULE)]
    began = time.time()
    code = checkouts.run(words, checkout)
    seconds = time.time() - began
    assert code == 0, checkouts.output(checkout)[-3000:]
    assert checkouts.status(checkout) == "COMPLETED"
    assert checkouts.clean(checkout)
    stats = checkouts.logged(checkout)
    steps = max(max(value) for key, value in stats.items() if key.endswith("_T"))
    assert steps >= STEPS
    assert math.isfinite(stats.get("loss", stats.get("loss_td"))[-1])
    if algorithm != "qmix":
        assert len(stats["w_to_use"]) == len(stats["central_loss"]) >= 2
    if TABLE:
        shown = [*LAUNCH, *host.words(name)]  # the same for all: SCHEDULE
        add_row(host, checkout, shown, steps, seconds, stats)


@pytest.mark.parametrize("algorithm", ["r_qmix", "nonmonotonic_qmix"])
def test_a_challenger_trains(host: Checkout, checkout: Path, algorithm: str) -> None:
    """With the host's own mixer made free, and states normalised for it."""
    words = [*LAUNCH, *host.words(algorithm, *SCHEDULE, "state_norm=True")]
    assert checkouts.run(words, checkout) == 0, checkouts.output(checkout)[-3000:]
    assert "updates equal those of" in checkouts.output(checkout)
    stats = checkouts.logged(checkout)
    assert math.isfinite(stats["qmix_loss"][-1])
    assert ("monotonicity_loss" in stats) == (algorithm == "r_qmix")


def add_row(
    host: Checkout,
    checkout: Path,
    words: list,
    steps: int,
    seconds: float,
    stats: Dict[str, Any],
) -> None:
    """Append a line to the table."""
    commit = checkouts.git(checkout, "rev-parse", "--short=10", "HEAD")
    result = stats["test_return_mean"][-1]
    command = shlex.join(["python", *words])
    row = (host.name, f"`{commit}`", f"`{command}`", int(steps), f"{seconds:.0f}")
    cells = [*row, f"{result:.2f}", checkouts.status(checkout)]
    with open(str(TABLE), "a", encoding="utf-8") as table:
        table.write("| " + " | ".join(str(cell) for cell in cells) + " |\n")


# Launched equals direct ---------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["qmix", "vdn", "iql"])
def test_launched_equals_direct(host: Checkout, tmp_path: Path, algorithm: str) -> None:
    name = host.qmix.replace("qmix", algorithm)  # qmix_smac, vdn_smac …
    if not list((checkouts.FOLDER / host.name).glob(f"*/config/algs/{name}.yaml")):
        pytest.skip(f"{host.name} has no {name}")
    words = host.words(name, *COMPARED)
    by_hand = (
        words if host.is_native else [DIRECT, *our_game_as_a_file(words, tmp_path)]
    )
    direct = logged(host, by_hand, tmp_path)
    launched = logged(host, [*LAUNCH, *words], tmp_path / "launched")
    assert {"loss", "loss_td"} & set(direct) and len(direct["return_mean"]) >= 1
    assert direct == launched


def logged(host: Checkout, words: list, folder: Path) -> Dict[str, Any]:
    """Run a fresh clone and return all that it logged but the time it took."""
    checkout = checkouts.clone(host.name, folder)
    assert checkouts.run(words, checkout) == 0, checkouts.output(checkout)[-3000:]
    stats = checkouts.logged(checkout)
    return {key: value for key, value in stats.items() if "time" not in key}


def our_game_as_a_file(words: list, folder: Path) -> list:
    """Name our matrix game by a YAML's path, which a direct run can read."""
    settings = yaml.safe_load((OUR_ENVS / "matrix_game.yaml").read_text())
    path = folder / "matrix_game.yaml"
    path.write_text(yaml.safe_dump(environments.for_host(settings)))
    option = "--env-config="
    ours = f"{option}{path.with_suffix('')}"
    return [ours if word == f"{option}matrix_game" else word for word in words]


# How a run ends -----------------------------------------------------------------------


def ended(process: Any, checkout: Path) -> int:
    """Wait for a run's end and return its exit code; nothing of it is left alive."""
    code = process.wait(timeout=200)
    deadline = time.time() + 5
    while checkouts.left_in_session(process.pid) and time.time() < deadline:
        time.sleep(0.1)
    assert checkouts.left_in_session(process.pid) == []
    assert checkouts.clean(checkout)
    return code


def test_four_workers(host: Checkout, checkout: Path) -> None:
    words = [*LAUNCH, *host.words("cw_qmix", *SHORT, *WORKERS)]
    code = ended(checkouts.start(words, checkout), checkout)
    assert code == 0, checkouts.output(checkout)[-3000:]
    assert checkouts.status(checkout) == "COMPLETED"
    assert len(checkouts.logged(checkout)["w_to_use"]) >= 1


def test_an_exception_in_a_worker(host: Checkout, checkout: Path) -> None:
    words = [*LAUNCH, *host.words("cw_qmix", *SHORT, *WORKERS, host.mistake)]
    code = ended(checkouts.start(words, checkout), checkout)
    assert code != 0
    assert checkouts.status(checkout) == "FAILED"


def test_control_c(host: Checkout, checkout: Path) -> None:
    long = ["t_max=1000000", *SCHEDULE[1:], *WORKERS]
    process = checkouts.start([*LAUNCH, *host.words("ow_qmix", *long)], checkout)
    deadline = time.time() + 100
    while "Beginning training" not in checkouts.output(checkout):
        assert process.poll() is None and time.time() < deadline
        time.sleep(0.2)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert ended(process, checkout) != 0
    assert checkouts.status(checkout) == "INTERRUPTED"


def test_an_import_that_fails(host: Checkout, checkout: Path) -> None:
    source = checkout / ("src" if (checkout / "src").is_dir() else host.name)
    file = source / "controllers" / "__init__.py"
    file.write_text("import nowhere_to_be_found\n" + file.read_text())
    words = host.words("cw_qmix", *SHORT)
    process = checkouts.start([*LAUNCH, *words], checkout)
    assert process.wait(timeout=60) == 1
    said = checkouts.output(checkout)
    assert "No module named 'nowhere_to_be_found'" in said
    assert "plugin" not in said[said.index("Traceback") :]
