"""`sc2` and `sc2v2` against stand-ins with the interfaces of smac and smacv2.

Neither package is on PyPI, and both need the game: what is tested is the hand-over.
"""

import sys
import types

import numpy as np
import pytest

from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.errors import HostError


class Skirmish:
    """A stand-in with the methods of StarCraft2Env: three steps, then a win."""

    n_agents, n_actions, episode_limit = 2, 3, 5

    def __init__(self, map_name, seed, **settings):
        self.map_name, self.settings, self._seed = map_name, settings, seed

    def reset(self):
        self.t = 0
        return self.get_obs(), self.get_state()

    def step(self, actions):
        assert len(actions) == self.n_agents
        self.t += 1
        over = self.t == 3
        info = {"battle_won": over, "dead_allies": 0} if over else {}
        return 5.0 * over, over, info

    def get_obs(self):
        return [np.full(4, self.t, dtype=np.float32) for _ in range(2)]

    def get_state(self):
        return np.full(6, self.t, dtype=np.float32)

    def get_avail_actions(self):
        return [[0, 1, 1], [1, 0, 0]]

    def get_env_info(self):
        return {
            "state_shape": 6,
            "obs_shape": 4,
            "n_actions": 3,
            "n_agents": 2,
            "episode_limit": 5,
        }

    def close(self):
        pass


class Capabilities:
    """As smacv2's wrapper: writes into its configuration, passes the rest on."""

    def __init__(self, **kwargs):
        for name, part in kwargs["capability_config"].items():
            if isinstance(part, dict):
                assert "env_key" not in part, "the wrapper got a used configuration"
                part["env_key"] = name
        self.env = Skirmish(**kwargs)

    def reset(self):
        self.env.reset()  # and returns nothing, as smacv2's does after a retry

    def __getattr__(self, name):
        if name == "env" or not hasattr(self.env, name):
            raise AttributeError(name)
        return getattr(self.env, name)


@pytest.fixture
def starcraft(monkeypatch):
    stand_ins = {
        "smac": ("StarCraft2Env", Skirmish),
        "smacv2": ("StarCraftCapabilityEnvWrapper", Capabilities),
    }
    for package, (name, made) in stand_ins.items():
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        module = types.ModuleType(f"{package}.env")
        setattr(module, name, made)
        monkeypatch.setitem(sys.modules, f"{package}.env", module)


@pytest.mark.parametrize("name, map_name", [("sc2", "3m"), ("sc2v2", "10gen_terran")])
def test_the_yaml_s_settings_are_handed_over(starcraft, name, map_name):
    env_args = {**envs.default_env_args(name), "seed": 7}
    for _ in range(2):  # made once to be checked and once to be played
        env = envs.REGISTRY[name](**env_args)
        assert (env.map_name, env._seed) == (map_name, 7)
        assert env.settings["reward_win"] == 200 and env.settings["difficulty"] == "7"
        contract.insist(env, name)


def test_smacv2_s_task_is_its_published_one():
    """The values of its example configuration for Terran with 5 units."""
    task = envs.default_env_args("sc2v2")["capability_config"]
    assert (task["n_units"], task["n_enemies"]) == (5, 5)
    assert task["team_gen"]["weights"] == [0.45, 0.45, 0.1]
    assert task["start_positions"]["dist_type"] == "surrounded_and_reflect"


@pytest.mark.parametrize("name, package", [("sc2", "smac"), ("sc2v2", "smacv2")])
def test_absent_it_names_the_right_package(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.env", raising=False)
    with pytest.raises(HostError, match=f"GitHub, oxwhirl/{package}") as error:
        envs.REGISTRY[name](map_name="3m")
    assert "\n" not in str(error.value)


class OfSMAC(Skirmish):
    """Knows two maps, and needs a game."""

    __module__ = "smac.env"
    problem = FileNotFoundError(2, "No such file or directory", "/nowhere/Versions")

    def __init__(self, map_name, **settings):
        super().__init__(map_name, n_agents={"3m": 3, "3s5z": 8}[map_name], **settings)

    def _launch(self):
        raise self.problem

    def reset(self):
        self._launch()


@pytest.fixture
def smac(starcraft, monkeypatch):
    monkeypatch.setattr(sys.modules["smac.env"], "StarCraft2Env", OfSMAC)
    maps = types.ModuleType("smac.env.starcraft2.maps")
    registry = {"3m": {}, "3s5z": {}}
    maps.smac_maps = types.SimpleNamespace(get_smac_map_registry=lambda: registry)
    for name, module in (("smac.env.starcraft2", maps), (maps.__name__, maps)):
        monkeypatch.setitem(sys.modules, name, module)


def test_an_unknown_map_names_the_nearest(smac):
    with pytest.raises(HostError) as error:
        envs.REGISTRY["sc2"](map_name="3s5zz", seed=1)
    assert str(error.value) == (
        "map_name='3s5zz' is none of smac's maps (did you mean '3s5z'?): 3m, 3s5z"
    )


def test_an_absent_game_says_where_it_was_looked_for(smac, monkeypatch):
    monkeypatch.setenv("SC2PATH", "/nowhere")
    env = envs.REGISTRY["sc2"](map_name="3m", seed=1)
    with pytest.raises(HostError) as error:
        env.reset()
    assert "\n" not in str(error.value)
    for part in ("does not start (FileNotFoundError", "/nowhere", "SC2PATH", "Maps/"):
        assert part in str(error.value)


def test_a_protobuf_that_is_too_new_names_the_remedy(monkeypatch, tmp_path):
    """What the real one does when smac imports the game's protocol."""
    (tmp_path / "smac").mkdir()
    (tmp_path / "smac" / "__init__.py").touch()
    raising = "raise TypeError('Descriptors cannot be created directly.\\nIf this …')"
    (tmp_path / "smac" / "env.py").write_text(raising, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("smac", "smac.env"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(HostError, match='pip install "protobuf<3.21"') as error:
        envs.REGISTRY["sc2"](map_name="3m")
    assert "\n" not in str(error.value)
    for name in ("smac", "smac.env"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("found", ["smac", "smac.env"])
def test_the_other_smac_is_not_starcraft(monkeypatch, found):
    monkeypatch.setitem(sys.modules, "smac", types.ModuleType("smac"))
    monkeypatch.delitem(sys.modules, "smac.env", raising=False)
    if found == "smac.env":
        monkeypatch.setitem(sys.modules, found, types.ModuleType(found))
    with pytest.raises(HostError, match="PyPI is another package"):
        envs.REGISTRY["sc2"](map_name="3m")
