"""Kinds of forks seen in public: each trains right or stops with one true line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict

import pytest

from .forks import FORKS
from .test_skeletons import environment, run

pytestmark = pytest.mark.slow
BASE = ("-m", "wqmix", "--base")
GAME = "--env-config=own_game"
OURS = "--env-config=matrix_game"


def once_more(name: str, words: list, command: tuple = (), report: Any = None) -> Any:
    """A row for a kind of fork that has one already."""
    values = (name, words, command, report or {})
    return pytest.param(*values, marks=pytest.mark.exhaustive)


@pytest.mark.parametrize(
    "name, words, command, report",
    [
        (
            "other_update",
            ["--config=cw_qmix", GAME],
            (),
            {"td_lambda": 0.8, "optimiser": "RMSprop", "weight_decay": 0.01},
        ),
        ("single_q", ["--config=cw_qmix", GAME], (), {"double_q": False}),
        ("older_epymarl", ["--config=cw_qmix", GAME], (), {}),
        once_more("older_epymarl", ["--config=cw_qmix", OURS, "with", "t_max=20"]),
        ("own_base", ["--config=cw_qmix", GAME], (*BASE, "ours_v2"), {}),
        once_more(
            "no_qmix",
            ["--config=cw_qmix", GAME, "with", "mixer=qmix"],
            (*BASE, "vdn"),
            {"mixer": "QMixer"},
        ),
        ("no_qmix", ["--config=cw_qmix", GAME], (*BASE, "vdn"), {"mixer": "VDNMixer"}),
        ("asks_with_args", ["--config=cw_qmix", GAME], (), {}),
        once_more("asks_with_args", ["--config=cw_qmix", OURS, "with", "t_max=20"]),
        ("asks_for_more", ["--config=cw_qmix", GAME], (), {}),
        (
            "attending",
            ["--config=cw_qmix", GAME, "with", "monotonic_mixer=attention"],
            (),
            {"mixer": "Attention"},
        ),
        ("read_only", ["--config=cw_qmix", GAME], (), {}),
        ("dashes", ["--config=cw_qmix", GAME, "--lr=0.25"], (), {"lr": 0.25}),
        ("early_seed", ["--config=cw_qmix", GAME], (), {}),
    ],
)
def test_it_trains_with_the_forks_own_update(
    name: str, words: list, command: tuple, report: Dict[str, Any], tmp_path: Path
) -> None:
    words = words if "with" in words else [*words, "with"]
    ended = run(name, tmp_path, *words, command=command or ("-m", "wqmix"))
    assert ended.code == 0, ended.output[-4000:]
    assert ended.status == "COMPLETED"
    assert "parity: 6 updates equal those of" in ended.output
    is_other = name in ("other_update", "single_q")
    assert ("; adopted: " in ended.output) == is_other
    assert {key: ended.report[key] for key in report} == report


@pytest.mark.parametrize(
    "name, words, line",
    [
        ("another_loss", [], "its own q_learner updates otherwise than ours"),
        ("mixer_of_three", [], "is called with (qvals, states, obs), but"),
        ("no_qmix", [], "--base NAME inherits another: vdn"),
        ("own_base", [], "--base NAME inherits another: ours_v2"),
        ("asks_for_more", [OURS], "asks an environment for 'unit_dim', which"),
        ("attending", [], "If this one is monotonic too: monotonic_mixer=attention"),
        (
            "not_monotonic",
            [GAME, "with", "monotonic_mixer=attention"],
            "it is not; raising one utility by 1 lowers Q_tot by",
        ),
        ("whitelist", [], "what reaches its learners lacks weighting, "),
    ],
)
def test_it_stops_with_one_true_line(
    name: str, words: list, line: str, tmp_path: Path
) -> None:
    words = words or [GAME]
    words = words if "with" in words else [*words, "with"]
    ended = run(name, tmp_path, "--config=cw_qmix", *words)
    assert ended.code == 2
    assert ended.output.count("wqmix: error: ") == 1 and line in ended.output
    assert "Traceback" not in ended.output and "losses" not in ended.report


@pytest.mark.parametrize("name, own", [("no_qmix", "vdn"), ("own_base", "ours_v2")])
def test_its_own_algorithms_run_untouched(name: str, own: str, tmp_path: Path) -> None:
    ended = run(name, tmp_path, f"--config={own}", GAME, "with")
    assert ended.code == 0, ended.output[-4000:]
    assert ended.report["learner"] == "QLearner"


@pytest.mark.parametrize(
    "name, words, row",
    [
        ("other_update", [], "adopted: optimizer=rmsprop, optim_alpha=0.99"),
        ("no_qmix", [], "→ --base NAME, one of its own: vdn"),
    ],
)
def test_doctor_says_what_was_found(
    name: str, words: list, row: str, tmp_path: Path
) -> None:
    FORKS[name].write(tmp_path)
    ended = subprocess.run(
        [sys.executable, "-m", "wqmix", "doctor", *words, "src/main.py", GAME],
        cwd=str(tmp_path),
        env=environment(tmp_path / "report.json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    assert ended.returncode == (0 if name == "other_update" else 1), ended.stdout
    assert row in ended.stdout
    assert "Traceback" not in ended.stdout
