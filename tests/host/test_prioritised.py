"""Prioritised replay and the standardisation of rewards, against their formulas."""

import numpy as np
import pytest
import torch as th

from wqmix.host.components.prioritised_buffer import SMALLEST, PrioritisedReplayBuffer
from wqmix.host.components.running_moments import RunningMoments
from wqmix.host.main import main

from .doubles import make_batch, make_scheme, random_batch
from .test_main import command, latest, record

ALPHA, BETA, T_MAX = 0.6, 0.4, 1000


def make_buffer(size=7):
    scheme, groups, preprocess = make_scheme()
    options = dict(preprocess=preprocess, alpha=ALPHA, beta=BETA, t_max=T_MAX)
    return PrioritisedReplayBuffer(scheme, groups, size, 5, **options)


def filled_buffer(priorities):
    buffer = make_buffer()
    for _ in range(2):
        buffer.insert_episode_batch(random_batch(np.random.default_rng(0)))
    buffer.update_priorities(np.arange(6), np.array(priorities) - SMALLEST)
    return buffer


PRIORITIES = [0.5, 3.0, 0.1, 1.0, 7.0, 0.2]


def test_new_episodes_get_the_largest_priority_so_far():
    buffer = make_buffer()
    buffer.insert_episode_batch(make_batch(3, 5))
    assert buffer.powers.tolist() == [1, 1, 1, 0, 0, 0, 0]
    buffer.update_priorities(np.array([1, 2]), np.array([5.0, 0.3]))
    buffer.insert_episode_batch(make_batch(3, 5))
    buffer.insert_episode_batch(make_batch(3, 5))  # the last two lie at the beginning
    assert buffer.powers == pytest.approx([(5 + SMALLEST) ** ALPHA] * 2 + [
        (0.3 + SMALLEST) ** ALPHA, *[(5 + SMALLEST) ** ALPHA] * 4
    ])  # fmt: skip


def test_draws_are_stratified_and_in_proportion():
    """Of each of B equal parts of the sum one; in all as often as P says."""
    buffer = filled_buffer(PRIORITIES)
    powers = np.array(PRIORITIES) ** ALPHA
    np.random.seed(0)
    counts, rounds = np.zeros(6), 4000
    for _ in range(rounds):
        _, slots, _ = buffer.sample_by_priority(3, 0)
        assert (np.diff(slots) >= 0).all()
        counts += np.bincount(slots, minlength=6)
    assert counts / counts.sum() == pytest.approx(powers / powers.sum(), abs=0.01)


@pytest.mark.parametrize("t_env, beta", [(0, 0.4), (500, 0.7), (1000, 1.0), (2000, 1)])
def test_importance_weights(t_env, beta):
    buffer = filled_buffer(PRIORITIES)
    batch, slots, weights = buffer.sample_by_priority(4, t_env)
    chances = np.array(PRIORITIES) ** ALPHA
    chances /= chances.sum()
    largest = (6 * chances.min()) ** -beta
    expected = [(6 * chances[slot]) ** -beta / largest for slot in slots]
    assert weights == pytest.approx(expected)
    for row, slot in enumerate(slots):
        assert th.equal(batch["obs"][row], buffer["obs"][slot])


def test_what_is_not_finite_is_no_priority():
    buffer = filled_buffer(PRIORITIES)
    before = buffer.powers.copy()
    buffer.update_priorities(np.array([0, 1]), np.array([np.nan, np.inf]))
    assert (buffer.powers == before).all() and buffer.max_priority == 7.0


@pytest.mark.parametrize(
    "weights, said",
    [
        ("", "the train of learner 'own.py:Own' takes no importance weights"),
        (", per_weight=None", "use_per=True needs priorities, but train"),
    ],
)
def test_a_learner_without_priorities(weights, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from learners.q_learner import QLearner\n\n\n"
        "class Own(QLearner):\n"
        f"    def train(self, batch, t_env, episode_num{weights}):\n"
        "        super().train(batch, t_env, episode_num)\n"
    )
    words = ["learner=own.py:Own", "use_per=True", "t_max=200", "batch_size=4"]
    assert main(command(*words)) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("config", ["iql", "vdn", "qmix"])
def test_a_run_with_everything(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["use_per=True", "standardise_rewards=True", "standardise_returns=True"]
    words += ["target_update_interval_or_tau=0.01", "lr_anneal_time=200"]
    words += ["use_layer_norm=True", "use_orthogonal=True", "td_lambda=0.6"]
    assert main(command(*words, "t_max=200", "batch_size=4", config=config)) == 0
    losses = record(latest(), "info.json")["loss"]
    assert len(losses) > 0 and np.isfinite(losses).all()


def test_moments_equal_epymarls_formula():
    """Batches merged one after the other in float64, padding and all."""
    g = np.random.default_rng(0)
    moments = RunningMoments.at_start(2)
    mean, var, count = np.zeros(2), np.ones(2), 1e-4
    for size in (3, 1, 5):
        x = g.normal(2.0, 3.0, size=(size, 4, 2)) * (g.random((size, 4, 1)) < 0.7)
        moments = moments.merged(th.from_numpy(x))
        rows = x.reshape(-1, 2)
        n, total = len(rows), count + len(rows)
        squares = var * count + rows.var(0, ddof=1) * n
        squares += (rows.mean(0) - mean) ** 2 * count * n / total
        mean = (mean * count + rows.sum(0)) / total
        var, count = squares / total, total
        assert moments.mean.numpy() == pytest.approx(mean, rel=1e-9)
        assert moments.var.numpy() == pytest.approx(var, rel=1e-9)
    y = th.from_numpy(g.normal(size=(2, 3, 2)))
    expected = (y.numpy() - mean) / np.sqrt(var)
    assert moments.standardise(y).numpy() == pytest.approx(expected)
    assert th.allclose(moments.unstandardise(moments.standardise(y)), y)
