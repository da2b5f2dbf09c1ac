"""Learner files that were written for PyMARL."""

import sys
from pathlib import Path

import pytest

from wqmix.host import runners
from wqmix.host.errors import ConfigError
from wqmix.host.learners.q_learner import QLearner
from wqmix.host.modules import mixers
from wqmix.host.utils.foreign import PYMARL_MODULES, is_file_spec, load_class

FILE = Path(__file__).parent / "written_for_pymarl" / "pymarl_style_learner.py"


def snapshot():
    aliases = {
        name: module
        for name, module in sys.modules.items()
        if name.split(".")[0] in PYMARL_MODULES
    }
    return aliases, list(sys.path), list(sys.meta_path)


def test_pymarls_names_mean_this_hosts_modules():
    spec_before = mixers.__spec__
    before = snapshot()
    learner = load_class(f"{FILE}:CountingLearner")
    assert issubclass(learner, QLearner)
    imported = learner.train.__globals__["IMPORTED"]
    assert imported[-1] is runners.REGISTRY and imported[-2] is mixers.REGISTRY["qmix"]
    assert snapshot() == before
    assert mixers.__spec__ is spec_before
    assert mixers.__name__ == "wqmix.host.modules.mixers"


def test_another_hosts_modules_stay_what_they_were(monkeypatch):
    """Within a process that has a checkout's modules loaded."""
    theirs = type(sys)("learners")
    monkeypatch.setitem(sys.modules, "learners", theirs)
    load_class(f"{FILE}:CountingLearner")
    assert sys.modules["learners"] is theirs


@pytest.mark.parametrize(
    "text, message",
    [
        ("import modules.critics.coma\n", "No module named 'modules.critics'"),
        ("class Broken(:\n", "does not import"),
        ("class Learner:\n    pass\n", "did you mean 'Learner'"),
    ],
)
def test_files_that_cannot_serve(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    before = snapshot()
    with pytest.raises(ConfigError, match=message):
        load_class(f"{path}:Lerner")
    assert snapshot() == before


def test_what_names_a_file():
    assert is_file_spec("a/b.py:C")
    assert not any(map(is_file_spec, ("q_learner", "b.py", "a:b", 3)))
    with pytest.raises(ConfigError, match="does not exist"):
        load_class("nowhere/b.py:C")
