"""A user's environment that goes wrong during a run: one line, whoever plays it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from wqmix.host import envs
from wqmix.host.envs.watched import Watched
from wqmix.host.errors import EnvError
from wqmix.host.main import main

from .test_contract import Line, variant


class Later(Line):
    """Right for an episode; then `goes_wrong`, at step 1."""

    def __init__(self, seed=0):
        super().__init__(seed)
        self.episode = 0

    def reset(self):
        super().reset()
        self.episode += 1

    def __getattribute__(self, name):
        get = super().__getattribute__
        wrong = get("wrong")
        if name in wrong and get("episode") > 1 and get("t") == 1:
            return wrong[name]
        return get(name)


def raises(*args):
    raise KeyError("boom")


CASES = [  # what goes wrong at step 1 of the second episode, and what is said of it
    ({"step": raises}, "step raised KeyError: 'boom' (test_watched.py, line "),
    ({"step": lambda a: sys.exit(0)}, "step raised SystemExit: 0 (test_watched.py, "),
    (
        {"step": lambda a: (np.inf, False, {})},
        "step returned inf (step 1); expected: a reward that is one finite number",
    ),
    ({"step": lambda a: (1.0, False)}, "step returned 2 values (step 1); expected"),
    ({"step": lambda a: (1.0, False, None)}, "step returned None (step 1)"),
    (
        {"get_obs": lambda: np.zeros((1, 2))},
        "get_obs returned shape (1, 2) (step 1); expected: numbers of shape "
        "(n_agents, obs_shape) = (2, 2)",
    ),
    ({"get_obs": lambda: [[0.0, np.nan]] * 2}, "get_obs returned NaN or infinity"),
    ({"get_obs": lambda: [[0.0, 1e39]] * 2}, "get_obs returned NaN or infinity"),
    ({"get_obs": lambda: [[0.0], [0.0, 1.0]]}, "get_obs returned unlike lengths"),
    ({"get_state": lambda: [1.0, 2.0]}, "get_state returned shape (2,) (step 1)"),
    ({"get_avail_actions": lambda: [[1, 1], [0, 0]]}, "no available action for agent"),
    ({"get_avail_actions": raises}, "get_avail_actions raised KeyError"),
]


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def play(make, *settings):
    """Train on what `make` makes, from the command line; the exit code."""
    envs.REGISTRY["later"] = make
    Path("later.yaml").write_text("env: later\nenv_args: {seed: null}\n")
    words = ["t_max=30", "batch_size=4", "use_cuda=False", *settings]
    return main(["--config=qmix", "--env-config=later.yaml", "with", *words])


@pytest.mark.parametrize("wrong, said", CASES)
def test_what_goes_wrong_later_is_one_line(capsys, wrong, said):
    assert play(type("Wrong", (Later,), {"wrong": wrong})) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: env 'later': ") and said in line
    (record,) = Path("results/sacred").glob("1/run.json")
    record = json.loads(record.read_text())
    assert record["status"] == "FAILED"
    if "raised" in said:  # the whole traceback is there
        assert any("test_watched.py" in part for part in record["fail_trace"])


def test_the_worker_s_traceback_is_in_the_record_too():
    wrong = type("Wrong", (Later,), {"wrong": {"step": raises}})
    assert play(wrong, "runner=vector", "batch_size_run=2") == 1
    record = Path("results/sacred/1/run.json").read_text()
    assert 'raise KeyError(\\"boom\\")' in record


@pytest.mark.parametrize("runner", ["parallel", "vector"])
@pytest.mark.parametrize("case", [0, 1, 2, 5])
def test_it_is_the_same_line_from_a_worker(capsys, runner, case):
    wrong, said = CASES[case]
    workers = [f"runner={runner}", "batch_size_run=2", "worker_restarts=0"]
    assert play(type("Wrong", (Later,), {"wrong": wrong}), *workers) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: env 'later': ") and said in line


def test_an_episode_without_an_end():
    """Whatever it says of itself: its first step after the limit is not played."""
    env = Watched(variant(step=lambda self, actions: (1.0, False, {}))(), "mine")
    for _ in range(2):  # a reset counts anew
        env.reset()
        env.step([0, 1])
        env.step([0, 1])
        with pytest.raises(EnvError, match="terminated=False after 3 steps"):
            env.step([0, 1])


def test_a_right_one_passes_unchanged():
    """Large numbers, too, and masks that change."""
    masks = [[[1, 1], [0, 1]], [[0, 1], [1, 0]]]
    far = {"get_state": lambda self: [3e38], "get_avail_actions": lambda s: masks[s.t]}
    env = variant(**far)()
    seen = Watched(env, "mine")
    seen.reset()
    assert np.array_equal(seen.get_obs(), env.get_obs())
    assert np.array_equal(seen.get_state(), [3e38])
    assert np.array_equal(seen.get_avail_actions(), masks[0])
    assert seen.step([0, 1]) == (1.0, False, {"episode_limit": False})
    assert np.array_equal(seen.get_avail_actions(), masks[1])
    assert seen.episode_limit == 3 and not hasattr(seen, "state_dict")


@pytest.mark.parametrize("name", sorted(envs.OWN - envs.FOREIGN))
def test_our_own_are_not_watched(name):
    assert envs.maker(name) is envs.REGISTRY[name]


# What cannot be made ------------------------------------------------------------------

FILES = {  # text of my_game.py, entry_point, what is said
    "import": ("import no_such_package\n", "my_game:Game", "No module named 'no_such"),
    "name": ("x = 1\ny = z\n", "my_game:Game", "name 'z' is not defined (my_game.py, "),
    "file": ("x = 1\ny = z\n", "my_game.py:Game", "(my_game.py, line 2)"),
    "syntax": ("class Game(:\n", "my_game:Game", "invalid syntax (my_game.py, line 1)"),
    "exit": ("import sys\nsys.exit(0)\n", "my_game:Game", "SystemExit: 0 (my_game.py"),
    "int": ("def Game(): return 3\n", "my_game:Game", "makes a int, no environment"),
    "no call": ("Game = 3\n", "my_game:Game", "making it raised TypeError"),
    "relative": ("", ".my_game:Game", "package.module:Class or path/to/file.py:Class"),
    "ends": (
        "def Game(): raise SystemExit(0)\n",
        "my_game:Game",
        "making it raised SystemExit: 0 (my_game.py, line 1)",
    ),
}


@pytest.fixture
def entry_point(request, monkeypatch):
    text, name, said = FILES[request.param]
    Path("my_game.py").write_text(text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "my_game", raising=False)
    return name, said


@pytest.mark.parametrize("entry_point", FILES, indirect=True)
@pytest.mark.parametrize("command", ["train", "check-env"])
def test_what_cannot_be_made_is_one_line(entry_point, capsys, command):
    from wqmix.host import check_env

    name, said = entry_point
    words = ["--config=qmix", "--env-config=custom", "with"]
    if command == "train":
        assert main([*words, f"env_args.entry_point={name}"]) == 2
    else:
        assert check_env.main(["custom", "with", f"env_args.entry_point={name}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
    assert not Path("results").exists()


def test_a_registered_one_that_cannot_be_made(capsys):
    assert play(variant(__init__=lambda self, seed: raises())) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "env 'later': making it raised KeyError: 'boom' (test_watched.py" in line


@pytest.mark.parametrize("wrong", [{"close": None}, {"close": raises}])
def test_one_that_cannot_be_closed(capsys, wrong):
    assert play(variant(**wrong)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: env 'later': close ")
