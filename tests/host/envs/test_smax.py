"""SMAX, where JaxMARL is installed: the batch contract, seeds, and how episodes end."""

import numpy as np
import pytest

from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.errors import HostError
from wqmix.host.main import main

pytest.importorskip("jaxmarl")
pytestmark = pytest.mark.slow


def play(batch, actions):
    """Until all copies are over; rewards by step, and each copy's last info."""
    batch.reset()
    rewards, over = [], np.zeros(batch.n_copies, dtype=bool)
    infos = [None] * batch.n_copies
    while not over.all():
        playing = ~over
        reward, over, info = batch.step(actions(batch.get_avail_actions()))
        assert not reward[~playing].any(), "an ended copy is paid nothing"
        rewards.append(reward)
        for copy in np.flatnonzero(playing & over):
            infos[copy] = {key: bool(value[copy]) for key, value in info.items()}
    return np.array(rewards), infos


def at_random(seed):
    rng = np.random.default_rng(seed)
    return lambda avail: (rng.random(avail.shape) * avail).argmax(axis=2)


def shooting(avail):
    """The last available action: to shoot, where an enemy is near; else to stop."""
    return avail.shape[2] - 1 - avail[:, :, ::-1].argmax(axis=2)


def make(n_copies=3, **env_args):
    settings = {"map_name": "3m", "seed": 1, **env_args}
    return envs.BATCH_REGISTRY["smax"](n_copies, **settings)


def test_it_keeps_the_batch_contract():
    batch = make()
    info = batch.get_env_info()
    batch.reset()
    assert (info["n_agents"], info["n_actions"], info["episode_limit"]) == (3, 8, 100)
    assert batch.get_obs().shape == (3, 3, info["obs_shape"])
    assert batch.get_state().shape == (3, info["state_shape"])
    assert np.abs(batch.get_state()).max() <= 1  # JaxMARL's own has positions up to 32
    dtypes = [batch.get_obs().dtype, batch.get_state().dtype]
    assert dtypes == [np.float32, np.float32]
    assert batch.get_avail_actions().dtype == np.uint8
    rewards, infos = play(batch, at_random(0))
    assert rewards.shape[0] <= 100 and rewards.sum(axis=0).max() <= 20.01
    assert set(infos[0]) == {"battle_won", "episode_limit"}
    with pytest.raises(IndexError):
        batch.step(np.full((3, 3), 8))


def test_the_seed_decides_and_a_state_carries_over():
    first, second, third = make(), make(), make(seed=2)
    same = [play(batch, at_random(0))[0] for batch in (first, second, third)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])
    kept = first.state_dict()
    expected = play(first, at_random(1))[0]
    third.load_state_dict(kept)
    assert np.array_equal(play(third, at_random(1))[0], expected)


def test_some_copies_begin_anew_and_others_go_on():
    batch = make()
    batch.reset()
    stop = np.full((3, 3), 4)
    batch.step(stop)
    before = batch.get_state().copy()
    batch.reset(np.array([False, True, False]))
    same = (batch.get_state() == before).all(axis=1)
    assert same.tolist() == [True, False, True]


def test_time_ends_an_episode_where_nobody_won():
    rewards, infos = play(make(time_limit=4), lambda avail: np.full((3, 3), 4))
    assert len(rewards) == 4
    assert infos == [{"battle_won": False, "episode_limit": True}] * 3


@pytest.mark.parametrize("scale", [1, 10])
def test_a_battle_won_pays_two_times_the_scale(scale):
    """Three marines that shoot all they see, the enemy's not allowed to."""
    batch = make(8, options={"enemy_shoots": False}, reward_scale=scale)
    rewards, infos = play(batch, shooting)
    won = np.array([info["battle_won"] for info in infos])
    assert won.any()
    assert rewards.sum(axis=0)[won] == pytest.approx(2 * scale, rel=1e-3)


def test_the_single_game_passes_the_checker():
    single = lambda: envs.REGISTRY["smax"](map_name="3m", seed=1)  # noqa: E731
    assert contract.check(single, 1, seconds=0).findings == []


@pytest.mark.parametrize(
    "env_args, part",
    [
        ({"map_name": "3s4z"}, "did you mean '3s5z'?"),
        ({"options": {"attack_mod": "x"}}, "did you mean 'attack_mode'?"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"reward_scale": 0}, "reward_scale is 0.0: above 0"),
        ({"reward_scale": "ten"}, "reward_scale is 'ten'"),
    ],
)
def test_a_mistake_is_one_line(env_args, part):
    with pytest.raises(HostError) as error:
        make(**env_args)
    assert part in str(error.value) and "\n" not in str(error.value)


def test_the_parallel_runner_is_refused(capsys):
    words = "--config=qmix --env-config=smax with runner=parallel batch_size_run=2"
    assert main(words.split()) == 2
    assert "runner=vector" in capsys.readouterr().err
