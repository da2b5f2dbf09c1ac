"""What every registered game must do, and the registry itself."""

import os

import numpy as np
import pytest
import yaml

from wqmix import host
from wqmix.host import envs
from wqmix.host.errors import HostError

OWN_GAMES = ["matrix_game", "predator_prey"]  # the others need packages


def test_every_game_has_its_configuration():
    for name in envs.REGISTRY:
        with open(os.path.join(envs.CONFIG_FOLDER, name + ".yaml")) as stream:
            config = yaml.safe_load(stream)
        assert config["env"] == name
        assert "seed" in config["env_args"], "the host hands its seed over in env_args"


def test_a_configuration_s_first_line_stands_alone():
    """`wqmix list environments` shows no other."""
    for name in envs.REGISTRY:
        with open(os.path.join(envs.CONFIG_FOLDER, name + ".yaml")) as stream:
            first, second = stream.readline(), stream.readline()
        assert first.startswith("# ")
        assert first.endswith(".\n") or not second.startswith("#"), name


@pytest.mark.parametrize("name", OWN_GAMES)
def test_a_single_game_speaks_pymarl(name):
    env = envs.REGISTRY[name](seed=4)
    assert isinstance(env, envs.MultiAgentEnv) and env.seed() == 4
    info = env.get_env_info()
    observations, state = env.reset()
    terminated, length, rng = False, 0, np.random.default_rng(0)
    while not terminated:
        avail = np.array(env.get_avail_actions())
        assert avail.shape == (info["n_agents"], info["n_actions"])
        assert avail.any(axis=1).all()
        assert env.get_avail_agent_actions(1) == avail[1].tolist()
        assert [each.shape for each in env.get_obs()] == (
            [(info["obs_shape"],)] * info["n_agents"]
        )
        assert np.array_equal(env.get_obs_agent(1), env.get_obs()[1])
        assert env.get_state().shape == (info["state_shape"],)
        before = env.get_state()
        kept = before.copy()
        actions = (rng.random(avail.shape) * avail).argmax(axis=1)
        reward, terminated, step_info = env.step(actions)
        assert np.array_equal(before, kept), "what a call returned is the caller's"
        assert type(reward) is float and type(terminated) is bool
        assert all(type(value) in (bool, int) for value in step_info.values())
        length += 1
    assert length <= info["episode_limit"]
    assert env.get_stats() == {} and env.get_total_actions() == info["n_actions"]
    with pytest.raises(HostError, match="save_replay"):
        env.save_replay()
    env.close()


@pytest.mark.parametrize("name", OWN_GAMES)
def test_many_copies_keep_the_batch_contract(name):
    env = envs.BATCH_REGISTRY[name](5, seed=4)
    info = env.get_env_info()
    agents, actions = info["n_agents"], info["n_actions"]
    env.reset()
    assert env.get_obs().shape == (5, agents, info["obs_shape"])
    assert env.get_state().shape == (5, info["state_shape"])
    assert env.get_avail_actions().shape == (5, agents, actions)
    dtypes = [env.get_obs().dtype, env.get_state().dtype, env.get_avail_actions().dtype]
    assert dtypes == [np.float32, np.float32, np.uint8]
    reward, terminated, info = env.step(env.get_avail_actions().argmax(axis=2))
    assert (reward.shape, reward.dtype) == ((5,), np.float32)
    assert (terminated.shape, terminated.dtype) == ((5,), bool)
    assert all(value.shape == (5,) for value in info.values())
    assert "episode_limit" in info


def test_a_game_of_ones_own(monkeypatch):
    monkeypatch.setattr(envs, "REGISTRY", dict(envs.REGISTRY))
    monkeypatch.setattr(envs, "BATCH_REGISTRY", dict(envs.BATCH_REGISTRY))
    envs.register_env("mine", dict)
    assert envs.REGISTRY["mine"](size=3) == {"size": 3}
    assert "mine" not in envs.BATCH_REGISTRY
    with pytest.raises(HostError, match="'mine' is registered already"):
        envs.register_env("mine", list)
    assert envs.REGISTRY["mine"] is dict
    assert host.register_env is envs.register_env


def test_a_batch_of_many_is_no_single_game():
    with pytest.raises(ValueError, match="1 copy, not 2"):
        envs.SingleEnv(envs.BATCH_REGISTRY["matrix_game"](2))
