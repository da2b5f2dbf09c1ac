"""A weighting of the user's: named by its file, and held to its contract in a run."""

from __future__ import annotations

import pytest
import torch

from wqmix import weightings
from wqmix.errors import ConfigError, WQMixError

from .doubles import make_batch, make_learner


@pytest.fixture
def mine(monkeypatch):
    """Register a function as `mine`, until the test ends."""

    def register(function):
        monkeypatch.setitem(weightings.WEIGHTINGS, "mine", function)
        return make_learner(weighting="mine")

    return register


def failed(*args):
    raise KeyError("what")


@pytest.mark.parametrize(
    "function, part",
    [
        (lambda x: x.target[..., 0] * 0, r"shape \(4, \d\); expected: a tensor \[B, T"),
        (lambda x: torch.ones(()), r"shape \(\)"),
        (lambda x: 0.5, "float; expected: a tensor"),
        (lambda x: x.target * 0 - 1, "weights from -1 to -1; expected: within"),
        (lambda x: x.target * 0 + 1.5, "weights from 1.5 to 1.5"),
        (lambda x: x.target * float("nan"), "NaN or infinity"),
        (failed, r"raised KeyError: 'what' \(test_own_weightings.py, line \d+\)"),
        (lambda x: x.target @ torch.ones(7), "raised RuntimeError"),
    ],
)
def test_what_breaks_the_contract_ends_in_one_line(mine, function, part):
    learner = mine(function)
    before = [p.detach().clone() for p in learner.params]
    with pytest.raises(WQMixError, match=part) as error:
        learner.train(make_batch(), 0, 0)
    assert "\n" not in str(error.value) and "'mine'" in str(error.value)
    assert all(torch.equal(p, q) for p, q in zip(before, learner.params))


def test_what_keeps_it_trains_as_ours(mine):
    ours = make_learner(weighting="cw")
    learner = mine(weightings.WEIGHTINGS["cw"])
    for each in (ours, learner):
        each.train(make_batch(), 0, 0)
    assert all(torch.equal(p, q) for p, q in zip(ours.params, learner.params))


def test_booleans_are_weights(mine):
    mine(lambda x: x.is_greedy_joint).train(make_batch(), 0, 0)


def test_padding_may_hold_any_finite_number(mine):
    batch = make_batch()
    mask = weightings_mask(batch)
    mine(lambda x: torch.where(mask > 0, 0.5, -7.0)).train(batch, 0, 0)
    with pytest.raises(WQMixError, match="weights from -7"):
        mine(lambda x: x.target * 0 - 7).train(batch, 0, 0)


def weightings_mask(batch):
    from wqmix.learners.base import Transitions

    return Transitions.of(batch).mask


def test_a_loss_that_is_not_finite_is_not_the_weightings(mine):
    """NaN rewards are reported as such, whatever a weighting makes of them."""
    batch = make_batch()
    batch["reward"][:] = float("nan")
    with pytest.raises(WQMixError, match="not finite"):
        mine(lambda x: x.target * 0 + 0.5).train(batch, 0, 0)


# By its file --------------------------------------------------------------------------

FILE = """
from wqmix.weightings import full_or_alpha, register

VALUE = 1

def own(x):
    return full_or_alpha(x.target > 0, x)

@register("registered_by_a_file", alpha_may_be_zero=True)
def zero(x):
    return full_or_alpha(x.is_greedy_joint, x)
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(weightings, "WEIGHTINGS", dict(weightings.WEIGHTINGS))
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_file_names_the_function(file):
    spec = f"{file}:own"
    weightings.load(spec)
    make_learner(weighting=spec).train(make_batch(), 0, 0)
    file.write_text(FILE.replace("x.target > 0", "x.target > 5"))
    first = weightings.find(spec)
    weightings.load(spec)  # again, as after an edit in a notebook
    assert weightings.find(spec) is not first


def test_what_the_file_registers_of_it_counts(file):
    weightings.load(f"{file}:zero")
    make_learner(weighting=f"{file}:zero", alpha=0.0).train(make_batch(), 0, 0)


@pytest.mark.parametrize(
    "text, name, part",
    [
        (FILE, "owm", r"no such function in it \(did you mean 'own'\?\)"),
        (FILE, "VALUE", "no such function"),
        ("1 / 0", "own", r"ZeroDivisionError.*line 1"),
        ("def own(:", "own", "SyntaxError"),
        ("import nowhere_at_all", "own", "No module named 'nowhere_at_all'"),
        (None, "own", "there is no such file"),
        (FILE, "", "write path/to/file.py:function"),
    ],
)
def test_a_file_that_cannot_be_is_one_line(file, text, name, part):
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(ConfigError, match=part) as error:
        weightings.load(f"{file}:{name}")
    assert "\n" not in str(error.value)


def test_a_file_without_a_function_is_said_to_lack_it(file):
    assert weightings.is_file_spec(str(file))
    with pytest.raises(ConfigError, match="write path/to/file.py:function"):
        weightings.load(str(file))


def test_no_file_is_run_by_its_name_alone(file):
    """What a checkpoint or a record names is not run: only `load` does that."""
    with pytest.raises(ConfigError, match="is not one of"):
        make_learner(weighting=f"{file}:own")
