"""What other packages return, in every form: returns and lengths computed by hand."""

import random
import sys
import time
import types

import numpy as np
import pytest

from wqmix.host import check_env, envs
from wqmix.host.envs import contract
from wqmix.host.envs.watched import Watched
from wqmix.host.errors import EnvError, HostError
from wqmix.host.runners import base

from .test_contract import Line, variant

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces
NEVER = [False] * 3


class Three(gymnasium.Env):
    """Three agents, each paid 1 in every step; `flags(t)` ends it."""

    observation_space = spaces.Tuple([spaces.Box(0.0, 99.0, (1,))] * 3)
    action_space = spaces.Tuple([spaces.Discrete(2)] * 3)
    rewards, info = [1.0] * 3, {}

    def reset(self, seed=None, options=None):
        self.t = 0
        return self.seen(), self.info

    def seen(self):
        return [np.float32([self.t])] * 3

    def step(self, actions):
        self.t += 1
        return (self.seen(), self.rewards, *self.flags(), self.info)


def played(env, actions=(0, 0, 0)):
    env.reset()
    total, length, over = 0.0, 0, False
    while not over:
        reward, over, info = env.step(list(actions))
        total, length = total + reward, length + 1
    return total, length, info["episode_limit"]


@pytest.fixture
def gymma():
    def make(flags=lambda self: (self.t == 5, False), **parts):
        own = type("Own", (Three,), {"flags": flags, **parts})
        gymnasium.register("ThreeWqmixTest-v0", entry_point=own)
        return envs.maker("gymma")(key="ThreeWqmixTest-v0", time_limit=20, seed=1)

    yield make
    gymnasium.registry.pop("ThreeWqmixTest-v0", None)


def at_five(true, false):
    return lambda self: true if self.t == 5 else false


@pytest.mark.parametrize(
    "end, by_time",
    [
        ((True, False), False),
        ((np.array(True), np.array(False)), False),
        (([True] * 3, NEVER), False),
        ((np.ones((3, 1), bool), np.zeros((3, 1), bool)), False),
        (([True, False, False], [False, True, True]), True),
        ((dict.fromkeys(range(3), True), {}), False),
        (({"a": True, "b": True, "c": True}, {"a": False, "b": 0, "c": 0}), False),
        (({"__all__": True}, {"__all__": False}), False),
        (({"__all__": False}, {"__all__": True}), True),
    ],
)
def test_flags_in_every_form_end_at_step_five(gymma, end, by_time):
    false = {k: False for k in end[0]} if isinstance(end[0], dict) else NEVER
    assert played(gymma(at_five(end, (false, NEVER)))) == (15.0, 5, by_time)


@pytest.mark.parametrize(
    "rewards",
    [
        [1.0] * 3,
        np.ones((3, 1)),
        {"a": 1, "b": 1, "c": 1},
        3.0,
        np.array(3.0),
        [3],
        {0: 3.0},
    ],
)
def test_rewards_in_every_form(gymma, rewards):
    assert played(gymma(rewards=rewards)) == (15.0, 5, False)


def test_list_infos_with_masks(gymma):
    env = gymma(info=[{"action_mask": [0, 1]}, {}, {"action_mask": [1, 0]}])
    env.reset()
    assert np.array(env.get_avail_actions()).tolist() == [[0, 1], [1, 1], [1, 0]]


def test_the_older_api(gymma):
    def reset(self):
        self.t = 0
        return self.seen()

    def step(self, actions):
        self.t += 1
        return self.seen(), [1.0] * 3, self.t == 5, {"TimeLimit.truncated": True}

    assert played(gymma(reset=reset, step=step)) == (15.0, 5, True)


def test_an_own_state_and_padded_masks(gymma):
    state = {"get_state": lambda self: np.arange(7.0)}
    masks = {"get_avail_actions": lambda self: [[1, 1, 0, 0], [0, 1, 0], [1, 0]]}
    env = gymma(**state, **masks)
    env.reset()
    assert env.get_env_info()["state_shape"] == 7
    assert env.get_state().tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert np.array(env.get_avail_actions()).tolist() == [[1, 1], [0, 1], [1, 0]]
    too_long = gymma(info={"action_mask": [[1, 1, 1]] * 3})
    with pytest.raises(EnvError, match="mask has 3 numbers; its space has 2"):
        too_long.reset()


@pytest.mark.parametrize(
    "parts, said",
    [
        ({"rewards": [1.0, 2.0]}, "rewards: 2 for 3 agents"),
        ({"rewards": None}, "None is not one number"),
        ({"flags": lambda self: (None, False)}, "terminated is None"),
        ({"flags": lambda self: ([True], [2, 0, 0])}, "truncated is"),
    ],
)
def test_what_cannot_be_read_is_one_line(gymma, parts, said):
    env = gymma(**parts)
    env.reset()
    with pytest.raises(EnvError, match=said) as error:
        env.step([0, 0, 0])
    assert ".py, line" not in str(error.value)


# PettingZoo ---------------------------------------------------------------------------


class Filled:
    """`agents` stays filled; `a` is terminated at step 2, all at step 5."""

    possible_agents = ["a", "b", "c"]

    def observation_space(self, agent):
        return spaces.Box(0.0, 99.0, (1,))

    def action_space(self, agent):
        return spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.t, self.agents, self.acted = 0, list(self.possible_agents), []
        return {a: [0.0] for a in self.agents}, {}

    def step(self, actions):
        self.t += 1
        self.acted.append(sorted(actions))
        ends = {a: self.t >= (2 if a == "a" else 5) for a in self.agents}
        rewards = dict.fromkeys(self.agents, 1.0)
        none = dict.fromkeys(self.agents, False)
        return {a: [1.0] for a in self.agents}, rewards, ends, none, {}


class Emptied(Filled):
    def step(self, actions):
        self.agents = []
        return {}, {}, {}, {}, {}


@pytest.mark.parametrize("key", ["wqmix_filled", "wqmix_folder.filled"])
def test_agents_that_stay_filled(monkeypatch, key):
    """Length 5, return 15; a plain module will do as a key."""
    pytest.importorskip("pettingzoo")
    folder, module = types.ModuleType("wqmix_folder"), types.ModuleType(key)
    module.parallel_env = Filled
    monkeypatch.setitem(sys.modules, "wqmix_folder", folder)
    monkeypatch.setitem(sys.modules, key, module)
    env = envs.maker("pettingzoo")(key=key, time_limit=20, seed=1)
    assert played(env) == (15.0, 5, False)
    assert env._env._env.acted == [["a", "b", "c"]] * 2 + [["b", "c"]] * 3


def test_agents_and_flags_that_contradict_each_other(monkeypatch):
    pytest.importorskip("pettingzoo")
    module = types.ModuleType("wqmix_emptied")
    module.parallel_env = Emptied
    monkeypatch.setitem(sys.modules, "wqmix_emptied", module)
    env = envs.maker("pettingzoo")(key="wqmix_emptied", seed=1)
    env.reset()
    with pytest.raises(EnvError, match="`agents` is empty, but terminated and"):
        env.step([0, 0, 0])


# A custom one -------------------------------------------------------------------------


def test_gym_s_word_for_the_time_limit_counts():
    env = Watched(
        variant(step=lambda s, a: (1, True, {"TimeLimit.truncated": 1}))(), ""
    )
    env.reset()
    assert env.step([0, 1]) == (1.0, True, {"episode_limit": True})


def test_numpy_s_integers_are_plain_ones_from_here_on():
    info = {key: np.int64(value) for key, value in Line().get_env_info().items()}
    env = Watched(variant(get_env_info=lambda self: info)(), "")
    assert {type(value) for value in env.get_env_info().values()} == {int}
    assert type(env.episode_limit) is type(env.n_agents) is int


def test_a_close_that_hangs_is_said(monkeypatch):
    hangs = variant(close=lambda self: time.sleep(60))
    monkeypatch.setattr(contract, "SECONDS_TO_CLOSE", 0.1)
    module = sys.modules[Watched.__module__]
    monkeypatch.setattr(module, "SECONDS_TO_CLOSE", 0.1)
    with pytest.raises(HostError, match="close returned nothing within 0.1 seconds"):
        contract.insist(hangs(), "mine")
    with pytest.raises(EnvError, match="close has not returned after 0.1 seconds"):
        Watched(hangs(), "mine").close()


def test_check_env_notes_who_seeds_global_generators():
    def reset(self):
        np.random.seed(3)
        random.seed(3)
        Line.reset(self)

    before = random.getstate()
    report = contract.check(variant(reset=reset), seconds=0)
    found = {(f.method, f.returned) for f in report.findings}
    assert found == {
        ("reset", "numpy's global generator, seeded"),
        ("reset", "Python's global generator, seeded"),
    }
    assert report.errors == []
    contract.check(Line, seconds=0)
    assert random.getstate() != before  # by its own reset, in this test; not reset anew


def test_an_environment_s_numbers_have_names_of_their_own():
    info = {"return": 1.0, "n_episodes": 2.0, "test_x": 3.0, "won": 4.0, "q_taken": 5.0}
    assert base.under_own_names(info) == {
        "env_return": 1.0,
        "env_n_episodes": 2.0,
        "env_test_x": 3.0,
        "won": 4.0,
        "env_q_taken": 5.0,
    }


def test_check_env_of_a_file_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.py").write_text("class A: pass\nclass B: pass\n")
    assert check_env.main(["two.py"]) == 2
    assert "Write two.py:ClassName" in capsys.readouterr().err


# A user's own packages ----------------------------------------------------------------

GRID = """
import utils
from envs.multiagentenv import MultiAgentEnv
from components.mine import VALUE
class Env(MultiAgentEnv):
    said = utils.WHO, VALUE
"""


@pytest.mark.parametrize("entry_point", ["envs.grid:Env", "envs/grid.py:Env"])
def test_a_user_s_own_packages_come_first(tmp_path, monkeypatch, entry_point):
    from wqmix.host.envs.custom import find

    for name in ("envs", "utils", "components"):
        (tmp_path / name).mkdir()
    (tmp_path / "envs" / "grid.py").write_text(GRID)
    (tmp_path / "utils" / "__init__.py").write_text("WHO = 'theirs'\n")
    (tmp_path / "components" / "mine.py").write_text("VALUE = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    before = set(sys.modules)
    try:
        found = find(entry_point)
    finally:
        for name in set(sys.modules) - before:
            if name.split(".")[0] in ("envs", "utils", "components"):
                del sys.modules[name]
    assert found.said == ("theirs", 7)
    assert issubclass(found, envs.MultiAgentEnv)
