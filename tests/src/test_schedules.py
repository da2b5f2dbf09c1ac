"""Schedules of α by hand, and in the learner."""

from __future__ import annotations

import pytest

from wqmix.schedules import SCHEDULES, scheduled

from .doubles import make_batch, make_learner


@pytest.mark.parametrize(
    "name, values",
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        # 1 → 0.01 over 100 steps: a half of the way down, then there
        ("linear", [1.0, 0.505, 0.01, 0.01]),
        # a factor of 10 each 50 steps
        ("exponential", [1.0, 0.1, 0.01, 0.01]),
    ],
)
def test_by_hand(name, values):
    for t_env, value in zip((0, 50, 100, 1000), values):
        assert scheduled(name, 1.0, 0.01, t_env, 100) == pytest.approx(value, rel=1e-12)


def test_every_schedule_is_documented():
    assert all(function.__doc__ for function in SCHEDULES.values())


@pytest.mark.parametrize(
    "name, expected", [("linear", 0.55), ("exponential", 0.1**0.5)]
)
def test_alpha_of_the_weights_follows(name, expected):
    """With y ≫ Q_tot nowhere and α at its half: the mean of OW's weights says α."""
    learner = make_learner(
        weighting="ow",
        alpha=1.0,
        alpha_schedule=name,
        alpha_finish=0.1,
        alpha_anneal_time=200,
    )
    batch = make_batch()
    batch.data["reward"] = batch["reward"] - 100  # Q_tot is above every target
    learner.train(batch, 100, 0)
    assert learner.logger.stats["w_to_use"][0][1] == pytest.approx(expected, rel=1e-9)
