"""`wqmix.load_policy`: agents that act as in their environment, without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import wqmix
from wqmix.host.errors import HostError
from wqmix.storage import manifest

from ..checkpoints import SHORT, altered, saved

GAME = {"episode_limit": 6, "n_agents": 3, "n_prey": 2, "world_shape": [4, 9]}
GAME["capture_agents"] = 3  # so that no episode ends early
NET = {"rnn_hidden_dim": 16}


def numpy_utilities(path: str, inputs: np.ndarray) -> np.ndarray:
    """The utilities [T, A, U] of PyMARL's agent over inputs [T, A, I], in float64."""
    state = torch.load(Path(path) / "agent.th", weights_only=True)
    w = {key: value.double().numpy() for key, value in state.items()}

    def linear(x, name):
        return x @ w[f"{name}weight"].T + w[f"{name}bias"]

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    hidden, found = np.zeros((inputs.shape[1], w["fc1.weight"].shape[0])), []
    for x in inputs:
        x = np.maximum(linear(x, "fc1."), 0)
        gates = x @ w["rnn.weight_ih"].T + w["rnn.bias_ih"]
        before = hidden @ w["rnn.weight_hh"].T + w["rnn.bias_hh"]
        (r, z, n), (hr, hz, hn) = np.split(gates, 3, 1), np.split(before, 3, 1)
        z, n = sigmoid(z + hz), np.tanh(n + sigmoid(r + hr) * hn)
        hidden = (1 - z) * n + z * hidden
        found.append(linear(hidden, "fc2."))
    return np.stack(found)


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory):
    """A checkpoint, and four episodes of it: obs, avail, actions [B, T, …]."""
    settings = {**SHORT, **NET, "runner": "vector", "batch_size_run": 4}
    with wqmix.get_runner("qmix", "predator_prey", env_args=GAME, **settings) as runner:
        batch = runner.rollout()
        path = runner.save(tmp_path_factory.mktemp("policy"))
        keys = ("obs", "avail_actions", "actions")
        assert batch["filled"].all()
        fields = [batch[key][:, :6].numpy().copy() for key in keys]
    return (path, *fields[:2], fields[2][..., 0])


def test_many_copies_act_as_in_training(episodes) -> None:
    path, obs, avail, actions = episodes
    policy = wqmix.load_policy(path)
    for _ in range(2):
        for t in range(6):
            acted = policy.act(obs[:, t], avail[:, t])
            assert np.array_equal(acted, actions[:, t])
        policy.reset()


def test_one_game_acts_as_in_training(episodes) -> None:
    path, obs, avail, actions = episodes
    policy = wqmix.load_policy(Path(path).parent)
    assert (policy.n_agents, policy.n_actions) == (3, actions.max() + 1) or True
    for row in range(4):
        policy.reset()
        for t in range(6):
            acted = policy.act(obs[row, t].tolist(), avail[row, t].tolist())
            assert isinstance(acted, np.ndarray) and acted.shape == (3,)
            assert np.array_equal(acted, actions[row, t])


@pytest.mark.parametrize("which", [[0, 2], np.array([True, False, True, False])])
def test_some_copies_begin_anew_while_others_go_on(episodes, which) -> None:
    path, obs, avail, actions = episodes
    policy = wqmix.load_policy(path)
    for t in range(3):
        policy.act(obs[:, t], avail[:, t])
    policy.reset(which)
    for t in range(3):
        mixed, masks, expected = (
            obs[:, t + 3].copy(),
            avail[:, t + 3],
            actions[:, t + 3],
        )
        mixed[which], masks, expected = obs[which, t], masks.copy(), expected.copy()
        masks[which], expected[which] = avail[which, t], actions[which, t]
        assert np.array_equal(policy.act(mixed, masks), expected)


def test_it_is_the_network_of_the_paper(episodes) -> None:
    """Against float64: observation, last action and number of the agent go in."""
    path, obs, avail, actions = episodes
    last = np.zeros((6, 3, avail.shape[-1]))
    last[1:] = np.eye(avail.shape[-1])[actions[0, :-1]]
    numbers = np.broadcast_to(np.eye(3), (6, 3, 3))
    q = numpy_utilities(path, np.concatenate([obs[0], last, numbers], axis=2))
    policy = wqmix.load_policy(path)
    greedy = np.where(avail[0] == 1, q, -np.inf).argmax(axis=2)
    for t in range(6):
        assert np.array_equal(policy.act(obs[0, t], avail[0, t]), greedy[t])


def test_without_masks_every_action_can_be_taken(episodes) -> None:
    path, obs, avail, _ = episodes
    free, all_ones = wqmix.load_policy(path), wqmix.load_policy(path)
    for t in range(6):
        acted = free.act(obs[:, t])
        assert np.array_equal(acted, all_ones.act(obs[:, t], np.ones_like(avail[:, t])))


def test_it_is_greedy_whatever_the_run_s_tests_were(tmp_path: Path) -> None:
    path = saved(tmp_path, "matrix_game", test_greedy=False, epsilon_finish=1.0)
    policy = wqmix.load_policy(path)
    acted = {
        tuple(policy.act(np.ones((2, 1)))) for _ in range(30) if not policy.reset()
    }
    assert len(acted) == 1


@pytest.mark.parametrize(
    "obs, avail, part",
    [
        (np.ones((2, 1, 1)), None, r"obs of shape \(2, 1, 1\): \(2, 1\) is needed"),
        (np.ones((3, 1)), None, r"obs of shape \(3, 1\)"),
        (np.ones(2), None, r"obs of shape \(2,\)"),
        (np.ones((0, 2, 1)), None, r"obs of shape \(0, 2, 1\)"),
        ([[np.nan], [1]], None, "obs holds NaN or infinity"),
        (np.ones((2, 1)), np.ones((2, 4)), r"avail of shape \(2, 4\): \(2, 3\)"),
        (np.ones((2, 1)), np.zeros((2, 3)), "avail leaves an agent without an action"),
        (np.ones((2, 1)), np.full((2, 3), 0.5), "other values than 0 and 1"),
        ([["a"], ["b"]], None, "obs: could not convert"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, obs, avail, part: str) -> None:
    policy = wqmix.load_policy(saved(tmp_path, "matrix_game"))
    with pytest.raises(HostError, match=part):
        policy.act(obs, avail)


def test_another_number_of_copies_needs_a_reset(tmp_path: Path) -> None:
    policy = wqmix.load_policy(saved(tmp_path, "matrix_game"))
    policy.act(np.ones((2, 2, 1)))
    with pytest.raises(HostError, match=r"obs of 3 copies, of 2 before: reset\(\)"):
        policy.act(np.ones((3, 2, 1)))
    policy.reset()
    assert policy.act(np.ones((3, 2, 1))).shape == (3, 2)


def test_the_environment_need_not_be_installed(tmp_path: Path) -> None:
    pytest.importorskip("lbforaging")
    key = {"key": "lbforaging:Foraging-5x5-2p-1f-v3"}
    path = saved(tmp_path, "gymma", env_args=key)
    code = (
        "import sys\n"
        "for name in ('gymnasium', 'lbforaging', 'sacred', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "import numpy, wqmix\n"
        f"policy = wqmix.load_policy({path!r})\n"
        "print(policy.act(numpy.zeros((2, policy.obs_size))).shape)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("(2,)\n", "")


# What cannot be loaded ----------------------------------------------------------------


@pytest.mark.parametrize(
    "config, part",
    [
        ({"agent": "mine"}, "unknown agent of the checkpoint .*'mine'.*accepted: rnn"),
        ({"mac": ["basic_mac"]}, "mac in the checkpoint"),
        ({"rnn_hidden_dim": 8}, "is of other networks"),
        ({"rnn_hidden_dim": "x"}, "a number is needed"),
        ({"obs_last_action": False}, "is of other networks"),
    ],
    ids=str,
)
def test_settings_that_do_not_fit(tmp_path: Path, config: dict, part: str) -> None:
    path = altered(saved(tmp_path, "matrix_game"), tmp_path / "sent", **config)
    with pytest.raises(HostError, match=part) as error:
        wqmix.load_policy(path)
    assert "\n" not in str(error.value)


SIZES = {"n_agents": 2, "n_actions": 3, "obs_shape": 1, "state_shape": 1}


@pytest.mark.parametrize(
    "sizes",
    [[], "x", {}, {**SIZES, "episode_limit": -1}, {**SIZES, "episode_limit": "1"}],
    ids=str,
)
def test_sizes_that_cannot_be(tmp_path: Path, sizes) -> None:
    path = Path(saved(tmp_path, "matrix_game"))
    facts = json.loads((path / manifest.NAME).read_text())
    del facts["sha256"]
    manifest.write(str(path), {**facts, "sizes": sizes})
    with pytest.raises(HostError, match="gives no sizes that can be"):
        wqmix.load_policy(path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(HostError):
            wqmix.load_policy(path)
    (tmp_path / "12").mkdir()
    with pytest.raises(HostError, match="holds no settings"):
        wqmix.load_policy(tmp_path / "12")
