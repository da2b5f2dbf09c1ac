"""The embedded host's games behind the other hosts' environment interfaces."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from wqmix.config import reading
from wqmix.plugin.command_line import rewrite
from wqmix.plugin.configs import ConfigFiles
from wqmix.plugin.environments import OUR_ENVS, HostEnv, for_host, register_in
from wqmix.plugin.hosts import HOSTS

from .fakes import make_host

ARGS = {"map_name": "matrix_game", "seed": 1}


def games(name: str) -> dict:
    """Return a host's registry with the matrix game entered."""
    envs = ModuleType("envs")
    envs.REGISTRY = {"sc2": dict}
    register_in(envs, HOSTS[name], "matrix_game", HOSTS[name].steps_as_gymnasium)
    assert envs.REGISTRY.pop("sc2") is dict
    return envs.REGISTRY


def test_pymarl_builds_and_steps_it() -> None:
    game = games("pymarl")["wqmix_matrix_game"](**ARGS)
    info = game.get_env_info()
    assert (info["n_agents"], info["n_actions"], info["episode_limit"]) == (2, 3, 1)
    game.reset()
    assert len(game.get_obs()) == 2 and len(game.get_avail_actions()) == 2
    reward, terminated, _ = game.step([0, 0])
    assert (reward, bool(terminated)) == (8, True)  # the paper's payoff at (0, 0)
    assert game.get_stats() == {}


def test_epymarl_steps_five_values_and_adds_arguments() -> None:
    arguments = {**ARGS, "common_reward": True, "reward_scalarisation": "sum"}
    game = games("epymarl")["wqmix_matrix_game"](**arguments)
    game.reset()
    observations, reward, terminated, truncated, _ = game.step([0, 1])
    assert (reward, bool(terminated), truncated) == (-12, True, False)
    assert len(observations) == 2


def test_oxwhirls_passes_one_argument_for_all() -> None:
    build = games("wqmix")["wqmix_matrix_game"]
    game = build(env_args=dict(ARGS), args=SimpleNamespace())
    game.reset()
    assert game.step([2, 2])[0] == 0


def test_pymarlzooplus_asks_for_something_to_print() -> None:
    game = games("pymarlzooplus")["wqmix_matrix_game"](**ARGS)
    assert game.get_print_info() is None


def test_a_worker_process_can_be_sent_one() -> None:
    build = pickle.loads(pickle.dumps(games("pymarl")["wqmix_matrix_game"]))
    game = pickle.loads(pickle.dumps(build(**ARGS)))
    game.reset()
    assert game.step([1, 1])[0] == 0


def test_a_game_of_the_hosts_stays_the_hosts() -> None:
    envs = ModuleType("envs")
    envs.REGISTRY = {"wqmix_matrix_game": dict}
    register_in(envs, HOSTS["pymarl"], "matrix_game", False)
    assert envs.REGISTRY == {"wqmix_matrix_game": dict}


def test_a_mistake_is_one_line(capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        HostEnv("matrix_game", False, game="papper")
    assert end.value.code == 2
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("wqmix: error: ")
    assert "paper" in said[0]


def test_a_key_that_the_game_has_is_its_own() -> None:
    """`map_name` is PyMARL's for other games; SMAX's names its scenario."""
    smax = for_host(reading.read_yaml(OUR_ENVS / "smax.yaml"))
    assert smax["env_args"]["map_name"] == "2s3z"
    mpe = for_host(reading.read_yaml(OUR_ENVS / "mpe.yaml"))
    assert (mpe["env"], mpe["env_args"]["map_name"]) == ("wqmix_mpe", "mpe")


def test_what_epymarl_passes_itself_is_not_listed_twice() -> None:
    mpe = reading.read_yaml(OUR_ENVS / "mpe.yaml")
    theirs = {"common_reward", "reward_scalarisation"}
    assert theirs < set(for_host(mpe)["env_args"])
    listed = for_host(mpe, HOSTS["epymarl"].passed_to_envs)["env_args"]
    assert not theirs & set(listed) and listed["key"] == "simple_spread_v3"


def test_what_a_game_s_constructor_takes_goes_into_the_yaml(tmp_path: Path) -> None:
    """Sacred would refuse `env_args.options.N`, which no YAML lists."""
    root = make_host(tmp_path)
    files = ConfigFiles(HOSTS["pymarl"], root, {})
    words = ["--config=qmix", "--env-config=mpe", "with", "env_args.options.N=2"]
    command = rewrite(files, [*words, "env_args.time_limit=9"])
    assert command.game == "mpe"
    assert command.argv[2:] == ["with", "env_args.time_limit=9"]
    written = Path(command.argv[1].partition("=")[2] + ".yaml")
    settings = yaml.safe_load(written.read_text(encoding="utf-8"))
    assert settings["env_args"]["options"] == {"N": 2}
