"""Our learner in a host's registry: entered after its import, over nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from wqmix.errors import ConfigError, NonFiniteError
from wqmix.plugin import registration
from wqmix.plugin.configs import OUR_CONFIGS, our_learners, read_yaml
from wqmix.plugin.hosts import HOSTS
from wqmix.plugin.imports import after_import

from .fakes import make_host, python, report

PYMARL = HOSTS["pymarl"]
KEYS = {"wqmix_learner": "wqmix_learner"}


def learners(**entries: object) -> ModuleType:
    """Return a host's `learners` package with these entries."""
    module = ModuleType("learners")
    module.__file__ = "src/learners/__init__.py"
    module.REGISTRY = dict(entries)
    return module


def test_entered_beside_the_hosts_own() -> None:
    module = learners(q_learner=int)
    registration.register_in(module, PYMARL, KEYS)
    assert module.REGISTRY["q_learner"] is int
    assert callable(module.REGISTRY["wqmix_learner"])
    registration.register_in(module, PYMARL, KEYS)  # twice is once


def test_a_key_of_the_hosts_is_never_overwritten() -> None:
    module = learners(wqmix_learner=int)
    with pytest.raises(ConfigError, match="its own 'wqmix_learner'"):
        registration.register_in(module, PYMARL, KEYS)
    assert module.REGISTRY == {"wqmix_learner": int}


def test_a_registry_that_is_none_is_named() -> None:
    module = learners()
    del module.REGISTRY
    with pytest.raises(ConfigError, match="no dict named REGISTRY"):
        registration.register_in(module, PYMARL, KEYS)


def test_a_taken_key_is_seen_before_the_import(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    plain = make_host(tmp_path / "plain")
    assert registration.learner_keys(plain)["wqmix_learner"] == "wqmix_learner"
    assert capfd.readouterr().err == ""
    text = "REGISTRY = {}\nREGISTRY['wqmix_learner'] = int\n"
    taken = make_host(tmp_path / "taken", {"learners/__init__.py": text})
    keys = registration.learner_keys(taken)
    assert keys["wqmix_learner"] == "plugin_wqmix_learner"
    assert "ours is 'plugin_wqmix_learner'" in capfd.readouterr().err


def test_the_call_comes_after_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_learners.py").write_text("import random\nREGISTRY = {}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = []
    finders = list(sys.meta_path)
    random.seed(3)
    expected = random.random()
    random.seed(3)
    after_import("some_learners", lambda module: seen.append(dict(vars(module))))
    assert seen == []
    import some_learners

    assert random.random() == expected
    assert seen[0]["REGISTRY"] is some_learners.REGISTRY
    assert sys.meta_path == finders
    after_import("some_learners", seen.append)
    assert seen[1] is some_learners
    monkeypatch.delitem(sys.modules, "some_learners")


# What the registry's entry does -------------------------------------------------------


class Learner:
    """Stands for `WQMixLearner`; fails as it is told."""

    def __init__(self, mac: object, scheme: object, logger: object, args: object):
        self.args = args
        if args.fails == "at once":
            raise ConfigError("cannot be built")

    def train(self, batch: object, t_env: int, episode_num: int) -> str:
        if self.args.fails == "in train":
            raise NonFiniteError("loss is nan at step 7")
        return "trained"

    cuda = save_models = load_models = train


SCHEME = {"obs": {"vshape": 5}, "reward": {"vshape": (1,)}}


def build(monkeypatch: pytest.MonkeyPatch, fails: str = "", scheme: object = SCHEME):
    """Build a learner through the registry's entry, on PyMARL's settings."""
    module = ModuleType("wqmix.learners")
    module.LEARNERS = {"wqmix_learner": Learner}
    monkeypatch.setitem(sys.modules, "wqmix.learners", module)
    host = SimpleNamespace(
        not_restored="",
        title="some host",
        mixers={"qmix": object},
        host_settings=lambda config: config,
    )
    registry = learners()
    registration.register_in(registry, host, KEYS)
    settings = {**read_yaml(OUR_CONFIGS / "cw_qmix.yaml"), "mixer": "qmix"}
    args = SimpleNamespace(**{**settings, "fails": fails, "parity": "off"})
    learner = registry.REGISTRY["wqmix_learner"](None, scheme, None, args)
    assert not hasattr(args, "wqmix_host")  # the host's own args stay as they are
    return learner


def test_it_is_built_with_the_hosts_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = build(monkeypatch)
    assert learner.args.wqmix_host["fails"] == ""
    assert learner.train(None, 0, 0) == "trained"


@pytest.mark.parametrize(
    "fails, code, line",
    [
        ("at once", 2, "wqmix: error: cannot be built\n"),
        ("in train", 1, "wqmix: error: loss is nan at step 7\n"),
    ],
)
def test_our_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    fails: str,
    code: int,
    line: str,
) -> None:
    with pytest.raises(SystemExit) as end:
        build(monkeypatch, fails).train(None, 0, 0)
    assert end.value.code == code
    assert capfd.readouterr().err == line


@pytest.mark.parametrize(
    "scheme, message",
    [
        ({**SCHEME, "obs": {"vshape": (3, 64, 64)}}, "(3, 64, 64) are images"),
        ({**SCHEME, "reward": {"vshape": (4,)}}, "4 rewards a step"),
    ],
)
def test_what_the_batch_may_not_hold(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    scheme: object,
    message: str,
) -> None:
    with pytest.raises(SystemExit):
        build(monkeypatch, scheme=scheme)
    assert message in capfd.readouterr().err


def test_vectors_may_be_given_as_a_tuple(monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = {"obs": {"vshape": (5,)}, "reward": {"vshape": 1}}
    assert build(monkeypatch, scheme=scheme).train(None, 0, 0) == "trained"


# One line in a fork's own main --------------------------------------------------------


def test_a_fork_registers_us_itself(tmp_path: Path) -> None:
    root = make_host(tmp_path)
    main = root / "main.py"
    line = "import wqmix.plugin; wqmix.plugin.register()\n"
    main.write_text(line + main.read_text())
    own = ("--config=qmix", "--env-config=own_game")
    ended = python("src/main.py", *own, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert report(tmp_path)["learners"] == sorted(["q_learner", *our_learners()])


def test_what_the_host_does_not_restore_is_said(capsys):
    loaded = []
    load = registration.followed_by_note(loaded.append, PYMARL)
    load("models/7")
    assert loaded == ["models/7"]
    [line] = capsys.readouterr().err.splitlines()
    assert "models/7 is loaded; PyMARL does not restore the replay buffer, " in line
    assert HOSTS["embedded"].not_restored == ""
