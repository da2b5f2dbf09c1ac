"""Our checkpoints in the embedded host's own QMIX, and its in ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .fakes import launch

GAME = "--env-config=matrix_game"
SHORT = ("with", "t_max=40", "seed=5", "batch_size=8", "buffer_size=16")


def trained(folder: Path, name: str) -> Path:
    """Train and save; return the folder of the checkpoints."""
    ended = launch(folder, f"--config={name}", GAME, *SHORT, "save_model=True")
    assert ended.returncode == 0, ended.stderr
    (models,) = (folder / "results" / "models").iterdir()
    return models


@pytest.mark.slow
def test_ours_in_its_own_qmix(tmp_path: Path) -> None:
    models = trained(tmp_path, "cw_qmix")
    loading = (f"checkpoint_path={models}", "evaluate=True")
    for name in ("qmix", "cw_qmix"):
        ended = launch(tmp_path, f"--config={name}", GAME, *SHORT, *loading)
        assert ended.returncode == 0, ended.stderr
    ended = launch(tmp_path, "--config=qmix", GAME, *SHORT, loading[0], "t_max=60")
    assert ended.returncode == 0, ended.stderr
    assert "from this checkpoint come the learner and the step count" in ended.stderr


@pytest.mark.slow
def test_its_qmix_warm_starts_ours(tmp_path: Path) -> None:
    models = trained(tmp_path, "qmix")
    words = ("--config=ow_qmix", GAME, *SHORT, f"checkpoint_path={models}", "t_max=60")
    ended = launch(tmp_path, *words)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("loaded are agent, mixer; Q̂* is new") == 1


@pytest.mark.slow
def test_ours_resumed(tmp_path: Path) -> None:
    models = trained(tmp_path, "cw_qmix")
    again = (f"checkpoint_path={models}", "resume=True", "save_model=True", "t_max=60")
    ended = launch(tmp_path, "--config=cw_qmix", GAME, *SHORT, *again)
    assert ended.returncode == 0, ended.stderr
    assert max(int(p.name) for p in models.iterdir() if p.name.isdigit()) == 61


@pytest.mark.exhaustive
def test_killed_while_saving() -> None:
    """Ten times; the benchmark's own 200 are in docs/reliability.md."""
    words = [sys.executable, "-W", "ignore", "-m", "benchmarks.kill_while_saving"]
    done = subprocess.run(
        [*words, "--kills", "10"],
        cwd=str(Path(__file__).resolve().parents[2]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "; 10 loaded" in done.stdout
