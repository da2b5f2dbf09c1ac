"""Hosts are told apart by their layout, and never imported for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wqmix.errors import ConfigError
from wqmix.plugin.detect import detect, module_target
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS

from .fakes import make_host

NMIX = """
    from modules.mixers.nmix import Mixer
    from modules.mixers.vdn import VDNMixer
    class Own:
        def __init__(self, mac, scheme, logger, args):
            if args.mixer == "vdn":
                self.mixer = VDNMixer()
            elif args.mixer == "qmix":
                self.mixer = Mixer(args)
            self.optimiser = Adam(params=[], lr=args.lr)
        def train(self):
            td_lambda, target_update_interval_or_tau = 0, 0
    """
EMPTY = "\n"
LAYOUTS = {
    "pymarl": {},
    "wqmix": {
        "learners/max_q_learner.py": EMPTY,
        "config/algs/qmix_smac.yaml": "name: qmix\n",
        "config/algs/qmix.yaml": None,
    },
    "pymarl2": {
        "run.py": None,
        "run/__init__.py": "REGISTRY = {}\n",
        "learners/nq_learner.py": NMIX,
    },
    "pymarl3": {
        "run.py": None,
        "run/__init__.py": "REGISTRY = {}\n",
        "learners/nq_learner.py": NMIX,
        "controllers/hpn_controller.py": EMPTY,
    },
    "epymarl": {
        "learners/q_learner.py": "from torch.optim import Adam\n",
        "components/standarize_stream.py": EMPTY,
    },
    "pymarlzooplus": {
        "run.py": "from pymarlzooplus.learners import REGISTRY\n",
        "components/standarize_stream.py": EMPTY,
        "components/episodic_memory_buffer.py": EMPTY,
    },
    "generic": {"learners/q_learner.py": None, "learners/own.py": NMIX},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_one_host(tmp_path: Path, name: str) -> None:
    root = make_host(tmp_path, LAYOUTS[name])
    modules = set(sys.modules)
    assert detect(root).name == name
    assert not {"learners", "run", "controllers"} & (set(sys.modules) - modules)


def test_every_adapter_has_a_layout_here() -> None:
    assert sorted(HOSTS) == sorted([*LAYOUTS, "embedded"])


def test_the_embedded_host_is_where_it_is() -> None:
    assert detect(EMBEDDED_ROOT).name == "embedded"


def test_what_is_no_host_is_told_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        detect(tmp_path)
    assert "looked for learners/__init__.py" in str(error.value)
    assert "missing: learners/__init__.py" in str(error.value)


def test_a_fork_without_qmix_yaml_runs_what_is_its_own(tmp_path: Path) -> None:
    fork = detect(make_host(tmp_path, {"config/algs/qmix.yaml": None}))
    assert fork.name == "generic" and fork.mixers == {}


def test_a_fork_without_qmix_yaml_may_name_another_base(tmp_path: Path) -> None:
    layout = {**LAYOUTS["generic"], "config/algs/qmix.yaml": None}
    theirs = {"config/algs/their_mix.yaml": "learner: own\n"}
    root = make_host(tmp_path, {**layout, **theirs})
    assert detect(root).mixers == {}
    assert "qmix" in detect(root, base="their_mix").mixers


def test_a_host_that_lacks_one_thing_is_named(tmp_path: Path) -> None:
    lacking = ("controllers/__init__.py", "config/algs/qmix.yaml")
    root = make_host(tmp_path, dict.fromkeys(lacking))
    with pytest.raises(ConfigError) as error:
        detect(root)
    assert "PyMARL with config/algs/qmix.yaml" in str(error.value)


def test_a_renamed_registry_is_named(tmp_path: Path) -> None:
    root = make_host(tmp_path, {"learners/__init__.py": "LEARNERS = {}\n"})
    with pytest.raises(ConfigError, match="'REGISTRY' in learners/__init__.py"):
        detect(root)


def test_two_hosts_in_one_ask_which(tmp_path: Path) -> None:
    root = make_host(tmp_path, {**LAYOUTS["epymarl"], **LAYOUTS["wqmix"]})
    (root / "config/algs/qmix.yaml").write_text("name: qmix\n")
    with pytest.raises(ConfigError, match="looks like wqmix and epymarl.*--host"):
        detect(root)
    assert detect(root, "epymarl").name == "epymarl"


def test_an_unknown_fork_is_read(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    fork = detect(make_host(tmp_path, LAYOUTS["generic"]))
    assert fork.mixers["qmix"].module == "modules.mixers.nmix"
    assert fork.mixers["qmix"].takes_args
    assert not fork.mixers["vdn"].takes_args
    config = {"td_lambda": 0.6, "target_update_interval_or_tau": 200, "lr": 1}
    assert fork.optimizer(config) == "adam"
    assert fork.td_lambda(config) == 0.6
    assert fork.target_update(config).unit == "steps"
    assert "mixers qmix vdn, optimiser adam, TD(lambda)" in capfd.readouterr().err


def test_a_fork_whose_learner_is_not_found_is_refused(tmp_path: Path) -> None:
    changes = {**LAYOUTS["generic"], "learners/own.py": None}
    with pytest.raises(ConfigError, match="learner 'q_learner', which is not found"):
        detect(make_host(tmp_path, changes))


def test_modules_are_found_without_importing_their_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "somezoo"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "main.py").write_text("\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert module_target("somezoo.main").path == package / "main.py"
    with pytest.raises(ConfigError, match="no such module"):
        module_target("somezoo.other")
