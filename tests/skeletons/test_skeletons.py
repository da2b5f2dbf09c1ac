"""Each host's differences, on its skeleton: a row of the tables, a test.

A skeleton fails where the real host does when a shim or a fact of its adapter is gone.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List

import pytest

from wqmix.config import extras, sacred
from wqmix.plugin import detect, shims
from wqmix.plugin.hosts import HOSTS
from wqmix.plugin.shims import pyyaml

from .forks import FORKS
from .hosts import SKELETONS, first

pytestmark = pytest.mark.slow
ABSENT = (  # what a fresh machine lacks, installed here or not
    "smac smaclite pysc2 absl s2clientprotocol pygame matplotlib tensorboard_logger"
)
N_HOSTS = ("pymarl2", "pymarl3")  # inputs and outputs of agents are (b, a, ·)
BY_STEPS = ("epymarl", "pymarlzooplus")  # targets counted in train steps, or soft


@dataclass
class Ended:
    """A run that has ended: its exit code, output, sacred's status and our report."""

    code: int
    output: str
    status: str
    report: Dict[str, Any]
    new: List[str]


def environment(report: Path) -> Dict[str, str]:
    """Return a fresh machine's variables, for a host that writes its report there."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "WITHOUT": ABSENT,
        "SKELETON_REPORT": str(report),
    }


def run(
    name: str,
    checkout: Path,
    *words: str,
    command: tuple = ("-m", "wqmix"),
    edits: tuple = (),
):
    """Run a skeleton's main in a folder with a space and a `=` in its path."""
    checkout = checkout / "a checkout = here"
    skeleton = {**SKELETONS, **FORKS}[name]
    skeleton = dataclasses.replace(skeleton, edits=(*skeleton.edits, *edits))
    root = skeleton.write(checkout)
    before = set(checkout.rglob("*"))
    script = ["-m", f"{name}.main"] if root.name == name else ["src/main.py"]
    noted = checkout.parent / "report.json"
    process = subprocess.run(
        [sys.executable, *command, *script, *words, "seed=3"],
        cwd=str(checkout),
        env=environment(noted),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    runs = list(checkout.rglob("run.json"))
    status = json.loads(runs[0].read_text())["status"] if runs else ""
    report = json.loads(noted.read_text()) if noted.is_file() else {}
    new = {path.relative_to(checkout).parts[0] for path in checkout.rglob("*")}
    known = {path.relative_to(checkout).parts[0] for path in before}
    return Ended(
        process.returncode, process.stdout, status, report, sorted(new - known)
    )


# One run of cw_qmix, many rows --------------------------------------------------------

STAND_INS = {
    "pymarl": ["smac", "smac.env"],
    "wqmix": [
        "modules.mixers.qmix_ablations",
        "envs.matrix_game.matrix_game",
        "pygame",
        "smac",
    ],
    "pymarl2": ["pygame"],
    "pymarl3": [],
    "epymarl": ["smaclite"],
    "pymarlzooplus": [],
}
NAMED = {  # mixer, optimiser, learning rate, lambda; else as the first
    "pymarl": ("qmix", "QMixer", "RMSprop", 0.0005, None),
    "wqmix": ("qmix", "QMixer", "RMSprop", 0.0005, None),
    "pymarl2": ("nmix", "Mixer", "Adam", 0.001, 0.6),
    "pymarl3": ("nmix", "Mixer", "Adam", 0.001, 0.6),
    "epymarl": ("qmix", "QMixer", "Adam", 0.0005, None),
    "pymarlzooplus": ("qmix", "QMixer", "Adam", 0.0005, None),
}


@pytest.mark.parametrize("name", SKELETONS)
def test_cw_qmix(name: str, tmp_path: Path) -> None:
    # PyMARL2 has no `double_q`, which must be accepted all the same.
    words = ["--config=cw_qmix", "--env-config=own_game", "with", "double_q=True"]
    if name in N_HOSTS:  # each update through the agent's `forward`, which is watched
        words.append("unroll=step")
    ended = run(name, tmp_path, *words)
    assert ended.code == 0, ended.output[-4000:]
    assert len(ended.report["losses"]) > 5
    assert ended.status == "COMPLETED"  # the `exit` shim, where os._exit is called
    assert ended.new == ["results"]
    check_stand_ins(name, ended.output)
    check_learner(name, ended.report)
    check_target_updates(name, ended.report["copied"])
    expected = {} if name == "pymarl2" else None
    assert all(each == expected for each in ended.report["returned"])
    if name in N_HOSTS:  # though the tests in between set the agent to `eval`
        assert ended.report["modes"] == [True]
    if name == "pymarlzooplus":  # its package is not imported a second time
        assert ended.report["modules"] == []


def check_stand_ins(name: str, said: str) -> None:
    """Each absent module is named once."""
    for module in STAND_INS[name]:
        assert said.count(f"shim stand-in for {module}:") == 1, module
    assert ("shim tensorboard_logger: absent" in said) == (name == "pymarl3")


def check_learner(name: str, report: Dict[str, Any]) -> None:
    """The learner has the host's own mixer, and is optimised as its own QMIX is."""
    package, _, module = report["mixer_module"].rpartition(".")
    row = (module, report["mixer"], report["optimiser"])
    assert (*row, report["lr"], report["td_lambda"]) == NAMED[name]
    assert package.startswith("pymarlzooplus.") == (name == "pymarlzooplus")
    assert report["double_q"] is True
    assert report["standardise_rewards"] is (name in BY_STEPS)
    assert report["standardise_returns"] is False


def check_target_updates(name: str, copied: list) -> None:
    """Copied each five train steps, or five episodes."""
    assert len(copied) >= 2
    counted = [step if name in BY_STEPS else episode for step, episode in copied]
    assert counted == [5, 10][: len(copied)]


# What breaks --------------------------------------------------------------------------

SHIMS = {
    "pymarl": {"Mapping", "yaml", "exit", "workers", "names"},
    "wqmix": {"Mapping", "yaml", "exit", "workers", "names"},
    "pymarl2": {
        *("Mapping", "yaml", "exit", "workers", "names"),
        "stand-in for envs.starcraft",
    },
    "pymarl3": {"Mapping", "yaml", "exit", "workers", "names"},
    "epymarl": {"workers"},
    "pymarlzooplus": {"workers"},
}


@pytest.mark.parametrize("name", SKELETONS)
def test_each_gets_the_shims_that_it_needs(name: str, tmp_path: Path) -> None:
    root = SKELETONS[name].write(tmp_path)
    target = detect.Target(root / "main.py", script="main.py")
    found = {shim.name for shim in shims.needed(detect.detect(root), target)}
    not_here, also = set(), set()
    if sys.version_info < (3, 10):
        not_here.add("Mapping")
    if pyyaml.yaml_has_default_loader():
        not_here.add("yaml")
    if not extras.is_installed(sacred.NAME):
        also.add(sacred.NAME)
    expected = SHIMS[name] - not_here | also
    assert {each for each in found if "smac_v" not in each} == expected


def test_without_shims_an_old_host_fails(tmp_path: Path) -> None:
    words = ["--config=cw_qmix", "--env-config=own_game", "with"]
    bare = run("pymarl", tmp_path, *words, command=("-m", "wqmix", "--no-shims"))
    assert bare.code == 1 and "No module named 'smac'" in bare.output


# What else differs --------------------------------------------------------------------


def test_pymarl2s_prioritised_replay(tmp_path: Path) -> None:
    words = ["--config=ow_qmix", "--env-config=own_game", "with", "use_per=True"]
    ended = run("pymarl2", tmp_path, *words)
    assert ended.code == 0, ended.output[-4000:]
    priorities = ended.report["returned"][-1]["td_errors_abs"]
    assert len(priorities) == 2 and all(p[0] > 0 for p in priorities)
    assert ended.status == "COMPLETED"


def test_epymarl_with_memory_and_soft_targets(tmp_path: Path) -> None:
    words = ["--config=cw_qmix", "--env-config=own_game", "with", "use_rnn=True"]
    ended = run("epymarl", tmp_path, *words, "target_update_interval_or_tau=0.01")
    assert ended.code == 0, ended.output[-4000:]
    steps = [step for step, _ in ended.report["copied"]]
    assert steps == list(range(1, len(ended.report["returned"]) + 1))  # each one


def test_pymarl3s_agents_that_take_an_observation_apart(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(
        "inherit: [cw_qmix, hpn_qmix]\nlearner: wqmix_learner\nname: mine\n"
    )
    words = [f"--config={config}", "--env-config=own_game", "with", "hpn_hyper_dim=6"]
    ended = run("pymarl3", tmp_path, *words)
    assert ended.code == 0, ended.output[-4000:]
    assert "unroll: step by step" in ended.output
    assert ended.status == "COMPLETED" and len(ended.report["losses"]) > 5
    assert ended.report["modes"] == [True]


@pytest.mark.parametrize("name", ["wqmix", "pymarl2"])
def test_a_hosts_own_cw_qmix_is_still_there(name: str, tmp_path: Path) -> None:
    words = ["--config=host:cw_qmix", "--env-config=own_game"]
    ended = run(name, tmp_path, *words, "with", "mixer=qmix")
    assert ended.code == 0, ended.output[-4000:]
    assert ended.report["learner"] == "MAXQLearner"


@pytest.mark.parametrize(
    "name, words, message",
    [
        ("epymarl", ["common_reward=False"], "set common_reward=True"),
        ("pymarl", ["td_lambda=0.6"], "no such setting"),
    ],
)
def test_a_mistake_is_one_line(
    name: str, words: list, message: str, tmp_path: Path
) -> None:
    ended = run(
        name, tmp_path, "--config=cw_qmix", "--env-config=own_game", "with", *words
    )
    assert ended.code == 2
    assert message in ended.output and "Traceback" not in ended.output
    assert ended.new == []


IMAGES = (  # a controller that encodes them, as PyMARLzoo+ has
    ("envs/own_game.py", '"obs_shape": 2', '"obs_shape": (3, 8, 8)'),
    (
        "controllers/basic_controller.py",
        "    def select_actions(",
        "    def _get_input_shape(self, scheme):\n        return 4\n\n"
        "    def select_actions(",
    ),
)
SEVEN_OUTPUTS = (
    (
        "modules/agents/rnn_agent.py",
        "    pass\n",
        "    def __init__(self, input_shape, args):\n"
        "        args.n_actions, n_actions = 7, args.n_actions\n"
        "        super().__init__(input_shape, args)\n"
        "        args.n_actions = n_actions\n",
    ),
)


@pytest.mark.parametrize(
    "name, edits, message",
    [
        ("pymarlzooplus", IMAGES, "observations of shape (3, 8, 8) are images"),
        ("pymarl", SEVEN_OUTPUTS, "gives values of shape (1, 2, 7), not"),
    ],
)
def test_a_network_that_cannot_be_is_refused_before_the_first_episode(
    name: str, edits: tuple, message: str, tmp_path: Path
) -> None:
    words = ["--config=cw_qmix", "--env-config=own_game", "with"]
    ended = run(name, tmp_path, *words, edits=edits)
    assert ended.code == 2 and ended.status == "FAILED"
    assert ended.output.count("wqmix: error: ") == 1 and message in ended.output
    assert ended.new == ["results"]


# Workers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", first("pymarl", "pymarl2", "epymarl"))
def test_its_own_qmix_with_four_workers(name: str, tmp_path: Path) -> None:
    own = "qmix_smac" if name == "wqmix" else "qmix"
    words = [f"--config={own}", "--env-config=own_game", "with", "runner=parallel"]
    ended = run(name, tmp_path, *words, "batch_size_run=4")
    assert ended.code == 0, ended.output[-4000:]
    assert ended.report["learner"] == ("NQLearner" if name in N_HOSTS else "QLearner")
    assert ended.status == "COMPLETED"


def test_a_worker_that_breaks_fails_the_run(tmp_path: Path) -> None:
    words = ["--config=cw_qmix", "--env-config=own_game", "with", "runner=parallel"]
    words += ["batch_size_run=4", "env_args.breaks_at=9"]
    ended = run("pymarl", tmp_path, *words)
    assert ended.code == 1 and ended.status == "FAILED"
    assert "the game broke" in ended.output


# The tables are complete --------------------------------------------------------------


def test_every_host_has_a_skeleton() -> None:
    assert sorted(SKELETONS) == sorted(set(HOSTS) - {"embedded", "generic"})
