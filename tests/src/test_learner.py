"""Properties of the learner: gradients, padding, targets, logs, refusals."""

from __future__ import annotations

import pytest
import torch

from wqmix import checkpoints
from wqmix.errors import ConfigError, NonFiniteError, OutOfMemoryError
from wqmix.settings import TargetUpdate

from .doubles import make_batch, make_learner


def snapshot(learner):
    return [p.detach().clone() for p in learner.params]


def target_snapshot(learner):
    nets = learner.target_networks.nets().values()
    return [p.detach().clone() for net in nets for p in net.parameters()]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other))


def test_targets_get_no_gradient_and_build_no_graph():
    learner = make_learner(double_q=False)
    outputs = []
    nets = learner.target_networks.nets()
    assert set(nets) == {"mac", "central_agent", "central_mixer"}
    last = (nets["mac"].agent.fc2, nets["central_agent"].fc2, nets["central_mixer"])
    for net in last:
        net.register_forward_hook(lambda module, x, y: outputs.append(y))
    learner.train(make_batch(), 0, 0)
    assert len(outputs) >= 3 and all(y.grad_fn is None for y in outputs)
    for net in nets.values():
        assert all(p.grad is None for p in net.parameters())


def test_all_online_networks_get_gradients():
    learner = make_learner()
    learner.train(make_batch(), 0, 0)
    assert len(learner.params) == 8 + 4 + 8 + 12
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.params)


def test_double_q_unrolls_the_utilities_once():
    """No target controller exists, so none is unrolled for nothing."""
    learner = make_learner(unroll="step")
    learner.train(make_batch(), 0, 0)
    assert learner.mac.unrolls == 1 and learner.target_networks.mac is None


@pytest.mark.usefixtures("most")
@pytest.mark.parametrize("td_lambda", [None, 0.7])
@pytest.mark.parametrize("weighting", ["cw", "ow", "ideal", "uniform"])
def test_padding_changes_nothing(weighting, td_lambda):
    """Noise in every slot that a host would leave unwritten: the update is the same."""
    plain = make_batch()
    noisy = make_batch()
    g = torch.Generator().manual_seed(9)
    written = plain["filled"][..., 0] == 1
    last = written.clone()
    last[:, :-1] &= ~written[:, 1:]  # the slot of the final state holds no transition
    for key in ("state", "obs", "reward", "actions_onehot"):
        hidden = ~written if key in ("state", "obs") else ~written | last
        noisy.data[key] = noisy[key].clone()
        shape = noisy[key][hidden].shape
        noise = torch.randn(shape, generator=g, dtype=torch.float64)
        noisy.data[key][hidden] = noise.to(noisy[key].dtype) * 10
    hidden = ~written | last
    noisy.data["actions"] = torch.where(hidden[..., None, None], 3, noisy["actions"])
    avail = torch.where((~written)[..., None, None], 1, noisy["avail_actions"])
    noisy.data["avail_actions"] = avail
    noisy.data["terminated"] = noisy["terminated"].clone()
    noisy.data["terminated"][1, 5] = 1
    learners = [make_learner(weighting=weighting, td_lambda=td_lambda) for _ in "ab"]
    for learner, batch in zip(learners, (plain, noisy)):
        learner.train(batch, 0, 0)
    for p, q in zip(learners[0].params, learners[1].params):
        assert torch.allclose(p, q, rtol=0, atol=1e-14)
    for key, ((_, value),) in learners[0].logger.stats.items():
        assert abs(value - learners[1].logger.stats[key][0][1]) < 1e-12, key


def test_hard_targets_by_episodes():
    """As PyMARL: after `episode_num − last ≥ 200`, never before."""
    learner = make_learner(target_update=TargetUpdate("episodes", 200))
    before = target_snapshot(learner)
    learner.train(make_batch(), 0, 199)
    assert equal(before, target_snapshot(learner))
    learner.train(make_batch(), 0, 200)
    online = [*learner.central_agent.parameters(), *learner.central_mixer.parameters()]
    assert equal(online, target_snapshot(learner))
    learner.train(make_batch(), 0, 399)
    assert not equal(online, target_snapshot(learner))


def test_hard_targets_by_train_steps():
    learner = make_learner(target_update=TargetUpdate("steps", 2))
    before = target_snapshot(learner)
    learner.train(make_batch(), 0, 5000)
    assert equal(before, target_snapshot(learner))
    learner.train(make_batch(), 0, 5000)
    online = [*learner.central_agent.parameters(), *learner.central_mixer.parameters()]
    assert equal(online, target_snapshot(learner))


def test_soft_targets_by_hand():
    learner = make_learner(target_update=TargetUpdate("soft", 0.1))
    before = target_snapshot(learner)
    learner.train(make_batch(), 0, 0)
    online = [*learner.central_agent.parameters(), *learner.central_mixer.parameters()]
    for old, new, now in zip(before, online, target_snapshot(learner)):
        assert torch.allclose(now, 0.9 * old + 0.1 * new, rtol=0, atol=1e-12)


def test_central_loss_zero_trains_without_q_star():
    """No Q̂* exists; y bootstraps from the target utilities through the target mixer."""
    learner = make_learner(central_loss=0.0, weighting="ow")
    assert learner.central_agent is None and learner.central_mixer is None
    assert set(learner.target_networks.nets()) == {"mac", "mixer"}
    seen = []
    hook = learner.target_networks["mixer"].register_forward_hook(
        lambda module, x, y: seen.append(y)
    )
    before = snapshot(learner)
    learner.train(make_batch(), 0, 0)
    hook.remove()
    ((_, y),) = learner.logger.stats["target_mean"]
    batch = make_batch()
    mask = batch["filled"][:, 1:].double()
    alive = 1 - batch["terminated"][:, :-1].double()
    value = torch.zeros(4, 7, 1, dtype=torch.float64)
    at = iter(seen[0].flatten())
    for t in range(7):  # slot after slot, the longest episodes first
        for episode in (e for e in (0, 3, 1, 2) if t <= (6, 4, 3, 5)[e]):
            value[episode, t] = next(at)
    by_hand = batch["reward"][:, :-1] + 0.9 * alive * value[:, 1:]
    assert abs(y * 3 - (by_hand * mask).sum().item() / 18) < 1e-12
    assert not equal(before, snapshot(learner))
    assert "central_loss" not in learner.logger.stats


def test_return_standardisation_round_trips():
    learner = make_learner(standardise_returns=True)
    for episode in range(3):
        learner.train(make_batch(episode), episode, episode)
    x = torch.randn(4, 3, 1, dtype=torch.float64)
    moments = learner.return_moments
    assert torch.allclose(moments.unstandardise(moments.standardise(x)), x)
    assert abs(moments.count.item() - (3 * 18 + 1e-4)) < 1e-3


def test_logs_only_on_log_steps():
    learner = make_learner(learner_log_interval=100)
    for t_env in (0, 50, 99, 100, 150, 200):
        learner.train(make_batch(), t_env, 0)
    assert [t for t, _ in learner.logger.stats["loss"]] == [0, 100, 200]
    norms = {"agent_norm", "mixer_norm", "central_norm", "grad_norm"}
    assert norms <= set(learner.logger.stats)


def test_same_seed_same_parameters():
    one, other = make_learner(3), make_learner(3)
    for learner in (one, other):
        for episode in range(3):
            learner.train(make_batch(episode), episode, episode)
    assert equal(snapshot(one), snapshot(other))


def test_non_finite_stops_before_the_update(tmp_path):
    learner = make_learner(local_results_path=str(tmp_path), unique_token="run")
    learner.train(make_batch(), 0, 0)
    before = snapshot(learner)
    bad = make_batch()
    bad.data["reward"][0, 0] = float("inf")
    with pytest.raises(NonFiniteError, match="t_env=70.*loss.*models/run/70"):
        learner.train(bad, 70, 1)
    assert equal(before, snapshot(learner))
    fresh = make_learner(8)
    fresh.load_models(str(tmp_path / "models" / "run" / "70"))
    assert equal(before, snapshot(fresh))


def test_the_evidence_of_what_is_not_finite(tmp_path):
    learner = make_learner(local_results_path=str(tmp_path), unique_token="run")
    bad = make_batch()
    bad.data["reward"][0, 0] = float("inf")
    with pytest.raises(NonFiniteError, match="and the batch are saved in"):
        learner.train(bad, 70, 1)
    evidence = checkpoints.read(
        str(tmp_path / "models" / "run" / "70" / "nonfinite.th")
    )
    assert (evidence["t_env"], evidence["episode"]) == (70, 1)
    assert evidence["terms"]["loss"] == float("inf")
    for key in ("state", "obs", "actions", "reward", "filled"):
        assert torch.equal(evidence["batch"][key], bad[key])


def test_evidence_that_cannot_be_saved(tmp_path):
    (tmp_path / "file").write_text("in the way")
    learner = make_learner(local_results_path=str(tmp_path / "file"))
    bad = make_batch()
    bad.data["reward"][0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match="loss.*could not be saved") as caught:
        learner.train(bad, 70, 1)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "room, advice", [(3, "batch_size=2 fits"), (1, "batch_size=1 fits"), (0, "smaller")]
)
def test_too_little_memory_says_what_would_fit(room, advice, monkeypatch):
    """A stand-in for a GPU with room for so many of the batch's 4 episodes."""
    learner = make_learner()
    forward = type(learner.central_agent).forward

    def limited(self, inputs, slots):
        if slots.sizes[0] > room:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, inputs, slots)

    monkeypatch.setattr(type(learner.central_agent), "forward", limited)
    before = snapshot(learner)
    with pytest.raises(OutOfMemoryError, match=f"4 episodes of 7 slots.*{advice}"):
        learner.train(make_batch(), 0, 0)
    assert equal(before, snapshot(learner))


def test_other_errors_of_the_device_stay_what_they_are(monkeypatch):
    learner = make_learner()

    def broken(self, inputs, slots):
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(type(learner.central_agent), "forward", broken)
    with pytest.raises(RuntimeError, match="device-side assert"):
        learner.train(make_batch(), 0, 0)


def test_individual_rewards_are_refused():
    batch = make_batch()
    batch.data["reward"] = batch["reward"].expand(-1, -1, 3)
    with pytest.raises(ConfigError, match="common reward"):
        make_learner().train(batch, 0, 0)


def test_images_are_refused():
    learner = make_learner()
    scheme = {"obs": {"vshape": (3, 8, 8)}, "state": {"vshape": 5}}
    with pytest.raises(ConfigError, match="images"):
        type(learner)(learner.mac, scheme, learner.logger, learner.args)


def test_wrong_output_shape_is_refused():
    learner = make_learner()
    learner.mac.agent.fc2 = torch.nn.Linear(5, 7).double()
    with pytest.raises(ConfigError, match=r"\(4, 7, 3, 7\).*\(4, 7, 3, 4\)"):
        learner.train(make_batch(), 0, 0)


def test_ideal_refuses_too_many_joint_actions():
    with pytest.raises(ConfigError, match=r"4\^3 is over .*=63; use weighting=cw"):
        make_learner(weighting="ideal", ideal_max_joint_actions=63)


def test_a_learner_without_host_facts_says_what_to_do():
    learner = make_learner()
    del learner.args.wqmix_host
    scheme = {"obs": {"vshape": 6}, "state": {"vshape": 5}}
    with pytest.raises(ConfigError, match="python -m wqmix"):
        type(learner)(learner.mac, scheme, learner.logger, learner.args)
