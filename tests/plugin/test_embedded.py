"""The embedded host through the launcher, with real networks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .fakes import launch, python

GAME = "--env-config=matrix_game"
SHORT = ("with", "t_max=120", "seed=5", "learner_log_interval=50", "batch_size=8")


def metrics(folder: Path) -> dict:
    """Return what sacred recorded of the only run in a folder."""
    (info,) = folder.glob("**/info.json")
    return json.loads(info.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_qmix_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    direct, launched = tmp_path / "direct", tmp_path / "launched"
    for folder in (direct, launched):
        folder.mkdir()
    words = ("--config=qmix", GAME, *SHORT)
    ended = python("-m", "wqmix.host.main", *words, cwd=direct)
    assert ended.returncode == 0, ended.stderr
    ended = launch(launched, *words)
    assert ended.returncode == 0, ended.stderr
    assert "loss" in metrics(direct)
    assert metrics(launched) == metrics(direct)


@pytest.mark.slow
def test_no_compiler_is_imported(tmp_path: Path) -> None:
    """It takes as long as torch itself to import."""
    code = "import sys\nfrom wqmix.__main__ import main\ntry:\n    main(sys.argv[1:])\n"
    code += "finally:\n    print('torch._dynamo' in sys.modules)"
    words = ("-c", code, "--config=cw_qmix", GAME, *SHORT)
    ended = python(*words, cwd=tmp_path, PYTHONPATH="")
    assert ended.stdout.endswith("False\n"), ended.stderr
    assert "qmix_loss" in metrics(tmp_path)


@pytest.mark.exhaustive
def test_the_same_seed_is_the_same_run(tmp_path: Path) -> None:
    runs = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        ended = launch(folder, "--config=cw_qmix", GAME, *SHORT)
        assert ended.returncode == 0, ended.stderr
        (run,) = folder.glob("**/run.json")
        assert json.loads(run.read_text())["status"] == "COMPLETED"
        runs.append(metrics(folder))
    assert {"qmix_loss", "central_loss", "w_to_use"} <= set(runs[0])
    assert runs[0] == runs[1]


def test_a_mistake_writes_nothing(tmp_path: Path) -> None:
    ended = launch(tmp_path, "--config=cw_qmix", GAME, "with", "weighting=cv")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("wqmix: error: cw_qmix: weighting='cv' is not one of cw, ")
    assert line.endswith("(did you mean 'cw'?)")
    assert list(tmp_path.iterdir()) == []
