"""Buffer, one-hot transform, schedules, action selection: against tables by hand."""

import math

import numpy as np
import pytest
import torch as th

from wqmix.host.components.action_selectors import REGISTRY
from wqmix.host.components.episode_buffer import EpisodeBatch, ReplayBuffer
from wqmix.host.components.epsilon_schedules import DecayThenFlatSchedule
from wqmix.host.components.transforms import OneHot
from wqmix.host.utils import random_state

from .doubles import make_args, make_batch, make_scheme


def test_update_writes_its_place_and_marks_it_filled():
    batch = make_batch(2, 3)
    batch.update({"reward": [(7.0,)], "terminated": [(True,)]}, bs=1, ts=2)
    assert batch["reward"].squeeze(2).tolist() == [[0, 0, 0], [0, 0, 7]]
    assert batch["terminated"].squeeze(2).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert batch["filled"].squeeze(2).tolist() == [[0, 0, 0], [0, 0, 1]]
    assert batch["terminated"].dtype == th.uint8


def test_update_of_listed_episodes_without_marking():
    batch = make_batch(3, 2)
    batch.update({"reward": [(1,), (2,)]}, bs=[2, 0], ts=1, mark_filled=False)
    assert batch["reward"].squeeze(2).tolist() == [[0, 2], [0, 0], [0, 1]]
    assert batch["filled"].sum() == 0


def test_actions_come_with_their_one_hot_form():
    batch = make_batch(2, 2)
    batch.update({"actions": th.tensor([[2, 0]])}, bs=[1], ts=0)
    assert batch["actions_onehot"][1, 0].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert batch["actions_onehot"][0].sum() == 0
    assert batch["actions_onehot"].dtype == th.float32


def test_values_come_as_arrays_lists_or_tensors():
    batch = make_batch(1, 1)
    for obs in (
        [np.arange(10.0).reshape(2, 5)],
        [list(np.arange(10.0).reshape(2, 5))],
        th.arange(10.0).view(1, 2, 5),
    ):
        batch.update({"obs": np.zeros((1, 2, 5))}, ts=0)
        batch.update({"obs": obs}, ts=0)
        assert batch["obs"][0, 0].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_reshape_that_would_mix_axes_is_refused():
    batch = make_batch(2, 3)
    with pytest.raises(ValueError, match="Unsafe reshape"):
        batch.update({"obs": np.zeros((1, 5, 2))}, bs=0, ts=0)  # agents and values
    with pytest.raises(KeyError, match="rewards"):
        batch.update({"rewards": [(1,)]}, bs=0, ts=0)


def test_indexing():
    batch = make_batch(3, 4)
    batch.update({"reward": np.arange(12.0).reshape(3, 4, 1)})
    expected = np.arange(12).reshape(3, 4)
    for index, rows, columns in (
        (1, slice(1, 2), slice(None)),
        (slice(0, 3, 2), slice(0, 3, 2), slice(None)),
        ([2, 0], [2, 0], slice(None)),
        (np.array([1, 1]), [1, 1], slice(None)),
        (th.tensor([2]), [2], slice(None)),
        ((slice(None), slice(1, 3)), slice(None), slice(1, 3)),
        (([0, 2], 3), [0, 2], slice(3, 4)),
    ):
        part, wanted = batch[index], expected[rows, columns]
        assert part["reward"].squeeze(2).tolist() == wanted.tolist()
        assert (part.batch_size, part.max_seq_length) == wanted.shape
    with pytest.raises(IndexError, match="contiguous"):
        batch[:, [0, 2]]


def test_selecting_fields():
    batch = make_batch()
    part = batch["obs", "reward"]
    assert set(part.data.transition_data) == {"obs", "reward"}
    assert part.groups == {"agents": 2}
    with pytest.raises(KeyError, match="nothing"):
        batch["nothing"]
    with pytest.raises(KeyError, match="nothing"):
        batch["obs", "nothing"]


def test_slices_share_memory():
    batch = make_batch(2, 2)
    batch[:1]["reward"][0, 0] = 5
    assert batch["reward"][0, 0, 0] == 5


def test_max_t_filled_is_the_longest_episode():
    batch = make_batch(3, 5)
    batch.update({"reward": np.ones((1, 2, 1))}, bs=0, ts=slice(0, 2))
    batch.update({"reward": np.ones((1, 4, 1))}, bs=2, ts=slice(0, 4))
    assert batch.max_t_filled() == 4
    assert batch[:2].max_t_filled() == 2


def test_fields_that_are_constant_over_an_episode():
    scheme = {"map": {"vshape": (2,), "episode_const": True}, "reward": {"vshape": 1}}
    batch = EpisodeBatch(scheme, {}, 3, 4)
    batch.update({"map": [[1, 2]]}, bs=1)
    assert batch["map"].tolist() == [[0, 0], [1, 2], [0, 0]]
    assert batch["filled"].sum() == 0
    assert batch[1:, :2]["map"].tolist() == [[1, 2], [0, 0]]


def test_extend_adds_fields():
    batch = make_batch(2, 3)
    batch.extend({"probs": {"vshape": (3,), "group": "agents"}})
    batch.update({"probs": np.ones((1, 2, 3))}, bs=1, ts=0, mark_filled=False)
    assert batch["probs"].sum() == 6


def test_filled_is_a_reserved_name():
    with pytest.raises(ValueError, match="reserved"):
        EpisodeBatch({"filled": {"vshape": (1,)}}, {}, 1, 1)


def replay_buffer(size, seed=0):
    scheme, groups, preprocess = make_scheme()
    return ReplayBuffer(scheme, groups, size, 2, preprocess=preprocess, seed=seed)


def episodes(*rewards):
    batch = make_batch(len(rewards), 2)
    batch.update({"reward": np.array(rewards, float).reshape(-1, 1)}, ts=0)
    return batch


def test_replay_buffer_wraps_round():
    buffer = replay_buffer(4)
    buffer.insert_episode_batch(episodes(1, 2, 3))
    assert not buffer.can_sample(4) and buffer.can_sample(3)
    assert buffer.sample(3)["reward"][:, 0, 0].tolist() == [1, 2, 3]
    buffer.insert_episode_batch(episodes(4, 5))
    assert buffer["reward"][:, 0, 0].tolist() == [5, 2, 3, 4]
    assert (buffer.episodes_in_buffer, buffer.buffer_index) == (4, 1)
    assert buffer["filled"].squeeze(2).tolist() == [[1, 0]] * 4


def test_an_overwritten_episode_leaves_nothing_behind():
    buffer = replay_buffer(1)
    long = make_batch(1, 2)
    long.update({"reward": np.ones((1, 2, 1))})
    buffer.insert_episode_batch(long)
    buffer.insert_episode_batch(episodes(9))
    assert buffer["reward"].flatten().tolist() == [9, 0]
    assert buffer["filled"].flatten().tolist() == [1, 0]


def test_sampling_is_without_repetition_and_seeded():
    buffer, twin, other = (replay_buffer(6, seed) for seed in (3, 3, 4))
    for each in (buffer, twin, other):
        each.insert_episode_batch(episodes(*range(6)))
    drawn, again, else_ = (draws(each) for each in (buffer, twin, other))
    assert drawn == again != else_
    assert all(len(set(each)) == 5 for each in drawn)
    with pytest.raises(ValueError, match="7 episodes"):
        buffer.sample(7)


def draws(buffer):
    """Eight samples; an environment seeds the global generators before each."""
    samples = []
    for _ in range(8):
        random_state.seed_globals(0)
        samples.append(tuple(buffer.sample(5)["reward"][:, 0, 0].tolist()))
    assert len(set(samples)) == 8  # and are not the same for ever
    return samples


def test_one_hot():
    one_hot = OneHot(3).transform(th.tensor([[0], [2]]))
    assert one_hot.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert OneHot(3).infer_output_info((1,), th.long) == ((3,), th.float32)


def test_exploration_may_rise():
    """From 0.05 to 1 in 100 steps: 0.0095 a step, then constant."""
    rising = DecayThenFlatSchedule(0.05, 1.0, 100, decay="linear")
    assert [rising.eval(t) for t in (0, 10, 100, 1000)] == pytest.approx(
        [0.05, 0.145, 1, 1]
    )


def test_schedules():
    linear = DecayThenFlatSchedule(1.0, 0.2, 100, decay="linear")
    assert [linear.eval(t) for t in (0, 50, 1000)] == pytest.approx([1.0, 0.6, 0.2])
    exponential = DecayThenFlatSchedule(1.0, 0.1, 100, decay="exp")
    values = [exponential.eval(t) for t in (0, 50, 100, 200)]
    assert values == pytest.approx([1.0, math.sqrt(0.1), 0.1, 0.1])
    with pytest.raises(ValueError, match="'step'"):
        DecayThenFlatSchedule(1, 0, 1, decay="step")


@pytest.fixture
def table():
    """Two copies of two agents: the highest utility is not available to any."""
    q = th.tensor([[1.0, 2.0, 9.0], [3.0, 9.0, -1.0]]).repeat(2, 1, 1)
    avail = th.tensor([[1, 1, 0], [1, 0, 1]]).repeat(2, 1, 1)
    return q, avail


def test_greedy_choice_is_over_available_actions(table):
    selector = REGISTRY["epsilon_greedy"](make_args())
    actions = selector.select_action(*table, t_env=0, test_mode=True)
    assert actions.tolist() == [[1, 0], [1, 0]]
    assert selector.epsilon == 0


def test_exploration_is_uniform_over_available_actions(table):
    selector = REGISTRY["epsilon_greedy"](make_args(epsilon_finish=1.0))
    q, avail = (x.repeat(2000, 1, 1) for x in table)
    th.manual_seed(0)
    actions = selector.select_action(q, avail, t_env=0)
    for agent, shares in enumerate(([0.5, 0.5, 0], [0.5, 0, 0.5])):
        counts = th.bincount(actions[:, agent], minlength=3) / 4000
        # Five standard deviations of a share of 4,000 fair draws.
        assert counts.tolist() == pytest.approx(shares, abs=5 * 0.5 / 4000**0.5)


def test_epsilon_is_the_rate_of_exploration(table):
    selector = REGISTRY["epsilon_greedy"](make_args())
    q, avail = (x.repeat(4000, 1, 1) for x in table)
    th.manual_seed(0)
    actions = selector.select_action(q, avail, t_env=40)  # 1 - 0.9 * 0.4 = 0.64
    assert selector.epsilon == pytest.approx(0.64)
    other = (actions[:, 0] == 0).float().mean().item()
    assert other == pytest.approx(0.32, abs=5 * (0.32 * 0.68 / 8000) ** 0.5)


def test_tests_explore_when_they_are_not_to_be_greedy(table):
    args = make_args(test_greedy=False, epsilon_finish=1.0)
    selector = REGISTRY["epsilon_greedy"](args)
    q, avail = (x.repeat(100, 1, 1) for x in table)
    actions = selector.select_action(q, avail, t_env=0, test_mode=True)
    assert len(actions[:, 0].unique()) == 2
