"""The real `smac`, with a stand-in for the game: WQMIX_SMAC=<clone of oxwhirl/smac>.

It needs pysc2 and protobuf<3.21. What this shows is the hand-over: sizes, masks,
observations, states, ends of episodes and who won; nothing about StarCraft.
"""

import os

import numpy as np
import pytest
import torch

import wqmix
from wqmix.host import envs
from wqmix.host.errors import HostError

PLACE = os.environ.get("WQMIX_SMAC")
if PLACE is None:
    reason = "WQMIX_SMAC, the path of a clone of oxwhirl/smac, is not set"
    pytest.skip(reason, allow_module_level=True)
pytest.importorskip("pysc2")


@pytest.fixture
def game(monkeypatch):
    monkeypatch.syspath_prepend(PLACE)
    from smac.env.starcraft2 import starcraft2

    from .starcraft_stand_in import Game

    games = []

    def get(version=None):
        games.append(Game())
        return games[-1]

    monkeypatch.setattr(starcraft2.run_configs, "get", get)
    return games


def made(**changes):
    return envs.REGISTRY["sc2"](**{**envs.default_env_args("sc2"), **changes})


def attack_first(masks):
    """The first enemy in reach, else east, else whatever is left."""
    order = [6, 7, 8, 4, 2, 3, 5, 1, 0]
    return [next(action for action in order if mask[action]) for mask in masks]


def test_what_smac_says_comes_through_and_a_battle_ends(game):
    env = made(map_name="3m", seed=1)
    info = env.get_env_info()
    assert [info[key] for key in ("n_agents", "n_actions", "obs_shape")] == [3, 9, 30]
    assert info["state_shape"] == 48 and info["episode_limit"] == 60
    env.reset()
    for _ in range(info["episode_limit"]):
        masks = env.get_avail_actions()
        reward, is_over, found = env.step(attack_first(masks))
        assert np.isfinite(reward) and np.shape(env.get_obs()) == (3, 30)
        assert np.isfinite(env.get_state()).all()
        if is_over:
            break
    assert is_over and found["battle_won"] and found["dead_enemies"] == 3
    env.reset()  # all are killed, and a new battle begins
    assert len(game[0].units) == 6 and len(game) == 1
    env.close()
    assert game[0].closed


def test_cw_qmix_trains(game, tmp_path):
    settings = dict(batch_size=2, use_cuda=False, local_results_path=str(tmp_path))
    with wqmix.get_runner("cw_qmix", "sc2", "3m", seed=1, **settings) as runner:
        before = [p.detach().clone() for p in runner.learner.params]
        steps = runner.play(4, train=True)
        assert runner.learner.target_networks.train_steps >= 2
        pairs = zip(before, runner.learner.params)
        assert any(not torch.equal(old, new) for old, new in pairs)
    assert 0 < steps <= 4 * 60 and all(each.closed for each in game)


def test_an_unknown_map_and_an_absent_game_are_one_line(game, monkeypatch):
    with pytest.raises(HostError, match="none of smac's maps .did you mean '3s5z'?"):
        made(map_name="3s5zz", seed=1)
    monkeypatch.undo()
    monkeypatch.syspath_prepend(PLACE)
    monkeypatch.setenv("SC2PATH", "/nowhere")
    env = made(map_name="3m", seed=1)
    with pytest.raises(HostError, match="does not start .* looked for in /nowhere"):
        env.reset()
