"""One-step games: payoffs, their names, and the games played."""

import itertools

import numpy as np
import pytest

from wqmix.host.envs import BATCH_REGISTRY, REGISTRY
from wqmix.host.envs.payoffs import named_games, payoff_tensor
from wqmix.host.errors import HostError

# The games that the documentation reports on; a change of one changes its results.
PAYOFFS = {
    "paper": [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],
    "strong": [[8, -14, -14], [-14, 0, 0], [-14, 0, 0]],
    "mild": [[8, -12, -12], [-12, 6, 6], [-12, 6, 6]],
    "climbing": [[11, -30, 0], [-30, 7, 6], [0, 0, 5]],
    "penalty": [[10, 0, -100], [0, 2, 0], [-100, 0, 10]],
    "three_agents": [
        [[8, -12, -12], [-12, -12, -12], [-12, -12, -12]],
        [[-12, -12, -12], [-12, 0, 0], [-12, 0, 0]],
        [[-12, -12, -12], [-12, 0, 0], [-12, 0, 0]],
    ],
    "four_actions": [
        [8, -12, -12, -12],
        [-12, 0, 0, 0],
        [-12, 0, 0, 0],
        [-12, 0, 0, 0],
    ],
    "monotonic": [[0, 1, 2], [1, 2, 4], [2, 4, 8]],
}


@pytest.mark.parametrize("name", PAYOFFS)
def test_named_games(name):
    assert payoff_tensor(name).tolist() == PAYOFFS[name]


def test_every_named_game_is_valid_and_says_why_it_is_there():
    for name, game in named_games().items():
        assert payoff_tensor(name).size >= 4
        assert set(game) == {"payoff", "why", "source"} and all(game.values())


def test_only_the_control_is_monotonic():
    """Monotonic: some order of each agent's actions makes every axis non-decreasing."""
    monotonic = set()
    for name in PAYOFFS:
        table = payoff_tensor(name)
        orders = itertools.product(
            *(itertools.permutations(range(size)) for size in table.shape)
        )
        for order in orders:
            ordered = table[np.ix_(*order)]
            if all((np.diff(ordered, axis=i) >= 0).all() for i in range(table.ndim)):
                monotonic.add(name)
    assert monotonic == {"monotonic"}


@pytest.mark.parametrize("name", PAYOFFS)
def test_every_joint_action_pays_its_entry(name):
    table = np.array(PAYOFFS[name])
    joint_actions = np.array(list(np.ndindex(*table.shape)))
    env = BATCH_REGISTRY["matrix_game"](len(joint_actions), game=name)
    env.reset()
    reward, terminated, info = env.step(joint_actions)
    assert reward.tolist() == table.ravel().tolist()
    assert terminated.all() and not info["episode_limit"].any()


def test_an_ended_copy_pays_nothing_until_it_is_reset():
    env = BATCH_REGISTRY["matrix_game"](2)
    actions = np.zeros((2, 2), dtype=int)
    assert env.step(actions)[0].tolist() == [8, 8]
    env.reset(np.array([False, True]))
    assert env.step(actions)[0].tolist() == [0, 8]


def test_own_payoff_of_unequal_actions():
    payoff = np.arange(24).reshape(3, 2, 4)
    env = REGISTRY["matrix_game"](payoff=payoff.tolist(), seed=3)
    observations, state = env.reset()
    assert [list(each) for each in observations] == [[1], [1], [1]] and state == [1]
    assert env.get_env_info() == {
        "state_shape": 1,
        "obs_shape": 1,
        "n_actions": 4,
        "n_agents": 3,
        "episode_limit": 1,
    }
    assert env.get_avail_actions() == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    assert env.step([2, 0, 3]) == (19, True, {"episode_limit": False})
    for beyond in ([3, 0, 0], [0, -1, 0]):
        with pytest.raises(IndexError):
            env.step(beyond)


def in_lists(value, depth):
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "env_args, message",
    [
        ({"payoff": [[1, 2], [3]]}, "ragged"),
        ({"payoff": [[1, [2]], [3, 4]]}, "ragged"),
        ({"payoff": [[[1, 2], [3, 4]], [[1, 2], [3]]]}, "ragged"),
        ({"payoff": [[1, 2], [3, float("nan")]]}, "NaN or infinity"),
        ({"payoff": [[1, 2], [3, float("-inf")]]}, "NaN or infinity"),
        ({"payoff": [[1, 2], [3, 1e39]]}, "single precision"),
        ({"payoff": in_lists([1, 2], 100)}, "no table of numbers"),
        ({"payoff": [1, 2]}, "1 axis"),
        ({"payoff": []}, "not a number|1 axis"),
        ({"payoff": [[], []]}, "two actions"),
        ({"payoff": [[1, 2]]}, "two actions"),
        ({"payoff": [["1", "2"], ["3", "4"]]}, "not a number"),
        ({"payoff": [[None, 2], [3, 4]]}, "not a number"),
        ({"payoff": "climbing"}, "nested lists"),
        ({"payoff": 8}, "nested lists"),
        ({"game": "climbin"}, "did you mean 'climbing'?"),
        ({"game": None}, "accepted: climbing"),
        ({"payof": [[1, 2], [3, 4]]}, "did you mean 'payoff'?"),
        ({"seed": "x"}, "seed is 'x'"),
    ],
)
def test_a_wrong_payoff_is_one_clear_line(env_args, message):
    with pytest.raises(HostError) as error:
        REGISTRY["matrix_game"](**env_args)
    text = str(error.value)
    assert any(part in text for part in message.split("|")) and "\n" not in text
