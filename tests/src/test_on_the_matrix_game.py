"""Every algorithm of ours trains on the matrix game, on the embedded host."""

from __future__ import annotations

import logging
import math

import pytest
import torch

from wqmix import get_runner
from wqmix.learners import LEARNERS
from wqmix.omegas import OMEGAS
from wqmix.plugin.configs import OUR_CONFIGS, ConfigFiles
from wqmix.plugin.hosts.embedded import EMBEDDED_ROOT, Embedded
from wqmix.schedules import SCHEDULES
from wqmix.weightings import WEIGHTINGS

FILES = ConfigFiles(Embedded(), EMBEDDED_ROOT, {})
ALGORITHMS = FILES.ours()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_trains_for_some_steps(name):
    runner = get_runner(
        name,
        "matrix_game",
        seed=0,
        t_max=60,
        batch_size=8,
        test_interval=1000,
        learner_log_interval=1,
        use_cuda=False,
        **({"pow_warmup_steps": 0} if name.startswith("pow") else {}),
    )
    logging.getLogger("pymarl").setLevel(logging.WARNING)
    learner = runner.learner
    before = [p.detach().clone() for p in learner.params]
    stats = runner.run()
    runner.finish()
    assert len(stats["loss"]) >= 10
    assert all(math.isfinite(v) for values in stats.values() for _, v in values)
    moved = [not torch.equal(p, q) for p, q in zip(before, learner.params)]
    assert sum(moved) > len(moved) / 2


@pytest.mark.parametrize(
    "key, registry",
    [
        ("learner", LEARNERS),
        ("weighting", WEIGHTINGS),
        ("omega", OMEGAS),
        ("alpha_schedule", SCHEDULES),
    ],
)
def test_nothing_that_is_registered_is_left_out_of_the_above(key, registry):
    settings = [FILES.resolve(OUR_CONFIGS / f"{name}.yaml") for name in ALGORITHMS]
    assert {each[key] for each in settings if key in each} == set(registry)
