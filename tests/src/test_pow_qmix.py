"""POW-QMIX against numpy: the recogniser, its fit, the weights that come of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wqmix.errors import ConfigError, NonFiniteError
from wqmix.modules.mixers.recogniser import Recogniser

from . import reference
from .doubles import make_batch, make_learner
from .test_checkpoints import everything, train


def make(seed=0, **changes):
    return make_learner(seed, learner="pow_qmix_learner", **changes)


def three(p, name, x):
    for layer in ("0", "2"):
        x = reference.relu(reference.linear(p, f"{name}.{layer}", x))
    return reference.linear(p, f"{name}.4", x)


def recognise(p, gaps, state, onehot):
    """Q_r and A_r of one state and joint action."""
    x = np.concatenate([state, onehot.reshape(-1)])
    w = np.abs(three(p, "hyper_w", x)).reshape(len(gaps), -1)
    advantage = gaps @ w @ np.abs(three(p, "hyper_v", x))
    return three(p, "V", state)[0] + advantage, advantage


def transitions(learner, batch):
    """Gaps, state and one-hot joint action of all real transitions, by (episode, t)."""
    agent = reference.arrays(learner.mac.agent)
    found = {}
    for b in range(batch.batch_size):
        ep = {key: value[b].numpy() for key, value in batch.data.items()}
        q = reference.recurrent(agent, reference.agent_inputs(ep))
        for t in range(int(ep["filled"].sum()) - 1):
            gaps, onehot = np.zeros(3), np.zeros((3, 4))
            for i, u in enumerate(ep["actions"][t, :, 0]):
                allowed = np.flatnonzero(ep["avail_actions"][t, i])
                gaps[i] = q[t, i, u] - max(q[t, i, k] for k in allowed)
                onehot[i, u] = 1
            found[b, t] = (gaps, ep["state"][t], onehot)
    return found


def fitted_loss(p, seen, targets):
    errors = [recognise(p, *seen[key])[0] - y for key, y in targets.items()]
    return float(np.mean(np.square(errors)))


def test_the_recogniser_by_hand():
    """One agent, one hidden unit each: λ = |w v|, A = λ gap, Q_r = V + A."""
    net = Recogniser(1, 2, 1, 1, 1, 1)
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        net.hyper_w[4].bias.fill_(-3.0)
        net.hyper_v[4].bias.fill_(2.0)
        net.V[4].bias.fill_(5.0)
    gaps = torch.tensor([[-0.5], [0.0]])
    q_r, advantage = net(gaps, torch.zeros(2, 1), torch.zeros(2, 2))
    assert advantage.flatten().tolist() == [-3.0, 0.0]  # |−3| · |2| · −0.5
    assert q_r.flatten().tolist() == [2.0, 5.0]


@pytest.mark.parametrize("threshold", [0.02, 0.06])
def test_weights_and_loss_in_numpy(threshold):
    """After the fit, from the learner's own recogniser: w = 1 where |A_r| < C."""
    learner, batch = make(pow_threshold=threshold, alpha=0.25), make_batch()
    with torch.no_grad():  # so that utilities, and with them A_r, differ visibly
        learner.mac.agent.fc2.weight.mul_(3)
    seen = transitions(learner, batch)
    plain = reference.update(learner, batch, "uniform", gamma=0.9, alpha=1.0)
    targets = plain["y"]
    learner.train(batch, 0, 0)
    p, stats = reference.arrays(learner.recogniser), learner.logger.stats
    assert abs(stats["recogniser_loss"][0][1] - fitted_loss(p, seen, targets)) < 1e-9
    w = [
        1.0 if abs(recognise(p, *seen[key])[1]) < threshold else 0.25 for key in targets
    ]
    assert 0 < sum(value < 1 for value in w) < len(w)
    assert abs(stats["w_to_use"][0][1] - np.mean(w)) < 1e-12
    errors = [(plain["q_tot"][key] - y) ** 2 for key, y in targets.items()]
    assert abs(stats["qmix_loss"][0][1] - np.mean(np.multiply(w, errors))) < 1e-9


def test_one_step_of_the_recogniser_by_finite_differences():
    """RMSprop's first step: p ← p − lr g / (√(0.01 g²) + eps), g from numpy."""
    learner, batch = make(pow_updates=1, grad_norm_clip=1e9), make_batch()
    seen = transitions(learner, batch)
    targets = reference.update(learner, batch, "uniform", gamma=0.9, alpha=1.0)["y"]
    before = {key: value.copy() for key, value in p_of(learner).items()}
    learner.train(batch, 0, 0)
    after, moved = p_of(learner), 0
    for key, start in before.items():
        index = np.unravel_index(start.size // 2, start.shape)
        ends = []
        for step in (1e-6, -1e-6):
            p = {name: value.copy() for name, value in before.items()}
            p[key][index] += step
            ends.append(fitted_loss(p, seen, targets))
        g = (ends[0] - ends[1]) / 2e-6
        expected = start[index] - 0.01 * g / (np.sqrt(0.01 * g * g) + 1e-5)
        assert abs(after[key][index] - expected) < 1e-5
        moved += abs(g) > 1e-6
    assert moved > 4


def p_of(learner):
    return reference.arrays(learner.recogniser)


def test_the_main_loss_does_not_move_the_recogniser():
    learner = make()
    ours = {id(p) for p in learner.recogniser.parameters()}
    assert ours and not ours & {id(p) for p in learner.params}


def test_warm_up_weighs_all_alike():
    learner = make(pow_warmup_steps=10, pow_threshold=1e-9, alpha=0.25)
    learner.train(make_batch(), 9, 0)
    learner.train(make_batch(), 10, 0)
    (_, first), (_, second) = learner.logger.stats["w_to_use"]
    assert first == 1.0 and second < 1.0


def test_padding_changes_nothing():
    plain, noisy = make_batch(), make_batch()
    g = torch.Generator().manual_seed(9)
    hidden = noisy["filled"][..., 0] == 0
    for key in ("state", "obs"):
        noise = torch.randn(noisy[key][hidden].shape, generator=g, dtype=torch.float64)
        noisy.data[key][hidden] = noise * 10
    learners = [make(), make()]
    for learner, batch in zip(learners, (plain, noisy)):
        learner.train(batch, 0, 0)
    for one, other in zip(*(p_of(learner).values() for learner in learners)):
        assert np.allclose(one, other, rtol=0, atol=1e-14)
    for one, other in zip(*(learner.params for learner in learners)):
        assert torch.allclose(one, other, rtol=0, atol=1e-14)


def all_of(learner):
    state = learner.recogniser_optimiser.state_dict()["state"].values()
    moments = [v for each in state for v in each.values() if torch.is_tensor(v)]
    return [*everything(learner), *learner.recogniser.state_dict().values(), *moments]


def test_save_load_continue(tmp_path):
    straight, first, second = make(), make(), make(1)
    train(straight, range(6))
    train(first, range(3))
    first.save_models(str(tmp_path / "3"))
    second.load_models(str(tmp_path / "3"))
    train(second, range(3, 6))
    pairs = list(zip(all_of(straight), all_of(second)))
    assert len(pairs) > 100 and all(torch.equal(a, b) for a, b in pairs)


def test_a_target_that_is_not_finite_leaves_the_recogniser(tmp_path):
    learner = make(local_results_path=str(tmp_path), unique_token="run")
    before = {key: value.copy() for key, value in p_of(learner).items()}
    bad = make_batch()
    bad.data["reward"][0, 0] = float("nan")
    with pytest.raises(NonFiniteError):
        learner.train(bad, 0, 0)
    assert all(
        np.array_equal(before[key], value) for key, value in p_of(learner).items()
    )


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(pow_threshold=0), "pow_threshold is 0: a number > 0"),
        (dict(pow_updates=0), "pow_updates is 0: a whole number >= 1"),
        (
            dict(pow_warmup_steps=-1),
            "pow_warmup_steps is -1: a whole number >= 0 is needed",
        ),
        (dict(alpha=-0.1), r"alpha is -0.1: a number within \[0, 1\]"),
        (
            dict(alpha_schedule="exponential"),
            r"alpha is 0: a number within \(0, 1\] is needed",
        ),
        (dict(weighting="cw"), r"alpha is 0: a number within \(0, 1\]"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(ConfigError, match=message):
        make(**change)
