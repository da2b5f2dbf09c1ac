"""What does without monotonicity: free mixing weights, their penalty, SARSA targets."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wqmix import get_runner
from wqmix.errors import ConfigError
from wqmix.host.modules.mixers.qmix import QMixer
from wqmix.modules.mixers.free import FreeMixer

from .doubles import SIZES, make_batch, make_learner


def qmixer(args, layers=2):
    sizes = dict(mixing_embed_dim=4, hypernet_layers=layers, hypernet_embed=6)
    own = dict(n_agents=args.n_agents, state_shape=args.state_shape)
    rest = dict(use_orthogonal=False, mixer_init_scale=1)
    return QMixer(SimpleNamespace(**sizes, **own, **rest)).double()


PLAIN = dict(weighting="uniform", central_loss=0.0, build_mixer=qmixer)


@pytest.mark.parametrize("layers", [1, 2])
def test_free_equals_the_hosts_mixer_but_for_absolute_values(layers):
    torch.manual_seed(0)
    mixer = qmixer(SimpleNamespace(**SIZES), layers)
    free = FreeMixer(mixer)
    assert list(free.state_dict()) == list(mixer.state_dict())
    q = torch.randn(5, 6, SIZES["n_agents"], dtype=torch.float64)
    state = torch.randn(5, 6, SIZES["state_shape"], dtype=torch.float64)
    found, n, e = free(q, state), SIZES["n_agents"], 4
    assert not torch.allclose(found, mixer(q, state))
    for b, t in np.ndindex(5, 6):  # Eq. 25 of Hu et al., slot by slot
        s = state[b, t]
        w_1, w_final = mixer.hyper_w_1(s).view(n, e), mixer.hyper_w_final(s)
        hidden = [
            sum(q[b, t, i] * w_1[i, k] for i in range(n)) + mixer.hyper_b_1(s)[k]
            for k in range(e)
        ]
        hidden = [h if h > 0 else torch.expm1(h) for h in hidden]
        expected = sum(h * w for h, w in zip(hidden, w_final)) + mixer.V(s)[0]
        assert found[b, t, 0].item() == pytest.approx(expected.item(), abs=1e-12)
    for net in (mixer.hyper_w_1, mixer.hyper_w_final):  # with weights ≥ 0 they agree
        last = net if layers == 1 else net[2]
        last.weight.data.zero_()
        last.bias.data.abs_()
    assert torch.allclose(free(q, state), mixer(q, state), atol=1e-12)


def test_pymarl2s_names_are_known():
    names = {"hyper_w1": 12, "hyper_b1": 4, "hyper_w2": 4, "hyper_b2": 1}
    mixer = torch.nn.Module()
    for name, size in names.items():
        setattr(mixer, name, torch.nn.Linear(5, size))
    mixer.n_agents, mixer.embed_dim = 3, 4
    assert FreeMixer(mixer)(torch.ones(2, 7, 3), torch.ones(2, 7, 5)).shape == (2, 7, 1)


def test_another_mixer_is_refused():
    with pytest.raises(ConfigError, match="mixing='free' takes the networks of QMIX's"):
        make_learner(mixing="free", weighting="uniform", central_loss=0.0)


@pytest.mark.parametrize("power", [1, 2])
def test_the_penalty_equals_finite_differences(power, most):
    """Σ m Σ_i max(0, −∂Q_tot/∂Q_i)^p / Σ m."""
    learner = make_learner(
        **PLAIN, mixing="free", monotonicity_loss=0.7, monotonicity_power=power
    )
    batch = make_batch()
    data, loss, losses = learner._backward(batch, 0)
    values = loss.values
    chosen = values.q[:, :-1].gather(3, data.actions).squeeze(3).detach()
    state, h, expected = data.state[:, :-1], 1e-6, 0.0
    for i in range(SIZES["n_agents"]):
        step = torch.zeros_like(chosen)
        step[..., i] = h
        up, down = (learner.mixer(chosen + s * step, state) for s in (1, -1))
        slope = (up - down) / (2 * h)
        expected += ((-slope).clamp(min=0) ** power * data.mask).sum()
    expected = expected / data.mask.sum()
    assert expected.item() > 1e-3
    assert losses["monotonicity_loss"].item() == pytest.approx(expected.item(), 1e-6)
    total = losses["qmix_loss"] + 0.7 * losses["monotonicity_loss"]
    assert losses["loss"].item() == pytest.approx(total.item(), 1e-12)


def test_the_penalty_makes_it_monotonic():
    learner = make_learner(**PLAIN, mixing="free", monotonicity_loss=100.0, lr=0.01)
    batch = make_batch()
    falls = []
    for step in range(60):
        learner.train(batch, step, step)
        falls.append(learner.logger.stats["monotonicity_loss"][-1][1])
    assert falls[-1] < 0.05 * falls[0]


@pytest.mark.parametrize("central_loss", [0.0, 1.0])
@pytest.mark.parametrize("td_lambda", [None, 0.6])
def test_sarsa_targets(central_loss, td_lambda, most):
    """y bootstraps at the actions taken; in last states, where none was, at û."""
    changes = dict(td_lambda=td_lambda, central_loss=central_loss, weighting="uniform")
    learner = make_learner(bootstrap="taken", build_mixer=qmixer, **changes)
    batch = make_batch()
    data, loss, _ = learner._backward(batch, 0)
    values = loss.values
    nets = learner.target_networks
    mixer = nets.get("mixer") or nets["central_mixer"]
    from wqmix.inputs import agent_inputs
    from wqmix.slots import Slots

    every = Slots(batch.batch_size, batch.max_seq_length)
    inputs = agent_inputs(batch, learner.args, every)
    if central_loss:
        q = every.unpack(nets["central_agent"](inputs, every))  # [B, T+1, A, U, 1]
    else:
        q = learner.unroll(nets.mac, batch, inputs, every)
    for b in range(batch.batch_size):
        length = int(data.mask[b].sum())
        value = []
        for t in range(length + 1):
            last = t == length
            u = (values.greedy if last else data.actions)[b, t, :, 0]
            rows = q[b, t, torch.arange(3), u]
            value.append(mixer(rows[None, None], batch["state"][b, t][None, None]))
        y = [0.0] * length
        for t in reversed(range(length)):
            tail = value[t + 1].item()
            if td_lambda is not None and t + 1 < length:
                tail = (1 - td_lambda) * tail + td_lambda * y[t + 1]
            alive = 1 - batch["terminated"][b, t, 0].item()
            y[t] = batch["reward"][b, t, 0].item() + 0.9 * alive * tail
        assert values.target[b, :length, 0].tolist() == pytest.approx(y, abs=1e-9)


@pytest.mark.slow
def test_it_fits_a_payoff_that_qmix_cannot():
    """The first matrix game, all joint actions alike often: without error, or not."""
    settings = dict(seed=0, t_max=4000, use_cuda=False, batch_size=32, buffer_size=500)
    settings.update(runner="vector", batch_size_run=8, episodes_per_update=8)
    settings.update(optimizer="adam", lr=0.001, epsilon_finish=1.0)
    losses = {}
    for name in ("nonmonotonic_qmix", "plain_qmix"):
        with get_runner(name, "matrix_game", **settings) as runner:
            losses[name] = runner.run()["loss"][-1][1]
    assert losses["nonmonotonic_qmix"] < 0.1 < 10 < losses["plain_qmix"]
