"""Padding is left out, and nothing else changes."""

from __future__ import annotations

import pytest
import torch

from wqmix import slots as slots_module
from wqmix.inputs import agent_inputs
from wqmix.slots import Slots, used_slots

from .doubles import make_args, make_batch, make_learner

LENGTHS = torch.tensor([2, 3, 1])


def numbered():
    """[3, 3, 1], tens for the episode and ones for the slot, from 1 on."""
    return torch.arange(1.0, 4.0).view(3, 1, 1) * 10 + torch.arange(1.0, 4.0).view(3, 1)


def test_order_by_hand():
    slots = Slots(3, 3, LENGTHS)
    assert slots.sizes == [3, 2, 1] and not slots.is_all
    packed = slots.pack(numbered())
    assert packed.flatten().tolist() == [21, 11, 31, 22, 12, 23]
    expected = [[11, 12, 0], [21, 22, 23], [31, 0, 0]]
    assert slots.unpack(packed).squeeze(2).tolist() == expected


def test_all_slots_by_hand():
    slots = Slots(3, 3)
    assert slots.sizes == [3, 3, 3] and slots.is_all
    packed = slots.pack(numbered())
    assert packed.flatten().tolist() == [11, 21, 31, 12, 22, 32, 13, 23, 33]
    assert torch.equal(slots.unpack(packed), numbered())


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_side_by_side(lengths):
    slots = Slots(3, 3, lengths)
    found = slots.pack_side_by_side([numbered(), -numbered(), numbered() + 100])
    x = slots.pack(numbered())
    assert torch.equal(found, torch.cat([x, -x, x + 100], dim=1))


def test_nobody_is_there_in_the_last_slots():
    assert Slots(2, 5, torch.tensor([1, 2])).sizes == [2, 1]


def test_each_sees_the_used_slots_alone_and_passes_gradients():
    seen = []

    def double(x, y):
        seen.append(x.shape)
        return 2 * x + y

    x = numbered().requires_grad_()
    found = Slots(3, 3, LENGTHS).each(double, x, torch.ones(3, 3, 1))
    assert seen == [(1, 6, 1)]
    expected = [[23, 25, 0], [43, 45, 47], [63, 0, 0]]
    assert found.squeeze(2).tolist() == expected
    found.sum().backward()
    assert x.grad.squeeze(2).tolist() == [[2, 2, 0], [2, 2, 2], [2, 0, 0]]
    Slots(3, 3).each(double, x, torch.ones(3, 3, 1))
    assert seen[1] == (3, 3, 1)


def test_used_are_the_real_transitions_and_the_slot_after():
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).unsqueeze(2)
    slots, steps = used_slots(mask.float())
    assert slots.sizes == [3, 3, 2, 1, 1] and steps.sizes == [3, 2, 1, 1]


def test_a_hole_in_the_mask_does_not_cut_the_episode():
    mask = torch.tensor([[1, 0, 1, 0], [1, 0, 0, 0]]).unsqueeze(2)
    assert used_slots(mask)[0].sizes == [2, 2, 1, 1]


def test_little_padding_is_computed_too():
    mask = torch.ones(10, 10, 1)
    mask[0, 6:] = 0  # 96 of 100
    assert all(slots.is_all for slots in used_slots(mask))
    mask[1, 9:] = 0  # 95 of 100
    assert not any(slots.is_all for slots in used_slots(mask))


@pytest.mark.parametrize("observed", ["obs", "state"])
def test_inputs_are_those_of_all_slots_without_the_padding(observed):
    batch, args = make_batch(), make_args()
    used = used_slots(batch["filled"][:, 1:])[0]
    everything = Slots(4, 7)
    complete = agent_inputs(batch, args, everything, observed)
    expected = used.pack(everything.unpack(complete))
    assert torch.equal(agent_inputs(batch, args, used, observed), expected)


CASES = {
    "cw": dict(),
    "ow": dict(weighting="ow"),
    "ideal": dict(weighting="ideal"),
    "attention": dict(central_mixer="atten", central_action_embed=2),
    "non_shared": dict(central_agent="central_rnn_ns"),
    "feed_forward": dict(central_agent="central_ff"),
    "other_size": dict(central_rnn_hidden_dim=4),
    "state": dict(central_inputs="state"),
    "step": dict(unroll="step"),
    "single_q": dict(double_q=False),
    "no_central": dict(central_loss=0.0, weighting="ow"),
    "lambda": dict(td_lambda=0.6),
    "standardised": dict(standardise_rewards=True, standardise_returns=True),
    "diagnostics": dict(diagnostics=True),
    "pow": dict(learner="pow_qmix_learner"),
    "projector": dict(learner="proj_qmix_learner", omega="advantage"),
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_an_update_without_padding_is_that_with_it(changes, monkeypatch):
    """Five updates each."""
    learners = []
    for most in (2, -1):  # padding is never computed, always
        monkeypatch.setattr(slots_module, "MOST", most)
        learners.append(make_learner(grad_norm_clip=1e9, **changes))
        for step in range(5):
            learners[-1].train(make_batch(step), 100 * step, step)
    first, second = (learner.logger.stats for learner in learners)
    assert set(first) == set(second)
    for key, logged in first.items():
        for (_, mine), (_, theirs) in zip(logged, second[key]):
            assert abs(mine - theirs) <= 1e-10 * max(1.0, abs(theirs)), key
    for p, q in zip(*(learner.params for learner in learners)):
        assert (p - q).abs().max() < 1e-9


def test_a_device_is_not_waited_for():
    """Nothing can be read from `meta`, as nothing should be from a GPU."""
    slots = used_slots(torch.ones(3, 4, 1, device="meta"))
    assert [each.is_all for each in slots] == [True, True]
