"""Command lines to configurations, and everything refused before a run."""

import importlib.util
import os
import sys

import pytest
import yaml

from tests import wandb_stand_in
from wqmix.host import config as host_config
from wqmix.host.config import CONFIG_DIR, load_config, parse_command_line
from wqmix.host.errors import HostError
from wqmix.host.main import main
from wqmix.host.utils.checkpoints import nearest_step

BASE = ["--config=qmix", "--env-config=matrix_game"]


def load(*words, base=BASE):
    return load_config(parse_command_line([*base, *words]))


def test_later_layers_win():
    """default < environment < algorithm < command line."""
    default = yaml.safe_load((CONFIG_DIR / "default.yaml").read_text())
    config = load("with", "t_max=7", "env_args.game=climbing")
    assert (
        default["test_interval"] != config["test_interval"] == 500
    )  # matrix_game.yaml
    assert default["buffer_size"] != config["buffer_size"] == 5000  # qmix.yaml
    assert config["t_max"] == 7
    assert config["env_args"] == {"game": "climbing", "payoff": None, "seed": None}


def test_values_are_python_literals_or_text():
    config = load(
        "with",
        "label=a b",
        "env_args.payoff=[[1, -2.5], [0, 3]]",
        "save_model=true",
        "mixer=null",
        "t_max=2e3",
        "grad_norm_clip=0.5",
    )
    assert config["label"] == "a b"
    assert config["env_args"]["payoff"] == [[1, -2.5], [0, 3]]
    assert config["save_model"] is True
    assert config["mixer"] is None
    assert config["t_max"] == 2000 and isinstance(config["t_max"], int)
    assert config["grad_norm_clip"] == 0.5


@pytest.mark.parametrize("form", ["absolute", "without suffix", "relative", "dir/name"])
def test_configs_by_path(tmp_path, monkeypatch, form):
    """The launcher gives an absolute path without ".yaml"; users give any."""
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "alg.yaml"
    path.write_text(
        (CONFIG_DIR / "algs" / "vdn.yaml").read_text() + "\nt_max: 1e2\nlabel: mine\n"
    )
    monkeypatch.chdir(tmp_path)
    name = {
        "absolute": str(path),
        "without suffix": str(path)[: -len(".yaml")],
        "relative": "mine/alg.yaml",
        "dir/name": "mine/alg",
    }[form]
    config = load("with", "lr=4", base=[f"--config={name}", BASE[1]])
    assert (config["mixer"], config["label"], config["lr"]) == ("vdn", "mine", 4)
    assert config["t_max"] == 100  # YAML takes 1e2 for text


def test_options_with_a_space():
    words = ["--config", "vdn", "--env-config", "matrix_game"]
    assert load(base=words)["mixer"] == "vdn"


def refused(capsys, *words, base=BASE):
    """The one line that a command line is refused with."""
    before = sorted(os.listdir())
    assert main([*base, *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(os.listdir()) == before
    return err


@pytest.mark.parametrize(
    "setting, parts",
    [
        ("rnner=parallel", ["unknown key 'rnner' (did you mean 'runner'?)", "t_max"]),
        ("env_args.gme=paper", ["(did you mean 'env_args.game'?)", "env_args.payoff"]),
        ("gamma.x=1", ["unknown key 'gamma.x'"]),
        ("runner=paralel", ["runner 'paralel' (did you mean 'parallel'?)", "episode"]),
        ("mac=basic", ["mac 'basic' (did you mean 'basic_mac'?)"]),
        ("agent=rn", ["agent 'rn' (did you mean 'rnn'?)"]),
        (
            "mixer=qmx",
            ["mixer 'qmx' (did you mean 'qmix'?); accepted: null, qmix, vdn"],
        ),
        ("learner=q_lerner", ["(did you mean 'q_learner'?)", "file.py:ClassName"]),
        ("learner=none.py:A", ["'none.py' does not exist"]),
        ("action_selector=greedy", ["accepted: epsilon_greedy"]),
        ("env=matrix", ["env 'matrix' (did you mean 'matrix_game'?)"]),
        ("env=sc2", ["smac", "PyPI"]),
        ("env_args.payoff=[[1,2],[3]]", ["payoff"]),
        ("env_args=3", ["env_args on the command line is 3: a mapping is needed"]),
        ("t_max=soon", ["t_max on the command line is 'soon': a number is needed"]),
        ("t_max=2.5", ["t_max is 2.5: a whole number >= 0 is needed"]),
        ("t_max=null", ["t_max on the command line is None: a number is needed"]),
        ("batch_size=-1", ["batch_size is -1: a whole number >= 1 is needed"]),
        ("buffer_size=0", ["buffer_size is 0"]),
        ("rnn_hidden_dim=-64", ["rnn_hidden_dim is -64"]),
        ("seed=-1", ["seed is -1"]),
        ("seed=99999999999", ["within [0, 4294967295]"]),
        ("lr=0", ["lr is 0: a number > 0 is needed"]),
        ("lr=nan", ["lr is nan"]),
        ("gamma=1.5", ["gamma is 1.5: a number within [0, 1] is needed"]),
        ("hypernet_layers=3", ["hypernet_layers is 3: 1 or 2"]),
        ("save_model=3", ["save_model on the command line is 3: True or False"]),
        ("name=3", ["name on the command line is 3: text is needed"]),
        ("batch_size_run=2", ["batch_size_run is 2", "runner=parallel"]),
        ("episodes_per_update=0", ["episodes_per_update is 0: a whole number >= 1"]),
        ("batch_size=6000", ["batch_size is 6000, over buffer_size, 5000"]),
        ("evaluate=True", ["evaluate needs a checkpoint_path"]),
        ("checkpoint_path=nowhere", ["'nowhere' cannot be read: No such file"]),
        ("lr", ["'lr' after `with` is not of the form key=value"]),
    ],
)
def test_settings_that_are_refused(capsys, tmp_path, monkeypatch, setting, parts):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "with", setting)
    for part in parts:
        assert part in line


def test_the_parallel_runner_has_its_own_number_of_updates(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    settings = ["runner=parallel", "batch_size_run=2", "episodes_per_update=4"]
    line = refused(capsys, "with", *settings)
    assert "episodes_per_update is 4" in line and "runner=vector" in line


def test_tensorboard_that_is_not_installed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "needs tensorboardX" in refused(capsys, "with", "use_tensorboard=True")


def test_wandb_that_is_not_installed(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = refused(capsys, "with", "use_wandb=True")
    assert "use_wandb needs wandb: pip install" in line
    assert not list(tmp_path.iterdir())


def test_wandb_s_modes(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wandb_stand_in.write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    line = refused(capsys, "with", "use_wandb=True", "wandb_mode=on")
    assert "wandb_mode is 'on': offline or online is needed" in line


def test_a_learner_of_the_plugins(capsys, monkeypatch, tmp_path):
    from wqmix.host import learners

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(learners.REGISTRY, "wqmix_learner", raising=False)
    line = refused(capsys, "with", "learner=wqmix_learner")
    assert "run it through `python -m wqmix`" in line


@pytest.mark.parametrize(
    "words, parts",
    [
        (["--config=qmx", BASE[1]], ["--config 'qmx' (did you mean 'qmix'?)", "vdn"]),
        ([BASE[0], "--env-config=x"], ["--env-config 'x'", "predator_prey"]),
        ([BASE[0]], ["--env-config=<name> is missing", "matrix_game"]),
        ([*BASE, "lr=1"], ["unknown argument 'lr=1'", "after the word `with`"]),
        (["--confg=qmix"], ["unknown argument '--confg=qmix'"]),
    ],
)
def test_command_lines_that_are_refused(capsys, tmp_path, monkeypatch, words, parts):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, base=words)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    "text, part",
    [("a: [1", "cannot read"), ("- 1\n", "no 'key: value'"), ("lr: fast", "'fast'")],
)
def test_yaml_files_that_are_refused(capsys, tmp_path, monkeypatch, text, part):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, base=[f"--config={path}", BASE[1]])
    assert part in line and "mine.yaml" in line


def test_yaml_is_read_with_the_safe_loader(capsys, tmp_path, monkeypatch):
    path = tmp_path / "evil.yaml"
    path.write_text("a: !!python/object/apply:os.mkdir [made]\n")
    monkeypatch.chdir(tmp_path)
    refused(capsys, base=[f"--config={path}", BASE[1]])
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "words, part",
    [
        (["--config=../envs/matrix_game", BASE[1]], "unknown --config"),
        (["--config=" + 5000 * "x", BASE[1]], "unknown --config"),
        ([*BASE, "with", "name=../../x"], "the name of a folder"),
        ([*BASE, "with", "name=/x"], "the name of a folder"),
        ([*BASE, "with", "name="], "the name of a folder"),
        ([*BASE, "with", "local_results_path=a_file/x"], "a_file is no folder"),
        ([*BASE, "with", "local_results_path="], "is no folder"),
        ([*BASE, "with", "label=\0"], "no text that a file can hold"),
        ([*BASE, "with", "seed=0x" + 5000 * "f"], "a whole number"),
        ([*BASE, "with", "label.x=" + 300 * "["], "unknown key"),
    ],
)
def test_names_and_values_that_are_no_such(capsys, tmp_path, monkeypatch, words, part):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    assert part in refused(capsys, base=words)


def test_nearest_step(tmp_path):
    for name in ("100", "2000", "30", "500.partial", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "9000").write_text("a file")
    steps = [nearest_step(str(tmp_path), step) for step in (0, 1, 90, 1100, 10**9)]
    assert steps == [2000, 30, 100, 2000, 2000]
    with pytest.raises(HostError, match="no folder named by its step"):
        nearest_step(str(tmp_path / "notes"), 0)


def test_the_configs_lie_beside_the_host():
    folder = os.path.dirname(os.path.dirname(os.path.abspath(host_config.__file__)))
    assert str(CONFIG_DIR) == os.path.join(os.path.realpath(folder), "config")


def test_help(capsys):
    assert main(["--help"]) == 0
    assert "--env-config=matrix_game" in capsys.readouterr().out
