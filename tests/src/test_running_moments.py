"""Running standardisation, against EPyMARL's formulas written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wqmix.running_moments import RunningMoments

from .doubles import make_batch, make_learner


class InNumpy:
    """The parallel algorithm for a mean and a variance, batch after batch, float64."""

    def __init__(self):
        self.mean, self.var, self.count = 0.0, 1.0, 1e-4

    def update(self, values):
        n, mean, var = len(values), np.mean(values), np.var(values, ddof=1)
        total, delta = self.count + n, mean - self.mean
        spread = self.var * self.count + var * n
        spread += delta**2 * self.count * n / total
        self.mean, self.var = self.mean + delta * n / total, spread / total
        self.count = total

    def standardise(self, x):
        return (x - self.mean) / np.sqrt(self.var)


def close(moments, expected, tolerance=1e-12):
    for name in ("mean", "var", "count"):
        found = getattr(moments, name).item()
        wanted = getattr(expected, name)
        assert abs(found - wanted) <= tolerance * max(1.0, abs(wanted)), name


def test_padding_counts_among_the_rewards_as_in_epymarl():
    """Rewards of −1 ± 0.3, episodes of 5 to 50 steps: padding's zeros pull the mean.

    The real rewards are standardised to −0.85 on average; without padding it was 0.
    """
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 51, 32)
    real = np.arange(50) < lengths[:, None]
    rewards = rng.normal(-1, 0.3, (32, 50)) * real
    moments, expected = RunningMoments(), InNumpy()
    moments.update(torch.from_numpy(rewards).unsqueeze(2))
    expected.update(rewards.flatten())
    close(moments, expected)
    found = moments.standardise(torch.from_numpy(rewards)).numpy()
    assert abs(found - expected.standardise(rewards)).max() < 1e-12
    assert -0.95 < found[real].mean() < -0.75


@pytest.mark.parametrize("changes", [{}, {"central_loss": 0.0}])
def test_a_learner_standardises_with_what_the_batch_has_added(changes):
    """Four updates; y of the last against y of rewards standardised by numpy."""
    learner = make_learner(standardise_rewards=True, **changes)
    expected = InNumpy()
    for step in range(4):
        batch = make_batch(step)
        expected.update(batch["reward"][:, :-1].numpy().flatten())
        plain = make_learner(seed=1, **changes)
        for name, module in learner._modules().items():
            plain._modules()[name].load_state_dict(module.state_dict())
        plain.mac.agent.load_state_dict(learner.mac.agent.state_dict())
        learner.train(batch, step, step)
        close(learner.reward_moments, expected)
        by_hand = expected.standardise(batch["reward"].numpy())
        batch.data["reward"] = torch.from_numpy(by_hand)
        plain.train(batch, step, step)
        for key in ("loss", "target_mean"):
            mine, theirs = (x.logger.stats[key][-1][1] for x in (learner, plain))
            assert abs(mine - theirs) < 1e-10, key


def test_returns_are_those_of_real_transitions():
    moments, expected = RunningMoments(), InNumpy()
    for step in range(3):
        batch = make_batch(step)
        x, mask = batch["reward"][:, :-1], batch["filled"][:, 1:].double()
        moments.update(x, mask)
        expected.update(x[mask == 1].numpy())
        close(moments, expected)


def test_a_long_runs_count_is_not_rounded():
    """float32 would stop at 2^24 + 1 by ones."""
    moments = RunningMoments()
    moments.count = torch.tensor(2.0**24, dtype=torch.float64)
    for _ in range(3):
        moments.update(torch.ones(1, 1, 1))
    assert moments.count.item() == 2**24 + 3
    assert torch.isfinite(moments.var)
