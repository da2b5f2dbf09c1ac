"""`wqmix check-env`: what it finds wrong, and what it lets pass."""

import sys

import numpy as np
import pytest

from wqmix.host import check_env, envs
from wqmix.host.envs import contract
from wqmix.host.errors import HostError


class Line:
    """A right one without any base class: two agents, 3 steps, reward 1 each."""

    n_agents, episode_limit = 2, 3

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.t, self.place = 0, self.rng.random()

    def step(self, actions):
        self.t += 1
        return 1.0, self.t == 3, {"episode_limit": self.t == 3}

    def get_obs(self):
        return [[self.place, self.t], [0.0, self.t]]

    def get_state(self):
        return [self.place]

    def get_avail_actions(self):
        return [[1, 1], [0, 1]]

    def get_env_info(self):
        return {
            "n_agents": 2,
            "n_actions": 2,
            "obs_shape": 2,
            "state_shape": 1,
            "episode_limit": 3,
        }

    def close(self):
        pass


def variant(**methods):
    """A factory of Lines in which some methods are replaced."""
    return type("Variant", (Line,), methods)


def without_state_shape(self):
    info = Line.get_env_info(self)
    del info["state_shape"]
    return info


def draws_anew(self):
    self.t, self.place = 0, np.random.random()


def raises(self, *args):
    raise KeyError("no map")


CASES = [  # what is replaced; method, returned, expected: a part of each
    ({"get_state": None}, "get_state", "no such method", "the state"),
    ({"get_env_info": lambda self: [2]}, "get_env_info", "[2]", "a dict"),
    (
        {"get_env_info": without_state_shape},
        "get_env_info",
        "a dict without 'state_shape'",
        "state_shape",
    ),
    ({"episode_limit": 4}, "episode_limit", "4", "3, as get_env_info says"),
    ({"n_agents": 3}, "n_agents", "3", "2, as get_env_info says"),
    ({"reset": raises}, "reset", "KeyError: 'no map' (test_contract.py", "exception"),
    ({"get_obs": lambda self: [[1.0, 2], [3.0]]}, "get_obs", "unlike", "(2, 2)"),
    ({"get_obs": lambda self: np.zeros((3, 2))}, "get_obs", "(3, 2)", "(2, 2)"),
    ({"get_obs": lambda self: np.full((2, 2), np.nan)}, "get_obs", "NaN", "finite"),
    ({"get_obs": lambda self: np.full((2, 2), 1e39)}, "get_obs", "infinity", "float32"),
    ({"get_obs": lambda self: [["a", "b"]] * 2}, "get_obs", "no numbers", "numbers"),
    ({"get_state": lambda self: [1, 2]}, "get_state", "(2,)", "(state_shape,) = (1,)"),
    (
        {"get_avail_actions": lambda self: [[1, 1], [0, 0]]},
        "get_avail_actions",
        "agent 1 (after reset)",
        "at least one",
    ),
    (
        {"get_avail_actions": lambda self: [[1, 2], [1, 1]]},
        "get_avail_actions",
        "[1, 2]",
        "0 and 1",
    ),
    (
        {"get_avail_actions": lambda self: [[1, 1, 1]] * 2},
        "get_avail_actions",
        "(2, 3)",
        "(2, 2)",
    ),
    ({"step": lambda self, a: ([], 1, 0, 0, {})}, "step", "5 values", "(reward, "),
    ({"step": lambda self, a: ([1, 1], True, {})}, "step", "[1, 1]", "one finite"),
    ({"step": lambda self, a: (np.inf, True, {})}, "step", "inf", "finite number"),
    ({"step": lambda self, a: (1, [True] * 2, {})}, "step", "[True, True]", "bool"),
    ({"step": lambda self, a: (1, True, None)}, "step", "None", "info: a dict"),
    ({"step": lambda self, a: (1, False, {})}, "step", "after 3 steps", "an end"),
    ({"step": raises}, "step", "KeyError: 'no map'", "no exception"),
    ({"__init__": raises}, "constructor", "KeyError: 'no map'", "an environment"),
]


@pytest.mark.parametrize("methods, method, returned, expected", CASES)
def test_each_break_of_the_contract_is_named_once(methods, method, returned, expected):
    (finding,) = contract.check(variant(**methods), seconds=0).errors
    assert finding.method.startswith(method)
    assert returned in finding.returned and expected in finding.expected


def test_several_breaks_are_all_named():
    broken = variant(get_state=lambda self: [], step=lambda self, a: ([1], 1, {}))
    found = [finding.method for finding in contract.check(broken, seconds=0).errors]
    assert found == ["get_state", "step"]


def test_a_right_one_passes_with_its_figures():
    report = contract.check(Line, n_episodes=2)
    assert report.findings == [] and report.steps_per_second > 0
    assert (report.returns, report.lengths) == ([3.0, 3.0], [3, 3])


@pytest.mark.parametrize("name", ["matrix_game", "predator_prey"])
def test_our_own_games_pass(name):
    report = contract.check(lambda: envs.REGISTRY[name](seed=1), 1, seconds=0)
    assert report.findings == []


@pytest.mark.parametrize(
    "methods, returned",
    [
        ({"reset": draws_anew}, "another episode for the same seed"),
        ({"step": lambda self, a: (1, _late(self), {})}, "no info['episode_limit']"),
    ],
)
def test_what_is_only_noted(methods, returned):
    report = contract.check(variant(**methods), seconds=0)
    assert report.errors == []
    assert [returned in finding.returned for finding in report.findings] == [True]


def _late(env):
    env.t += 1
    return env.t == 3


def test_a_state_that_leaves_something_out():
    def forget(self):
        return {"something": 1}

    broken = variant(state_dict=forget, load_state_dict=lambda self, state: None)
    (finding,) = contract.check(broken, seconds=0).errors
    assert finding.method == "state_dict" and "another one" in finding.returned


# The command ------------------------------------------------------------------------


GAME = """\
class Game:
    n_agents, episode_limit = 1, 1
    def __init__(self, size=1):
        self.size = size
    def reset(self): pass
    def step(self, actions): return {reward}, True, {{"episode_limit": False}}
    def get_obs(self): return [[0.0] * self.size]
    def get_state(self): return [0.0]
    def get_avail_actions(self): return [[1]]
    def get_env_info(self):
        return dict(n_agents=1, n_actions=1, obs_shape=self.size, state_shape=1,
                    episode_limit=1)
    def close(self): pass
"""


@pytest.fixture
def game_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(reward, name="checked_game"):
        path = tmp_path / f"{name}.py"
        path.write_text(GAME.format(reward=reward))
        return path

    return write


def test_the_command_on_a_right_game(game_file, capsys):
    game_file("0.5")
    words = ["checked_game.py:Game", "with", "env_args.options.size=3"]
    assert check_env.main(words) == 0
    out = capsys.readouterr().out
    assert "n_agents 1, n_actions 1, obs_shape 3" in out
    assert "3 episodes at random: length 1.0, return 0.50" in out
    assert "nothing wrong" in out and "steps/s" in out


def test_the_command_on_a_wrong_game(game_file, capsys):
    game_file("None", "wrong_game")
    assert check_env.main(["wrong_game:Game"]) == 1
    out = capsys.readouterr().out
    assert "wrong step" in out and "returned  None (after reset)" in out
    assert "1 wrong, 0 to note" in out and "steps/s" not in out


@pytest.mark.parametrize(
    "words, part",
    [
        (["nowhere.py:Game"], "environment file 'nowhere.py' does not exist"),
        (["no_such_module:Game"], "No module named 'no_such_module'"),
        (["checked_game.py:Gme"], "did you mean 'Game'?"),
        (["checked_game.py:Game", "env_args.options.sise=1"], "unexpected keyword"),
        (["matrix_gam"], "did you mean 'matrix_game'?"),
        (["matrix_game", "with", "env_args.gane=strong"], "'env_args.game'?"),
        (["custom", "with", "env_args.option=1"], "did you mean 'env_args.options'?"),
        (["custom"], "entry_point is None"),
        (["custom", "with", "env_args.entry_point=x"], "package.module:Class"),
    ],
)
def test_a_user_s_mistake_is_one_line(game_file, capsys, words, part):
    game_file("1.0")
    assert check_env.main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and part in said.err and said.err.count("\n") == 1


# Before training ----------------------------------------------------------------------


def test_training_does_not_begin_on_a_broken_one(game_file, capsys):
    from wqmix.host.main import main

    game_file("None", "untrainable")
    words = ["--config=qmix", "--env-config=custom", "with"]
    assert main([*words, "env_args.entry_point=untrainable:Game"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: env 'custom': step returned None (after reset); ")
    assert "check-env" in line


def test_a_registered_one_is_checked_too(monkeypatch):
    monkeypatch.setattr(envs, "REGISTRY", dict(envs.REGISTRY))
    envs.register_env("broken", variant(get_obs=lambda self: [1]))
    with pytest.raises(HostError, match="env 'broken': get_obs returned shape"):
        contract.insist(envs.REGISTRY["broken"](seed=1), "broken")
