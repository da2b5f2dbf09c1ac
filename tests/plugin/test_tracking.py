"""`use_wandb` through the launcher, with a stand-in for the module `wandb`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import wandb_stand_in
from tests.skeletons.hosts import SKELETONS
from wqmix.errors import ConfigError
from wqmix.plugin import tracking
from wqmix.plugin.command_line import Update

ASKED = ["use_wandb=True", "wandb_project=mine", "alpha=0.5"]


def files(root: Path, defaults: dict, name: str = "pymarl"):
    host = SimpleNamespace(name=name, title="PyMARL")
    return SimpleNamespace(host=host, root=root, defaults=lambda: defaults)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout with a logger, and a module `wandb`."""
    wandb_stand_in.write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "src" / "utils").mkdir(parents=True)
    (tmp_path / "src" / "utils" / "logging.py").write_text("")
    return tmp_path / "src"


def test_the_host_never_sees_what_it_does_not_know(root):
    rest, settings = tracking.taken(files(root, {"lr": 1}), ASKED)
    assert rest == ["alpha=0.5"]
    assert settings == {
        "use_wandb": True,
        "wandb_mode": "offline",
        "wandb_project": "mine",
        "wandb_team": None,
    }
    assert tracking.taken(files(root, {}), ["use_wandb=False"]) == ([], None)
    words = [Update(("use_wandb",), True), Update(("wandb_team",), "us")]
    assert tracking.taken(files(root, {}), words)[1]["wandb_team"] == "us"


@pytest.mark.parametrize("defaults", [{"use_wandb": False}, {"wandb": {"enable": 0}}])
def test_a_hosts_own_setting_stays_its_own(root, defaults):
    """As EPyMARL's (`use_wandb`) and PyMARLzoo+'s (`wandb`)."""
    assert tracking.taken(files(root, defaults), ASKED) == (ASKED, None)
    assert tracking.taken(files(root, {}, "embedded"), ASKED) == (ASKED, None)


@pytest.mark.parametrize(
    "words, message",
    [
        (["use_wandb=perhaps"], "use_wandb='perhaps': "),
        (["use_wandb=True", "wandb_mode=on"], "wandb_mode is 'on': offline or online"),
    ],
)
def test_mistakes(root, words, message):
    with pytest.raises(ConfigError, match=message):
        tracking.taken(files(root, {}), words)


def test_a_fork_without_such_a_logger(root):
    (root / "utils" / "logging.py").unlink()
    with pytest.raises(ConfigError, match="use_wandb: PyMARL has no logger in "):
        tracking.taken(files(root, {}), ASKED)


def test_where_it_is_not_installed(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="use_wandb needs wandb: pip install"):
        tracking.taken(files(root, {}), ASKED)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pymarl", "pymarl2"])
def test_a_checkout_of_a_host_that_lacks_it(tmp_path, name):
    SKELETONS[name].write(tmp_path)
    wandb_stand_in.write(tmp_path)
    words = ["src/main.py", "--config=cw_qmix", "--env-config=own_game", "with", *ASKED]
    done = subprocess.run(
        [sys.executable, "-m", "wqmix", *words, "seed=3"],
        cwd=tmp_path,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(tmp_path),
            "SKELETON_REPORT": str(tmp_path / "report.json"),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    begun, *logged = wandb_stand_in.lines(tmp_path / "results")
    begun = begun["init"]
    assert begun["project"] == "mine" and begun["mode"] == "offline"
    assert begun["config"]["alpha"] == 0.5 and begun["config"]["seed"] == 3
    assert "use_wandb" not in begun["config"]
    assert any("qmix_loss" in each for each in logged)
    assert all(isinstance(each["t_env"], int) for each in logged)
