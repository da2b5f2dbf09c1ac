"""Updates that are not finite change nothing, also where the device is not waited for.

A GPU is emulated: what asks whether a device can be read at once is told no.
"""

from __future__ import annotations

import os

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wqmix import checkpoints
from wqmix.errors import NonFiniteError
from wqmix.recurrence import full_precision
from wqmix.settings import TargetUpdate

from .doubles import make_batch, make_learner

READING = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal")
CASES = {
    "rmsprop": dict(),
    "adam": dict(optimizer="adam"),
    "standardised": dict(standardise_rewards=True, standardise_returns=True),
    "soft_targets": dict(target_update=TargetUpdate("soft", 0.1)),
    "hard_targets": dict(target_update=TargetUpdate("steps", 1), double_q=False),
    "state_norm": dict(state_norm=True),
    "ideal": dict(weighting="ideal"),
    "no_q_star": dict(central_loss=0.0),
    "pow": dict(learner="pow_qmix_learner", optimizer="adam"),
    "projector": dict(
        learner="proj_qmix_learner", projector_batch_norm=True, omega="learned"
    ),
}


class NothingIsRead(TorchDispatchMode):
    """Fails where a value goes from the device to Python."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in READING, func
        return func(*args, **(kwargs or {}))


@pytest.fixture
def device(monkeypatch):
    for module in ("learners.base", "slots"):
        monkeypatch.setattr(f"wqmix.{module}.is_read_at_once", lambda device: False)


def bad_batch():
    batch = make_batch(5)
    batch.data["reward"][0, 0] = float("nan")
    return batch


def learner_of(case, tmp_path, **changes):
    settings = {**CASES[case], "local_results_path": str(tmp_path), **changes}
    return make_learner(unique_token="run", learner_log_interval=100, **settings)


def everything(learner):
    """Every number that an update changes, by name."""
    found = {}
    for stem, module in learner._modules().items():
        found[stem] = module.state_dict()
    found["agent"] = learner.mac.agent.state_dict()
    for key in ("reward_moments", "return_moments"):
        found[key] = getattr(learner, key).state_dict()
    flat = {}
    _flatten(found, "", flat)
    return {key: value.clone() for key, value in flat.items()}


def _flatten(value, name, flat):
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}/{key}", flat)
    elif isinstance(value, torch.Tensor):
        flat[name] = value


def differing(one, other):
    keys = {key for key in one if key not in other or not same(one[key], other[key])}
    return keys | {key for key in other if key not in one and other[key].any()}


def same(x, y):
    return torch.equal(x.double(), y.double())


@pytest.mark.parametrize("case", CASES)
def test_on_a_device_nothing_changes_until_the_error(case, device, tmp_path):
    learner = learner_of(case, tmp_path)
    for step, t_env in enumerate((0, 50, 100)):
        learner.train(make_batch(step), t_env, step)
    before = everything(learner)
    learner.train(bad_batch(), 110, 3)
    assert differing(before, everything(learner)) == set()
    for t_env in (120, 150):  # nor do updates after it, which are not its fault
        learner.train(make_batch(), t_env, 4)
    assert differing(before, everything(learner)) == set()
    expected = r"t_env=110 \(found at the log step of 200\): .*loss.*before this update"
    with pytest.raises(NonFiniteError, match=expected) as caught:
        learner.train(make_batch(), 200, 5)
    folder = str(tmp_path / "models" / "run" / "110")
    assert str(caught.value).endswith(f"the networks until then are saved in {folder}")
    assert caught.value.t_env == 110 and caught.value.terms["loss"] != 0
    assert differing(before, everything(learner)) == set()
    fresh = learner_of(case, tmp_path, seed=8)
    fresh.load_models(folder)
    assert differing(before, everything(fresh)) == set()
    evidence = checkpoints.read(os.path.join(folder, "nonfinite.th"))
    assert evidence["t_env"] == 110 and "batch" not in evidence


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_on_a_log_step(case, on_device, tmp_path, request):
    if on_device:
        request.getfixturevalue("device")
    learner = learner_of(case, tmp_path)
    if case != "adam":  # there, the very first update
        learner.train(make_batch(), 0, 0)
    before = everything(learner)
    with pytest.raises(NonFiniteError, match="t_env=100: .*and the batch are saved"):
        learner.train(bad_batch(), 100, 1)
    assert differing(before, everything(learner)) == set()
    evidence = checkpoints.read(str(tmp_path / "models" / "run" / "100/nonfinite.th"))
    assert evidence["batch"]["reward"].isnan().any()


@pytest.mark.parametrize("case", CASES)
def test_on_a_device_good_updates_are_those_of_the_cpu(case, device, tmp_path):
    learner = learner_of(case, tmp_path)
    for step in range(4):  # the first and the last at log steps
        learner.train(make_batch(step), 40 * step, step)
    on_device = everything(learner)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wqmix.learners.base.is_read_at_once", lambda device: True)
        plain = learner_of(case, tmp_path)
        for step in range(4):
            plain.train(make_batch(step), 40 * step, step)
    assert differing(on_device, everything(plain)) == set()


@pytest.mark.parametrize("case", [case for case in CASES if case != "adam"])
def test_nothing_is_read_off_log_steps(case, device, tmp_path):
    """But torch's Adam, on a CPU, its count, and the projector's batch normalisation
    which rows are real.
    """
    changes = {"pow": dict(optimizer="rmsprop")}
    changes["projector"] = dict(projector_batch_norm=False)
    learner = learner_of(case, tmp_path, **changes.get(case, {}))
    learner.train(make_batch(), 0, 0)
    with NothingIsRead():
        for batch in (make_batch(1), bad_batch(), make_batch(2)):
            learner.train(batch, 50, 1)


def test_a_checkpoint_is_not_written_over_it(device, tmp_path):
    learner = learner_of("rmsprop", tmp_path)
    learner.train(make_batch(), 0, 0)
    before = everything(learner)
    learner.train(bad_batch(), 50, 1)
    with pytest.raises(NonFiniteError, match="t_env=50: .*models/run/50"):
        learner.save_models(str(tmp_path / "60"))
    assert not (tmp_path / "60").exists()
    fresh = learner_of("rmsprop", tmp_path, seed=8)
    fresh.load_models(str(tmp_path / "models" / "run" / "50"))
    assert differing(before, everything(fresh)) == set()


def test_pow_undoes_its_recogniser_where_the_other_loss_is_not_finite(tmp_path):
    learner = learner_of("pow", tmp_path)
    learner.train(make_batch(), 0, 0)
    before = everything(learner)
    with torch.no_grad():
        learner.mixer.b.bias.fill_(float("inf"))  # Q_tot alone
    with pytest.raises(NonFiniteError, match="loss"):
        learner.train(make_batch(), 50, 1)
    assert differing(before, everything(learner)) == {"/mixer/b.bias"}


def test_recurrences_of_a_gpu_in_full_precision():
    """cuDNN's default for them is TF32, whose 10 bits no comparison would pass."""
    cudnn = torch.backends.cudnn
    flags = [(cudnn, "allow_tf32", False)]
    if hasattr(getattr(cudnn, "rnn", None), "fp32_precision"):
        flags = [(cudnn.rnn, "fp32_precision", "ieee")]
    (where, flag, exact) = flags[0]
    before = getattr(where, flag)
    with pytest.raises(KeyError), full_precision():
        assert getattr(where, flag) == exact
        raise KeyError
    assert getattr(where, flag) == before
