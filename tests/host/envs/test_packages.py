"""gymma, pettingzoo and mpe: against small environments of known values, and theirs."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from wqmix.config.extras import command
from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.envs.gymma import EXTRAS
from wqmix.host.envs.packages import load
from wqmix.host.errors import EnvError, HostError

gymnasium = pytest.importorskip("gymnasium")
spaces = gymnasium.spaces
BOX = spaces.Box(-1.0, 1.0, (2,))


class Uneven(gymnasium.Env):
    """Two agents: 2 numbers and 4 actions from 5 on; a choice of 3 and 2 x 3 actions.

    Ends when agent 0 plays its last action. Rewards: the actions' numbers, 1 and 2.
    """

    observation_space = spaces.Tuple((BOX, spaces.Discrete(3)))
    action_space = spaces.Tuple(
        (spaces.Discrete(4, start=5), spaces.MultiDiscrete([2, 3]))
    )

    def __init__(self, masked=False, scale=1.0):
        self.masked, self.scale = masked, scale

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.random(2).astype(np.float32)
        return self.seen()

    def seen(self):
        info = {"steps": 1, "map": np.zeros(3)}
        if self.masked:
            info["action_mask"] = [np.array([1, 0, 0, 1]), np.array([0, 1, 1, 1, 1, 1])]
        return (self.place * self.scale, 2), info

    def step(self, actions):
        self.played = actions
        observations, info = self.seen()
        return observations, [1.0, 2.0], actions[0] == 8, False, info


@pytest.fixture(autouse=True, scope="module")
def registered():
    gymnasium.register("UnevenWqmixTest-v0", entry_point=Uneven)
    yield
    del gymnasium.registry["UnevenWqmixTest-v0"]


def gymma(**env_args):
    return envs.REGISTRY["gymma"](**{"key": "UnevenWqmixTest-v0", **env_args})


def test_unlike_spaces_are_brought_to_one_size():
    env = gymma(time_limit=3, seed=1)
    observations, state = env.reset()
    assert env.get_env_info() == {
        "state_shape": 6,
        "obs_shape": 3,
        "n_actions": 6,
        "n_agents": 2,
        "episode_limit": 3,
    }
    own = env._env.unwrapped
    assert observations[0].tolist() == [*own.place.tolist(), 0]  # padded
    assert observations[1].tolist() == [0, 0, 1]  # 2 of 0, 1, 2
    assert state.tolist() == [*observations[0], *observations[1]]
    assert env.get_avail_actions() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    reward, terminated, info = env.step(np.array([2, 4]))
    assert own.played[0] == 7 and own.played[1].tolist() == [1, 1]
    assert (reward, terminated) == (3.0, False)
    assert info == {"steps": 1.0, "episode_limit": False}


def test_time_and_the_game_end_an_episode_differently():
    env = gymma(time_limit=2)
    env.reset()
    assert env.step([0, 0])[1:] == (False, {"steps": 1.0, "episode_limit": False})
    assert env.step([0, 0])[1:] == (True, {"steps": 1.0, "episode_limit": True})
    env.reset()
    env.step([0, 0])
    assert env.step([3, 0])[1:] == (True, {"steps": 1.0, "episode_limit": False})


def test_masks_options_and_the_mean_reward():
    env = gymma(options={"masked": True, "scale": 0.0}, reward_scalarisation="mean")
    observations, _ = env.reset()
    assert observations[0].tolist() == [0, 0, 0]
    assert env.get_avail_actions() == [[1, 0, 0, 1, 0, 0], [0, 1, 1, 1, 1, 1]]
    assert env.get_avail_agent_actions(0) == [1, 0, 0, 1, 0, 0]
    assert env.step([0, 1])[0] == 1.5


def test_a_state_carries_over_to_another_one():
    first, second = gymma(seed=3), gymma(seed=4)
    first.reset()
    kept = first.state_dict()
    expected = first.reset()[1].tolist()
    assert second.reset()[1].tolist() != expected
    second.load_state_dict(kept)
    assert second.reset()[1].tolist() == expected
    assert contract.check(lambda: gymma(seed=1), 2, seconds=0).findings == []


def boom(*args):
    raise KeyError("boom")


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"step": boom}, r"step raised KeyError: 'boom' \(test_packages.py, line \d+"),
        (
            {"seen": lambda self: ((BOX.high[:1], 2), {})},
            "step: agent 0's observation has 1 numbers; its space has 2",
        ),
        (
            {"seen": lambda self: ((BOX.high, 2), {"action_mask": [np.ones(3)] * 2})},
            "step: agent 0's mask has 3 numbers; its space has 4",
        ),
        (
            {"seen": lambda self: ((BOX.high * np.nan, 2), {})},
            r"get_obs returned NaN or infinity \(step 1\); expected: finite",
        ),
        (
            {"step": lambda self, _: (*self.seen()[:1], [np.inf] * 2, False, 0, {})},
            r"step returned inf \(after reset\); expected: a reward that is one finite",
        ),
    ],
)
def test_what_a_user_s_own_does_wrong_in_a_run_is_one_line(monkeypatch, wrong, said):
    env = envs.maker("gymma")(key="UnevenWqmixTest-v0")
    env.reset()
    for name, value in wrong.items():
        monkeypatch.setattr(Uneven, name, value)
    with pytest.raises(EnvError, match=f"^env 'gymma': {said}"):
        env.step([0, 0])
        env.get_obs()


@pytest.mark.parametrize(
    "env_args, parts",
    [
        ({"key": "UnevenWqmixTst-v0"}, ["no id 'UnevenWqmixTst", "UnevenWqmixTest-v0"]),
        ({"key": None}, ["a gymnasium id is needed"]),
        ({"key": "CartPole-v1"}, ["is for one agent", "Box"]),
        ({"key": "UnevenWqmix"}, ["no id", "write package:id for a package's own"]),
        ({"key": "no_such_package:X-v0"}, ["needs no_such_package"]),
        ({"key": "lbforagin:X-v0"}, ["'lbforagin') (did you mean 'lbforaging'?)"]),
        ({"options": {"sale": 1}}, ["env_args.options {'sale': 1} are refused"]),
        ({"time_limit": 0}, ["time_limit is 0"]),
        ({"common_reward": False}, ["one reward for the team"]),
        ({"reward_scalarisation": "max"}, ["'max': sum or mean"]),
        ({"pretrained_wrapper": "X"}, ["EPyMARL's own"]),
        ({"tme_limit": 3}, ["did you mean 'time_limit'?", "env_args.options"]),
        ({"seed": -1}, ["seed is -1"]),
    ],
)
def test_a_mistake_is_one_line(env_args, parts):
    with pytest.raises(HostError) as error:
        gymma(**env_args)
    assert all(part in str(error.value) for part in parts)
    assert "\n" not in str(error.value) and "pip install" not in str(error.value)


def test_what_a_package_prints_when_imported_is_no_output(
    tmp_path, monkeypatch, capsys
):
    text = "import sys\nsys.stdout = sys.__stdout__\nprint('hello')\n"  # as JaxMARL
    (tmp_path / "wqmix_talkative.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    load("wqmix_talkative", "x", "x")
    print("output again")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("output again\n", "hello\n")


def test_actions_without_end_are_refused(monkeypatch):
    monkeypatch.setattr(Uneven, "action_space", spaces.Tuple((BOX, BOX)))
    with pytest.raises(HostError, match="agent 0 acts in Box.*finite number"):
        gymma()


@pytest.mark.parametrize(
    "env, module, extra",
    [
        ("gymma", "gymnasium", "gymma"),
        ("pettingzoo", "pettingzoo", "pettingzoo"),
        ("mpe", "mpe2", "mpe"),
        ("smax", "jaxmarl.environments.smax", "smax"),
    ],
)
def test_a_missing_package_names_its_extra(monkeypatch, env, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HostError) as error:
        envs.REGISTRY[env](seed=1)
    said = str(error.value)
    assert f"env {env!r} needs {module.split('.')[0]} (" in said
    assert said.endswith(f": {command(extra)}") and "\n" not in said


@pytest.mark.parametrize("package, extra", EXTRAS.items())
def test_a_missing_package_of_games_names_its_own_extra(monkeypatch, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HostError, match="pip install") as error:
        gymma(key=f"{package}:Anything-v1")
    assert str(error.value).endswith(f": {command(extra)}")


def test_every_extra_that_is_named_exists():
    setup = Path(__file__).resolve().parents[3] / "setup.py"
    for extra in ["gymma", "pettingzoo", "mpe", "smax", *EXTRAS.values()]:
        assert f'"{extra}": ' in setup.read_text(encoding="utf-8")


# PettingZoo ---------------------------------------------------------------------------


class Dying:
    """A parallel environment: `a` dies in its first step, `b` and `c` play `end` steps.

    `b` observes a dict with a mask; `c` is told its mask by the infos.
    """

    possible_agents = ["a", "b", "c"]

    def __init__(self, end=3, truncates=True):
        self.end, self.truncates, self.played = end, truncates, []

    def observation_space(self, agent):
        mask = spaces.Box(0, 1, (3,), np.int8)
        box = spaces.Box(-1.0, 9.0, (1,))
        masked = spaces.Dict({"observation": box, "action_mask": mask})
        return masked if agent == "b" else box

    def action_space(self, agent):
        return spaces.Discrete({"a": 2, "b": 3, "c": 2}[agent])

    def _seen(self, agents):
        observations = {agent: np.float32([self.t + 1]) for agent in agents}
        mask = np.array([0, 1, 1], dtype=np.int8)
        observations["b"] = {"observation": observations["b"], "action_mask": mask}
        infos = {agent: {} for agent in agents}
        infos["c"] = {"action_mask": np.array([1, 0])}
        return observations, infos

    def reset(self, seed=None, options=None):
        self.t, self.agents = 0, list(self.possible_agents)
        return self._seen(self.agents)

    def step(self, actions):
        assert set(actions) == set(self.agents)
        self.played.append(actions)
        agents, self.t = self.agents, self.t + 1
        is_last = self.t == self.end
        ended = {a: a == "a" or (is_last and not self.truncates) for a in agents}
        truncated = {a: is_last and self.truncates and a != "a" for a in agents}
        self.agents = [a for a in agents if not ended[a] and not truncated[a]]
        observations, infos = self._seen(agents)
        return observations, dict.fromkeys(agents, 1.0), ended, truncated, infos

    def state(self):
        raise NotImplementedError


@pytest.fixture
def zoo(monkeypatch):
    pytest.importorskip("pettingzoo")
    module = types.ModuleType("wqmix_test_zoo.dying_v0")
    module.parallel_env = Dying
    folder = types.ModuleType("wqmix_test_zoo")
    folder.__path__ = []
    monkeypatch.setitem(sys.modules, "wqmix_test_zoo", folder)
    monkeypatch.setitem(sys.modules, "wqmix_test_zoo.dying_v0", module)

    def make(**env_args):
        key = "wqmix_test_zoo.dying_v0"
        return envs.REGISTRY["pettingzoo"](**{"key": key, **env_args})

    return make


def test_an_agent_that_is_gone_does_nothing_and_sees_nothing(zoo):
    env = zoo(options={"end": 2})
    env.reset()
    assert [list(each) for each in env.get_obs()] == [[1], [1], [1]]
    assert env.get_avail_actions() == [[1, 1, 0], [0, 1, 1], [1, 0, 0]]
    reward, terminated, info = env.step([1, 2, 0])
    assert (reward, terminated, info) == (3.0, False, {"episode_limit": False})
    assert [list(each) for each in env.get_obs()] == [[0], [2], [2]]
    assert env.get_avail_actions() == [[1, 0, 0], [0, 1, 1], [1, 0, 0]]
    reward, terminated, info = env.step([0, 1, 0])
    assert env._env.played[1] == {"b": 1, "c": 0}
    assert (reward, terminated, info) == (2.0, True, {"episode_limit": True})
    # Out of time: what could be done next still counts for those who were there.
    assert env.get_avail_actions()[1:] == [[0, 1, 1], [1, 0, 0]]
    assert env.get_state().tolist() == [0, 3, 3]


@pytest.mark.parametrize("time_limit, by_time", [(5, False), (2, True)])
def test_who_ended_a_parallel_episode(zoo, time_limit, by_time):
    env = zoo(options={"truncates": False}, time_limit=time_limit)
    env.reset()
    length = 0
    terminated = False
    while not terminated:
        _, terminated, info = env.step([0, 1, 0])
        length += 1
    assert (length, info["episode_limit"]) == (min(3, time_limit), by_time)


@pytest.mark.parametrize(
    "key, parts",
    [
        ("mpe2.simple_sprad_v3", ["mpe2 has no 'simple_sprad_v3'", "simple_spread_v3"]),
        ("simple_spread_v3", ["a module is needed"]),
        ("wqmix_no_such.thing_v0", ["needs wqmix_no_such"]),
        ("mpe2.all_modules", ["has no parallel_env"]),
    ],
)
def test_an_unknown_parallel_environment_is_one_line(key, parts):
    pytest.importorskip("mpe2")
    with pytest.raises(HostError) as error:
        envs.REGISTRY["pettingzoo"](key=key)
    assert all(part in str(error.value) for part in parts)
    assert "\n" not in str(error.value)


# The packages themselves --------------------------------------------------------------


def test_level_based_foraging():
    pytest.importorskip("lbforaging")
    env = envs.REGISTRY["gymma"](seed=1)
    info = env.get_env_info()
    assert (info["n_agents"], info["n_actions"], info["obs_shape"]) == (2, 6, 15)
    make = lambda: envs.REGISTRY["gymma"](seed=1)  # noqa: E731
    report = contract.check(make, seconds=0)
    assert report.findings == [] and max(report.lengths) <= 50
    assert 0 <= min(report.returns) and max(report.returns) <= 1.0001


def test_the_warehouse():
    pytest.importorskip("rware")
    key = "rware:rware-tiny-2ag-v2"
    env = envs.REGISTRY["gymma"](key=key, time_limit=500, seed=1)
    info = env.get_env_info()
    assert (info["n_agents"], info["n_actions"], info["obs_shape"]) == (2, 5, 71)
    env.reset()
    steps, terminated = 0, False
    while not terminated:
        _, terminated, _ = env.step([0, 0])
        steps += 1
    assert steps == 500


@pytest.mark.parametrize(
    "key, sizes",
    [
        ("simple_spread_v3", (3, 5, 18, 54)),
        ("simple_speaker_listener_v4", (2, 5, 11, 14)),  # 3 and 11 numbers, 3 and 5
        ("simple_tag_v3", (4, 5, 16, 62)),
    ],
)
def test_particle_worlds(key, sizes):
    pytest.importorskip("mpe2")
    make = lambda: envs.REGISTRY["mpe"](key=key, seed=1)  # noqa: E731
    info = make().get_env_info()
    names = ("n_agents", "n_actions", "obs_shape", "state_shape")
    assert tuple(info[name] for name in names) == sizes
    report = contract.check(make, seconds=0)
    assert report.findings == [] and report.lengths == [25, 25, 25]


def test_mpe_lists_the_nearest_worlds_and_takes_options():
    pytest.importorskip("mpe2")
    with pytest.raises(HostError, match="nearest are simple_spread_v3"):
        envs.REGISTRY["mpe"](key="simple_sprad_v3")
    env = envs.REGISTRY["mpe"](options={"N": 2}, time_limit=7, seed=1)
    assert (env.n_agents, env.episode_limit) == (2, 7)
    env.reset()
    assert [env.step([0, 0])[1] for _ in range(7)] == [False] * 6 + [True]
