"""The baselines' learner against its formula in numpy."""

import inspect
import pickle

import numpy as np
import pytest
import torch as th

from wqmix.host.controllers import BasicMAC
from wqmix.host.errors import CheckpointError, NonFiniteError
from wqmix.host.learners import REGISTRY
from wqmix.host.learners.targets import td_targets
from wqmix.host.utils.checkpoints import load_tensors
from wqmix.storage import value_check
from wqmix.storage.tensors import RESTRICTED_PICKLE

from .doubles import MemoryLogger, make_args, make_batch, random_batch

GAMMA = 0.9


def make_learner(**changes):
    th.manual_seed(0)
    args = make_args(**changes)
    batch = make_batch()
    mac = BasicMAC(batch.scheme, batch.groups, args)
    learner = REGISTRY["q_learner"](mac, batch.scheme, MemoryLogger(), args)
    for network in (learner.target_mac.agent, learner.target_mixer):
        if network is not None:  # so that targets and online networks differ
            for parameter in network.parameters():
                parameter.data += 0.3 * th.randn_like(parameter)
    return learner


def unroll(mac, batch):
    mac.init_hidden(batch.batch_size)
    steps = [mac.forward(batch, t).detach().numpy() for t in range(5)]
    return np.stack(steps, axis=1)


def mixed(mixer, q, states):
    if mixer is None:
        return q
    return mixer(th.from_numpy(q), th.from_numpy(states)).detach().numpy()


def expected_stats(learner, batch):
    """Loss and logged values, by loops over the formula of the docstring."""
    online, target = unroll(learner.mac, batch), unroll(learner.target_mac, batch)
    d = {key: value.numpy() for key, value in batch.data.transition_data.items()}
    chosen = np.zeros((3, 4, 2), dtype=np.float32)
    best = np.zeros((3, 4, 2), dtype=np.float32)
    for b, t, a in np.ndindex(3, 4, 2):
        chosen[b, t, a] = online[b, t, a, d["actions"][b, t, a, 0]]
        allowed = [u for u in range(3) if d["avail_actions"][b, t + 1, a, u]] or [0]
        judge = online if learner.args.double_q else target
        greedy = max(allowed, key=lambda u: judge[b, t + 1, a, u])
        best[b, t, a] = target[b, t + 1, a, greedy]
    q = mixed(learner.mixer, chosen, d["state"][:, :-1])
    q_next = mixed(learner.target_mixer, best, d["state"][:, 1:])
    squares, errors, values, targets, count = 0, 0, 0, 0, 0
    for b, t, i in np.ndindex(*q.shape):
        if t >= (4, 2, 3)[b]:  # beyond the episode
            continue
        y = (
            d["reward"][b, t, 0]
            + GAMMA * (1 - d["terminated"][b, t, 0]) * q_next[b, t, i]
        )
        squares += (q[b, t, i] - y) ** 2
        errors += abs(q[b, t, i] - y)
        values += q[b, t, i]
        targets += y
        count += 1
    return {
        "loss": squares / count,
        "td_error_abs": errors / count,
        "q_taken_mean": values / count / 2,
        "target_mean": targets / count / 2,
    }


@pytest.mark.parametrize("double_q", [True, False])
@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_loss_equals_the_formula(mixer, double_q):
    learner = make_learner(mixer=mixer, double_q=double_q)
    batch = random_batch(np.random.default_rng(1))
    expected = expected_stats(learner, batch)
    learner.train(batch, t_env=10, episode_num=0)
    logged = {key: value for (key, _), value in learner.logger.stats.items()}
    assert all(type(value) is float for value in logged.values())
    for key, value in expected.items():
        assert logged[key] == pytest.approx(float(value), rel=1e-4, abs=1e-6), key


def lambda_returns(reward, terminated, values, length, td_lambda):
    """G^λ_t = (1 − λ) Σ_n λ^{n−1} G^{(n)}_t + λ^{N−1} G^{(N)}_t, forward, in float64.

    G^{(n)}_t = Σ_{k<n} γ^k r_{t+k} + γ^n (1 − terminated) v_{t+n}; N steps are left.
    """
    found = []
    for t in range(length):
        total, left = 0.0, length - t
        for n in range(1, left + 1):
            g = sum(GAMMA**k * reward[t + k] for k in range(n))
            g += GAMMA**n * (1 - terminated[t + n - 1]) * values[t + n]
            weight = td_lambda ** (n - 1) * (1 if n == left else 1 - td_lambda)
            total += weight * g
        found.append(total)
    return found


@pytest.mark.parametrize("td_lambda", [0.6, 1.0, 1e-9])
@pytest.mark.parametrize("width", [1, 2], ids=["mixed", "each"])
def test_lambda_targets_equal_the_forward_view(td_lambda, width):
    """A full episode, one that terminates, one that is cut; noise in the padding."""
    g = np.random.default_rng(3)
    reward, values = g.normal(size=(3, 4, 1)), g.normal(size=(3, 5, width))
    terminated, mask = np.zeros((3, 4, 1)), np.zeros((3, 4, width))
    lengths = (4, 2, 3)
    for episode, length in enumerate(lengths):
        mask[episode, :length] = 1
    terminated[1, 1] = 1
    data = [th.from_numpy(x) for x in (reward, GAMMA * (1 - terminated), mask, values)]
    found = td_targets(*data[:3], data[3][:, 1:], td_lambda)
    for episode, length in enumerate(lengths):
        rows = (reward[episode, :, 0], terminated[episode, :, 0])
        for i in range(width):
            expected = lambda_returns(*rows, values[episode, :, i], length, td_lambda)
            assert found[episode, :length, i].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_lambda_is_learnt_from(mixer):
    """λ near 0 is one step, and 0.8 is not."""
    losses = {}
    for td_lambda in (0, 1e-7, 0.8):
        learner = make_learner(mixer=mixer, td_lambda=td_lambda)
        batch = random_batch(np.random.default_rng(1))
        learner.train(batch, t_env=10, episode_num=0)
        losses[td_lambda] = learner.logger.stats["loss", 10]
    assert losses[1e-7] == pytest.approx(losses[0], rel=1e-5)
    assert abs(losses[0.8] - losses[0]) > 1e-3


def test_adams_first_step_by_hand():
    """m = (1 − β₁) g and v = (1 − β₂) g², unbiased: a step of lr · g / (|g| + 1e-8)."""
    learner = make_learner(optimizer="adam", grad_norm_clip=1e9)
    before = [p.detach().clone() for p in learner.params]
    learner.train(random_batch(np.random.default_rng(1)), t_env=10, episode_num=0)
    for old, p in zip(before, learner.params):
        step = learner.args.lr * p.grad / (p.grad.abs() + 1e-8)
        assert th.allclose(p, old - step, rtol=0, atol=1e-7)


def test_padding_changes_nothing():
    """Noise in the empty slots: the same update."""
    updated = []
    for noise in (0.0, 50.0):
        learner = make_learner()
        batch = random_batch(np.random.default_rng(1))
        # Filled are slots 0 to 2 of the second, which terminated, and 0 to 3 of the
        # third, which did not.
        for key in ("state", "obs", "reward"):
            batch[key][1, 3:] += noise
            batch[key][2, 4:] += noise
        learner.train(batch, t_env=10, episode_num=0)
        updated.append([p.detach().clone() for p in learner.params])
    assert all(th.equal(a, b) for a, b in zip(*updated))


def test_targets_get_no_gradient_and_move_when_due():
    learner = make_learner(target_update_interval=5)
    batch = random_batch(np.random.default_rng(1))
    state = learner.target_mixer.state_dict()
    before = {key: value.clone() for key, value in state.items()}
    learner.train(batch, t_env=10, episode_num=4)
    assert all(th.equal(before[key], value) for key, value in state.items())
    assert all(p.grad is None for p in learner.target_mac.parameters())
    assert all(p.grad is not None for p in learner.params)
    learner.train(batch, t_env=20, episode_num=5)
    pairs = zip(learner.mixer.parameters(), learner.target_mixer.parameters())
    assert all(th.equal(a, b) for a, b in pairs)
    agents = (learner.mac.agent.fc1.weight, learner.target_mac.agent.fc1.weight)
    assert th.equal(*agents)


def test_statistics_are_logged_when_due():
    learner = make_learner(learner_log_interval=10)
    for t_env in (0, 5, 10, 12, 21):
        batch = random_batch(np.random.default_rng(1))
        learner.train(batch, t_env=t_env, episode_num=0)
    steps = {t for key, t in learner.logger.stats if key == "loss"}
    assert steps == {0, 10, 21}


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_update(reward):
    learner = make_learner()
    batch = random_batch(np.random.default_rng(1))
    batch["reward"][0, 0] = reward
    before = [p.detach().clone() for p in learner.params]
    with pytest.raises(NonFiniteError, match="loss is (nan|inf) at .* step 70"):
        learner.train(batch, t_env=70, episode_num=0)
    assert all(th.equal(a, b) for a, b in zip(before, learner.params))


def test_save_load_continue(tmp_path):
    """A learner that was saved goes on as the one that was not interrupted."""
    batch = random_batch(np.random.default_rng(1))
    first, second = make_learner(), make_learner()
    first.train(batch, t_env=10, episode_num=0)
    first.save_models(tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"agent.th", "mixer.th", "opt.th", "target"}
    second.load_models(tmp_path)
    for learner in (first, second):
        learner.train(batch, t_env=20, episode_num=0)
    assert all(th.equal(a, b) for a, b in zip(first.params, second.params))


@pytest.mark.parametrize("kinds", [("adam", "rmsprop"), ("rmsprop", "adam")])
def test_the_state_of_the_other_optimiser_is_refused(tmp_path, kinds):
    first, second = (make_learner(optimizer=kind) for kind in kinds)
    first.train(random_batch(np.random.default_rng(1)), t_env=10, episode_num=0)
    first.save_models(tmp_path)
    before = [p.detach().clone() for p in second.params]
    with pytest.raises(CheckpointError, match="opt.th: the state is not that of"):
        second.load_models(tmp_path)
    assert all(th.equal(a, b) for a, b in zip(before, second.params))


class Evil:
    def __reduce__(self):
        return (print, ("code was run",))


def test_checkpoints_are_data(tmp_path, capsys):
    th.save({"weights": th.ones(2), "evil": Evil()}, tmp_path / "evil.th")
    with pytest.raises(CheckpointError, match="evil.th"):
        load_tensors(tmp_path / "evil.th")
    with pytest.raises(CheckpointError, match="absent.th"):
        load_tensors(tmp_path / "absent.th")
    (tmp_path / "text.th").write_text("no checkpoint")
    with pytest.raises(CheckpointError, match="text.th"):
        load_tensors(tmp_path / "text.th")
    assert "code was run" not in capsys.readouterr().out


def test_the_unpickler_for_old_torch(tmp_path, capsys):
    """Where torch.load knows no weights_only, this class does its work."""
    restricted = {"pickle_module": RESTRICTED_PICKLE}
    if "weights_only" in inspect.signature(th.load).parameters:
        restricted["weights_only"] = False
    learner = make_learner()
    learner.train(random_batch(np.random.default_rng(1)), t_env=1, episode_num=0)
    learner.save_models(tmp_path)
    for name in ("agent", "mixer", "opt"):
        path = tmp_path / f"{name}.th"
        ours, torchs = th.load(path, **restricted), load_tensors(path)
        assert str(ours) == str(torchs)
    th.save(Evil(), tmp_path / "evil.th")
    with pytest.raises(pickle.UnpicklingError, match="print is not allowed"):
        th.load(tmp_path / "evil.th", **restricted)
    assert "code was run" not in capsys.readouterr().out


def targets_after(updates, **changes):
    """Target and online weights before each update and after it."""
    learner = make_learner(**changes)
    seen = []
    for number in range(updates):
        old = learner.target_mixer.V[0].weight.clone()
        batch = random_batch(np.random.default_rng(number))
        learner.train(batch, t_env=number, episode_num=0)
        new = learner.mixer.V[0].weight.detach().clone()
        seen.append((old, new, learner.target_mixer.V[0].weight.clone()))
    return seen


def test_targets_are_copied_every_so_many_updates():
    copied = [
        th.equal(new, now)
        for _, new, now in targets_after(7, target_update_interval_or_tau=3)
    ]
    assert copied == [False, False, True, False, False, True, False]


@pytest.mark.parametrize("tau", [0.3, 1])
def test_soft_targets(tau):
    """θ⁻ ← (1 − τ) θ⁻ + τ θ."""
    for old, new, now in targets_after(3, target_update_interval_or_tau=tau):
        assert th.allclose(now, (1 - tau) * old + tau * new, rtol=1e-6, atol=1e-7)


def test_the_learning_rate_goes_in_a_line():
    learner = make_learner(lr=0.01, lr_anneal_time=100, lr_finish=0.002)
    rates = []
    for t_env in (0, 25, 100, 400):
        learner.train(random_batch(np.random.default_rng(1)), t_env, 0)
        rates.append(learner.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([0.01, 0.008, 0.002, 0.002])


@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_importance_weights_and_priorities(mixer):
    """loss = Σ_b w_b Σ_t m δ² / Σ m; priority Σ_t |δ| / √steps, mean over agents."""
    batch = random_batch(np.random.default_rng(1))
    weights, losses, found = np.array([0.2, 1.0, 0.7]), [], None
    for each in (weights, *np.eye(3)):
        learner = make_learner(mixer=mixer, use_per=True)
        found = learner.train(batch, 10, 0, each)["td_errors_abs"]
        losses.append(learner.logger.stats["loss", 10])
    assert losses[0] == pytest.approx(float(weights @ losses[1:]), rel=1e-5)
    learner = make_learner(mixer=mixer)
    learner.train(batch, 10, 0)
    total = learner.logger.stats["td_error_abs", 10]
    steps = np.array([4, 2, 3])
    assert found.shape == (3, 1)
    sums = found.numpy().ravel() * np.sqrt(steps)
    assert sums.sum() == pytest.approx(total * steps.sum(), rel=1e-4)


@pytest.mark.parametrize("mixer", [None, "vdn", "qmix"])
def test_standardised_targets(mixer):
    """What is learnt from has mean 0 and variance 1, padding left out."""
    learner = make_learner(mixer=mixer, standardise_returns=True)
    learner.moments["returns"] = learner.moments["returns"]._replace(
        mean=th.full_like(learner.moments["returns"].mean, 5.0),
        var=th.full_like(learner.moments["returns"].var, 4.0),
        count=1e-9,
    )
    plain = make_learner(mixer=mixer)
    batch = random_batch(np.random.default_rng(1))
    utilities = plain._unroll(plain.mac, batch).detach()
    mask = plain._mask(batch)
    one = plain._targets(batch, utilities, mask, batch["state"])
    # Bootstrapped values become 2 v + 5; then the batch's own moments take over.
    discount = GAMMA * (1 - batch["terminated"][:, :-1].float())
    rewards = batch["reward"][:, :-1]
    raw = rewards + 2 * (one - rewards) + 5 * discount
    is_real = mask[..., 0] > 0
    rows = raw.double()[is_real]
    expected = ((raw - rows.mean(0)) / rows.std(0))[is_real]
    found = learner._targets(batch, utilities, mask, batch["state"])
    assert not is_real.all()
    assert th.allclose(found[is_real], expected.float(), rtol=1e-4, atol=1e-4)


def test_moments_are_as_before_where_nothing_was_updated():
    learner = make_learner(standardise_rewards=True)
    batch = random_batch(np.random.default_rng(1))
    learner.train(batch, 10, 0)
    before = learner.moments["rewards"]
    batch["reward"][0, 0] = float("nan")
    with pytest.raises(NonFiniteError):
        learner.train(batch, 20, 0)
    assert learner.moments["rewards"] is before


@pytest.mark.parametrize("standardised", [False, True])
def test_values_that_do_not_fit_the_returns(standardised, caplog, monkeypatch):
    """One line; of standardised targets nothing can be said."""
    monkeypatch.setattr(value_check, "UPDATES", 20)
    learner = make_learner(standardise_rewards=standardised, lr=1e-9)
    learner.mixer.V[2].bias.data += 1e5
    batch = random_batch(np.random.default_rng(1))
    for number in range(30):
        learner.train(batch, t_env=number, episode_num=0)
    lines = [record.getMessage() for record in caplog.records]
    lines = [line for line in lines if "mixer_init_scale" in line]
    assert len(lines) == (0 if standardised else 1)
