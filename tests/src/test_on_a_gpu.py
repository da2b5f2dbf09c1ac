"""What a GPU alone can show; skipped where there is none. See also `benchmarks.gpu`."""

from __future__ import annotations

import pytest
import torch

from wqmix.errors import NonFiniteError

from .doubles import Batch, make_batch, make_learner
from .test_guard import CASES, bad_batch, differing, everything

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def on_gpu(batch):
    return Batch({key: value.cuda() for key, value in batch.data.items()})


def learner_of(case, tmp_path, cuda=True, **changes):
    settings = {**CASES[case], "local_results_path": str(tmp_path), **changes}
    learner = make_learner(unique_token="run", learner_log_interval=100, **settings)
    if cuda:
        learner.cuda()
    return learner


def train(learner, steps, cuda=True):
    for step in steps:
        batch = make_batch(step)
        learner.train(on_gpu(batch) if cuda else batch, 40 * step, step)


def on_cpu(learner):
    return {key: value.cpu() for key, value in everything(learner).items()}


@pytest.mark.parametrize("case", CASES)
def test_updates_are_those_of_the_cpu(case, tmp_path):
    there, here = learner_of(case, tmp_path), learner_of(case, tmp_path, cuda=False)
    train(there, range(20))
    train(here, range(20), cuda=False)
    assert there.unroll._is_fast
    mine, theirs = on_cpu(there), on_cpu(here)
    assert set(mine) == set(theirs)
    # Adam divides by the root of a second moment: where that is nearly zero, the last
    # digit of a sum counts for a whole step (a H100: 1e-6).
    tolerated = 1e-5 if CASES[case].get("optimizer") == "adam" else 1e-8
    for key, value in mine.items():
        scale = tolerated * max(1.0, theirs[key].double().abs().max().item())
        gap = (value.double() - theirs[key].double()).abs().max().item()
        assert gap <= scale, key


@pytest.mark.parametrize("case", CASES)
def test_what_is_not_finite_changes_nothing(case, tmp_path):
    learner = learner_of(case, tmp_path)
    train(learner, range(3))
    before = on_cpu(learner)
    learner.train(on_gpu(bad_batch()), 90, 3)  # before the next log step, which is 100
    learner.train(on_gpu(make_batch()), 95, 4)
    assert differing(before, on_cpu(learner)) == set()
    with pytest.raises(NonFiniteError, match=r"t_env=90 \(found at the log step"):
        learner.train(on_gpu(make_batch()), 200, 5)
    fresh = learner_of(case, tmp_path, seed=8)
    fresh.load_models(str(tmp_path / "models" / "run" / "90"))
    assert differing(before, on_cpu(fresh)) == set()


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_waited_for_off_log_steps(case, tmp_path):
    if case == "projector":
        pytest.skip("its batch normalisation asks which rows are real")
    learner = learner_of(case, tmp_path)
    batches = [on_gpu(make_batch(step)) for step in range(3)]
    for step, batch in enumerate(batches[:2]):
        learner.train(batch, step, step)
    torch.cuda.set_sync_debug_mode("error")
    try:
        learner.train(batches[2], 2, 2)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_goes_on_there_and_on_the_cpu(case, tmp_path):
    straight, first = learner_of(case, tmp_path), learner_of(case, tmp_path)
    train(straight, range(6))
    train(first, range(3))
    first.save_models(str(tmp_path / "3"))
    again, here = (learner_of(case, tmp_path, cuda, seed=8) for cuda in (True, False))
    for learner in (again, here):
        learner.load_models(str(tmp_path / "3"))
    train(again, range(3, 6))
    assert differing(on_cpu(straight), on_cpu(again)) == set()
    train(here, range(3, 6), cuda=False)
    here.save_models(str(tmp_path / "6"))
    again.load_models(str(tmp_path / "6"))
    train(again, range(6, 8))
