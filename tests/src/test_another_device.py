"""Updates away from the CPU, where there is no GPU: on torch's `meta` device.

Its tensors have shapes and no numbers. To mix them with the CPU's is refused, as a GPU
does, and so is to read a number: off log steps nothing may be.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wqmix.learners.base import parameters
from wqmix.optim import build_optimiser
from wqmix.running_moments import RunningMoments
from wqmix.state_norm import StateNorm

from .doubles import Batch, make_batch, make_learner
from .test_guard import CASES

NEVER = 10**9


@pytest.mark.parametrize("unroll", ["auto", "step"])
@pytest.mark.parametrize("case", CASES)
def test_an_update_needs_no_other_device(case, unroll, monkeypatch):
    monkeypatch.setattr(nn.Module, "cuda", lambda self: self.to("meta"))
    settings = {**CASES[case], "unroll": unroll, "learner_log_interval": NEVER}
    if case == "projector":  # the numbers of its mask say how many rows there are
        settings["projector_batch_norm"] = False
    learner = make_learner(**settings)
    learner.last_log_t = 0
    before = everything(learner)
    learner.cuda()
    # `to` replaces parameters there, where `cuda` keeps them.
    now = dict(zip(before, everything(learner)))
    learner.params = [now[p] for p in learner.params]
    learner.optimiser = build_optimiser(learner.params, learner.host)
    if case == "pow":
        own = parameters(learner.recogniser)
        learner.recogniser_optimiser = build_optimiser(own, learner.host)
        learner.networks.optimisers["recogniser_opt"] = learner.recogniser_optimiser
    if unroll == "auto":
        learner.unroll._is_fast = True  # found out by comparing numbers
    for step in range(2):
        batch = {key: x.to("meta") for key, x in make_batch(step).data.items()}
        learner.train(Batch(batch), step, step)
    assert {p.device.type for p in learner.params} == {"meta"}


def everything(learner):
    return [*learner.mac.parameters(), *parameters(*learner.networks.nets.values())]


def test_what_an_update_left_alone_may_lie_on_another_device():
    """State and reward moments stay on the CPU where nothing asks for them."""
    elsewhere = torch.ones((), dtype=torch.bool, device="meta")
    for part in (StateNorm(3), RunningMoments()):
        before = part.snapshot()
        part.restore(before, elsewhere)
        assert all(a is b for a, b in zip(part.snapshot(), before))
