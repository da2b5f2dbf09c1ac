"""One vector, the numbers of torch's optimisers over the parameters themselves."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from wqmix.optim import FlatOptimiser
from wqmix.update_rules import ADAM, RMSPROP

TORCHS = {
    "rmsprop": lambda groups: torch.optim.RMSprop(groups, lr=0.1, alpha=0.9, eps=1e-3),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.1, weight_decay=0.01),
}
OURS = {
    "rmsprop": lambda g: FlatOptimiser(RMSPROP, g, lr=0.1, alpha=0.9, eps=1e-3),
    "adam": lambda groups: FlatOptimiser(ADAM, groups, lr=0.1, weight_decay=0.01),
}
SHAPES = [(2, 3), (3,), (1,), (4, 2)]


def parameters():
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def grouped(params):
    return [{"params": params[:3]}, {"params": params[3:], "lr": 0.02}]


def set_grads(params, step):
    torch.manual_seed(step)
    for p in params:
        p.grad = torch.randn(p.shape)


def advance(optimiser, params, steps, max_norm=1.0):
    norms = []
    for step in steps:
        set_grads(params, step)
        if isinstance(optimiser, FlatOptimiser):
            norms.append(optimiser.clip_grad_norm(max_norm))
        else:
            norms.append(nn.utils.clip_grad_norm_(params, max_norm))
        optimiser.step()
    return norms


@pytest.mark.parametrize("kind", TORCHS)
def test_the_numbers_of_torchs(kind):
    mine, theirs = parameters(), parameters()
    ours = OURS[kind](grouped(mine))
    norms = (
        advance(ours, mine, range(5)),
        advance(TORCHS[kind](grouped(theirs)), theirs, range(5)),
    )
    assert torch.allclose(*map(torch.stack, norms), rtol=1e-6, atol=0)
    for p, q, start in zip(mine, theirs, parameters()):
        assert torch.allclose(p, q, rtol=0, atol=1e-6) and not torch.equal(p, start)


@pytest.mark.parametrize("kind", TORCHS)
def test_without_clipping_to_the_last_bit(kind):
    mine, theirs = parameters(), parameters()
    ours, torchs = (
        OURS[kind](grouped(mine)),
        TORCHS[kind](grouped(theirs)),
    )
    for step in range(5):
        for optimiser, params in ((ours, mine), (torchs, theirs)):
            set_grads(params, step)
            optimiser.step()
    assert all(torch.equal(p, q) for p, q in zip(mine, theirs))


@pytest.mark.parametrize("kind", TORCHS)
def test_state_goes_to_torchs_and_back(kind):
    params = parameters()
    ours = OURS[kind](grouped(params))
    advance(ours, params, range(3))
    theirs = copy.deepcopy(params)
    torchs = TORCHS[kind](grouped(theirs))
    torchs.load_state_dict(ours.state_dict())
    again = copy.deepcopy(params)
    back = OURS[kind](grouped(again))
    back.load_state_dict(torchs.state_dict())
    for optimiser, own in ((ours, params), (torchs, theirs), (back, again)):
        advance(optimiser, own, range(3, 6), max_norm=1e9)
    for p, q, r in zip(params, theirs, again):
        assert torch.equal(p, r) and torch.allclose(p, q, rtol=0, atol=1e-6)


def test_state_of_the_first_parameters_shares_no_memory():
    params = parameters()
    ours = OURS["rmsprop"](grouped(params))
    advance(ours, params, [0])
    state = ours.state_dict(2)
    assert [g["params"] for g in state["param_groups"]] == [[0, 1]]
    assert sorted(state["state"]) == [0, 1]
    first = state["state"][0]["square_avg"]
    assert first.shape == (2, 3) and first.untyped_storage().nbytes() == 6 * 4


def test_a_parameter_without_gradient_stays():
    params = parameters()
    start = params[1].detach().clone()
    ours = OURS["adam"]([{"params": params}])  # with weight decay
    set_grads(params, 0)
    params[1].grad = None
    ours.step()
    assert torch.equal(params[1], start) and not torch.equal(params[0], parameters()[0])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda s: s["param_groups"][0]["params"].pop(), "number of parameters"),
        (lambda s: s["param_groups"].pop(), "number of parameters"),
        (lambda s: s["param_groups"][0].update(betas=(0.9, 0.99)), "not that of RMS"),
        (
            lambda s: s["state"][0].update(square_avg=torch.ones(3, 2)),
            "'square_avg' is of other parameters",
        ),
    ],
)
def test_state_of_other_parameters_is_refused(change, message):
    params = parameters()
    ours = OURS["rmsprop"](grouped(params))
    advance(ours, params, [0])
    state = ours.state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        ours.load_state_dict(state)
