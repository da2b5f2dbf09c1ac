"""The projector variant against numpy: ω, Q_proj, targets, loss, its own optimiser."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from wqmix import omegas
from wqmix.errors import ConfigError
from wqmix.modules.mixers.projector import Projector
from wqmix.omegas import OMEGAS, OmegaInputs

from . import reference
from .doubles import make_batch, make_learner
from .test_checkpoints import everything, train

FORMS = [
    dict(omega="constant"),
    dict(omega="annealed"),
    dict(omega="learned"),
    dict(omega="advantage"),
    dict(omega="advantage", advantage_value="network"),
    dict(projector_inputs="state_action"),
    dict(projector_batch_norm=True),
    dict(weighting="greedy", alpha=0.0),
    dict(weighting="soft_ow", double_q=False),
]


def make(seed=0, **changes):
    return make_learner(seed, learner="proj_qmix_learner", **changes)


# Q_proj and ω by hand -------------------------------------------------------


def test_the_projector_sums_its_heads_and_clamps():
    """Heads of one hidden unit: relu(2 s) · 3 and relu(s + 1) · (−1) + 4."""
    net = Projector(1, 1, heads=2, clamp=10.0, batch_norm=False)
    with torch.no_grad():
        for head, values in zip(net.heads, ((2.0, 0.0, 3.0, 0.0), (1, 1, -1, 4))):
            for p, value in zip(head.parameters(), values):
                p.fill_(value)
    s = torch.tensor([1.0, -3.0, 5.0]).reshape(1, 3, 1)
    # 6 + (−2 + 4) = 8;  0 + (0 + 4) = 4;  30 + (−6 + 4) = 28, clamped
    assert net(s, torch.ones(1, 3, 1)).flatten().tolist() == [8.0, 4.0, 10.0]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_last_layers_start_near_zero(batch_norm):
    net = Projector(4, 64, 3, 10.0, batch_norm)
    for head in net.heads:
        last = torch.cat([p.flatten() for p in head[-1].parameters()])
        assert 2e-3 < last.abs().max() <= 3e-3


def test_batch_normalisation_sees_no_padding():
    """Hidden units 2 and 4 normalised to −1 and 1; the padded slot is left out."""
    net = Projector(1, 1, 1, 10.0, batch_norm=True).double()
    with torch.no_grad():
        for p, value in zip(net.parameters(), (1.0, 0.0, 1.0, 0.0, 3.0, 0.5)):
            p.fill_(value)
    x = torch.tensor([2.0, 4.0, 99.0], dtype=torch.float64).reshape(1, 3, 1)
    mask = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64).reshape(1, 3, 1)
    value = net(x, mask).flatten()
    assert value.tolist() == pytest.approx([0.5, 3.5, 0.0], abs=1e-4)
    # running mean: 0.9 · 0 + 0.1 · 3
    assert net.heads[0][1].running_mean.item() == pytest.approx(0.3)


def test_batch_normalisation_needs_two_transitions():
    net = Projector(1, 2, 1, 10.0, batch_norm=True)
    with pytest.raises(ConfigError, match="one transition.*larger batch_size"):
        net(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))


def omega_inputs(q_mono, t_env=0, mask=None):
    q_mono = torch.tensor(q_mono, dtype=torch.float64).reshape(1, -1, 1)
    state = torch.zeros(1, q_mono.shape[1], 2, dtype=torch.float64)
    return OmegaInputs(state, q_mono, lambda: torch.ones_like(q_mono), t_env, mask)


def build(form):
    settings = SimpleNamespace(
        omega_max=2.0,
        omega_anneal_steps=10,
        omega_embed_dim=3,
        advantage_value="sampled",
    )
    return OMEGAS[form](2, settings).double()


def test_constant_and_annealed_by_hand():
    x = omega_inputs([1.0, 5.0], t_env=10)
    assert build("constant")(x).flatten().tolist() == [2.0, 2.0]
    expected = 2 * (1 - math.exp(-1))
    assert build("annealed")(x).flatten().tolist() == pytest.approx([expected] * 2)
    start = build("annealed")(omega_inputs([1.0]))
    assert start.item() == 0.0


def test_learned_by_hand():
    """With a net of zeros, σ(0) = 1/2; it gets gradient."""
    omega = build("learned")
    with torch.no_grad():
        for p in omega.parameters():
            p.zero_()
    value = omega(omega_inputs([1.0, 5.0]))
    assert value.flatten().tolist() == [0.5, 0.5] and value.requires_grad


def test_advantage_by_hand(monkeypatch):
    """V = 1: |A| = 1, 2, 3 and a padded 96; means 2, then 4 of |A| = 4."""
    monkeypatch.setattr(omegas, "EPS", 0.0)
    monkeypatch.setattr(omegas, "MOMENTUM", 0.5)
    omega = build("advantage")
    mask = torch.tensor([1.0, 1.0, 1.0, 0.0]).double().reshape(1, 4, 1)
    first = omega(omega_inputs([2.0, -1.0, 4.0, 97.0], mask=mask))
    assert first.flatten().tolist() == pytest.approx([0.5, 1.0, 1.5, 48.0])
    # running mean: (0.5 · 2 + 1 · 4) / 1.5 of weights 0.5 and 1, that is 10 / 3
    second = omega(omega_inputs([5.0], mask=torch.ones(1, 1, 1).double()))
    assert second.item() == pytest.approx(4 / (10 / 3))
    # where nothing is learnt the mean stays
    assert omega(omega_inputs([1.0])).item() == 0.0
    assert omega(omega_inputs([5.0])).item() == pytest.approx(1.2)
    assert not second.requires_grad


# One update in numpy --------------------------------------------------------


def heads(p, x):
    total = 0.0
    for h in itertools.count():
        if f"heads.{h}.0.weight" not in p:
            return float(np.clip(total, -10, 10))
        hidden = reference.relu(reference.linear(p, f"heads.{h}.0", x))
        total += reference.linear(p, f"heads.{h}.2", hidden)[0]


def omega_of(changes, p, s, t_env):
    form = changes.get("omega", "constant")
    if form == "constant":
        return 0.7
    if form == "annealed":
        return 0.7 * (1 - math.exp(-t_env / 50))
    hidden = reference.relu(reference.linear(p, "net.0", s))
    return reference.sigmoid(reference.linear(p, "net.2", hidden)[0])


def update(learner, batch, changes, t_env):
    """Means over the real transitions, from the networks as they are."""
    agent, mixer = map(reference.arrays, (learner.mac.agent, learner.mixer))
    nets = learner.target_networks
    agent_t, mixer_t = map(reference.arrays, (nets["mac"].agent, nets["mixer"]))
    proj, omega = map(reference.arrays, (learner.projector, learner.omega))
    rows = []
    for b in range(batch.batch_size):
        ep = {key: value[b].numpy() for key, value in batch.data.items()}
        inputs = reference.agent_inputs(ep)
        q, q_t = (reference.recurrent(p, inputs) for p in (agent, agent_t))
        choose = q if changes.get("double_q", True) else q_t

        def projected(t, joint, s=ep["state"]):
            x = s[t]
            if changes.get("projector_inputs") == "state_action":
                x = np.concatenate([x, np.eye(4)[list(joint)].reshape(-1)])
            return omega_of(changes, omega, s[t], t_env), heads(proj, x)

        greedy, value = [], []
        for t in range(int(ep["filled"].sum())):
            allowed = [np.flatnonzero(a) for a in ep["avail_actions"][t]]
            best = [
                max(a, key=lambda k: choose[t, i, k]) for i, a in enumerate(allowed)
            ]
            taken = np.array([q_t[t, i, k] for i, k in enumerate(best)])
            w, extra = projected(t, best)
            greedy.append(best)
            value.append(
                reference.monotonic(mixer_t, taken, ep["state"][t]) + w * extra
            )
        for t in range(len(value) - 1):
            joint = list(ep["actions"][t, :, 0])
            taken = np.array([q[t, i, k] for i, k in enumerate(joint)])
            mono = reference.monotonic(mixer, taken, ep["state"][t])
            w, extra = projected(t, joint)
            alive = 1.0 - float(ep["terminated"][t, 0])
            y = float(ep["reward"][t, 0]) + 0.9 * alive * value[t + 1]
            tot = mono + w * extra
            weight = 1.0
            if changes.get("weighting") == "greedy":
                weight = float(joint == greedy[t])
            elif changes.get("weighting") == "soft_ow":
                weight = 0.25 + 0.75 * reference.sigmoid(y - tot)
            rows.append([mono, extra, w, tot, y / 3, weight, weight * (tot - y) ** 2])
    return np.mean(rows, axis=0)


LOGGED = ("q_mono", "q_proj", "omega", "q_tot", "target_mean", "w_to_use", "loss")


@pytest.mark.parametrize(
    "changes",
    [
        c
        for c in FORMS
        if c.get("omega") != "advantage" and "projector_batch_norm" not in c
    ],
    ids=str,
)
def test_one_update_in_numpy(changes):
    learner, batch = make(**changes), make_batch()
    with torch.no_grad():  # the projector starts near zero: make it count
        for head in learner.projector.heads:
            head[-1].weight.mul_(300)
    expected = update(learner, batch, changes, t_env=20)
    learner.train(batch, 20, 0)
    found = [learner.logger.stats[key][0][1] for key in LOGGED]
    assert found == pytest.approx(list(expected), rel=1e-9, abs=1e-9)
    assert all(type(value) is float for value in found)


def mean_of_mono(learner, ep, t):
    """The mean of Q_mono(s_t, ·) over all available joint actions."""
    agent, mixer = map(reference.arrays, (learner.mac.agent, learner.mixer))
    q = reference.recurrent(agent, reference.agent_inputs(ep))[t]
    joints = itertools.product(*[np.flatnonzero(a) for a in ep["avail_actions"][t]])
    values = [q[range(3), list(joint)] for joint in joints]
    return np.mean([reference.monotonic(mixer, v, ep["state"][t]) for v in values])


@pytest.mark.parametrize("value", ["sampled", "network"])
def test_advantage_against_the_definition(value):
    """ω = |Q_mono − V| over its mean, from what the learner saw in one update."""
    changes = dict(omega="advantage", advantage_value=value, advantage_samples=4000)
    learner, batch, seen = make(**changes), make_batch(), []
    learner.omega.register_forward_hook(
        lambda module, x, y: seen.append((x[0], y, x[0].sampled_value()))
    )
    ep = {key: value[0].numpy() for key, value in batch.data.items()}
    exact = [mean_of_mono(learner, ep, t) for t in range(6)]
    learner.train(batch, 0, 0)
    x, omega, v = seen[0]
    assert v[0].flatten().tolist() == pytest.approx(exact, abs=0.03)
    if value == "network":
        assert learner.logger.stats["omega_value_loss"][0][1] > 0
        v = make(**changes).omega.value(x.state)
    real = batch["filled"][:, 1:] == 1
    size = (x.q_mono - v).abs()[real]
    assert torch.allclose(omega[real], size / size.mean(), rtol=1e-4)


# Training -------------------------------------------------------------------


def test_the_projector_has_its_own_learning_rate_and_l2():
    """RMSprop's first step by hand, with lr 0.002 and g + l2 p for the projector."""
    learner = make(projector_l2=0.5, grad_norm_clip=1e9)
    start = [p.detach().clone() for p in learner.params]
    step, grads = learner.optimiser.step, []

    def noting(*_):  # torch 1.12's step adds the decay to the gradients themselves
        grads.extend(p.grad.clone() for p in learner.params)
        step()

    learner.optimiser.step = noting
    learner.train(make_batch(), 0, 0)
    ours = {id(p) for p in learner.projector.parameters()}
    assert len(ours) == 8
    for p0, p, grad in zip(start, learner.params, grads):
        lr, decay = (0.002, 0.5) if id(p) in ours else (0.01, 0.0)
        g = grad + decay * p0
        expected = p0 - lr * g / ((0.01 * g**2).sqrt() + 1e-5)
        assert torch.allclose(p, expected, rtol=0, atol=1e-9)


def test_targets_follow_softly():
    learner = make(target_tau=0.1)
    nets = learner.target_networks
    assert set(nets.nets()) == {"mac", "mixer"}
    before = [p.detach().clone() for p in nets["mixer"].parameters()]
    learner.train(make_batch(), 0, 0)
    triples = zip(before, learner.mixer.parameters(), nets["mixer"].parameters())
    for old, new, now in triples:
        assert torch.allclose(now, 0.9 * old + 0.1 * new, rtol=0, atol=1e-12)


def all_of(learner):
    extra = [
        *learner.projector.state_dict().values(),
        *learner.omega.state_dict().values(),
    ]
    return [*everything(learner), *extra]


@pytest.mark.parametrize("changes", FORMS, ids=str)
def test_save_load_continue(tmp_path, changes):
    straight, first, second = make(**changes), make(**changes), make(1, **changes)
    train(straight, range(6))
    train(first, range(3))
    first.save_models(str(tmp_path / "3"))
    second.load_models(str(tmp_path / "3"))
    assert all(map(torch.equal, all_of(first), all_of(second)))
    train(second, range(3, 6))
    assert all(map(torch.equal, all_of(straight), all_of(second)))


@pytest.mark.parametrize("changes", FORMS, ids=str)
def test_padding_changes_nothing(changes):
    plain, noisy = make_batch(), make_batch()
    g = torch.Generator().manual_seed(9)
    hidden = noisy["filled"][..., 0] == 0
    for key in ("state", "obs"):
        noise = torch.randn(noisy[key][hidden].shape, generator=g, dtype=torch.float64)
        noisy.data[key][hidden] = noise * 10
    learners = [make(**changes), make(**changes)]
    for learner, batch in zip(learners, (plain, noisy)):
        learner.train(batch, 0, 0)
    for one, other in zip(*map(all_of, learners)):
        assert torch.allclose(one, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(omega="anealed"), "omega='anealed'.*did you mean 'annealed'"),
        (dict(omega_max=-1), "omega_max is -1: a number >= 0"),
        (dict(advantage_value="mean"), "advantage_value is 'mean': sampled or network"),
        (
            dict(projector_inputs="obs"),
            "projector_inputs is 'obs': state or state_action",
        ),
        (dict(projector_clamp=0), "projector_clamp is 0: a number > 0"),
        (
            dict(projector_heads=0),
            "projector_heads is 0: a whole number >= 1 is needed",
        ),
        (
            dict(target_tau=1.5),
            r"target_tau is 1.5: a number within \(0, 1\] is needed",
        ),
        (dict(weighting="ideal"), "weighting='ideal' needs Q̂\\*.*cw_qmix"),
        (dict(weighting="pow"), "weighting='pow' needs a recogniser.*pow_qmix"),
        (dict(alpha=0), r"alpha is 0: a number within \(0, 1\]"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(ConfigError, match=message):
        make(**change)


class Sum(torch.nn.Module):
    """VDN: no parameters."""

    def forward(self, q, state):
        return q.sum(-1, keepdim=True)


def test_a_mixer_without_parameters_trains():
    learner = make_learner(
        learner="proj_qmix_learner", build_mixer=lambda args: Sum(), **FORMS[0]
    )
    before = everything(learner)
    train(learner, range(3))
    assert not all(map(torch.equal, before, everything(learner)))
