"""Each shim is applied where it is needed and nowhere else."""

from __future__ import annotations

import collections
import io
import sys
from pathlib import Path

import pytest
import yaml

from wqmix.config import extras, sacred
from wqmix.plugin import shims, tensorboard
from wqmix.plugin.detect import Target, detect
from wqmix.plugin.hosts import HOSTS
from wqmix.plugin.shims import leaving, pyyaml, stand_ins

from .fakes import MAIN, RUN, launch, make_host, python

OLD_MAIN = MAIN.replace("yaml.safe_load(f)", "yaml.load(f)") + (
    "\n    import collections\n    assert isinstance({}, collections.Mapping)\n"
)
# What every host that imports sacred needs here: tests/test_sacred.py.
EVERYWHERE = [] if extras.is_installed(sacred.NAME) else [sacred.NAME]
OWN = ("--config=qmix", "--env-config=own_game")


def names(root: Path) -> list:
    """Return the names of the shims that a checkout needs."""
    target = Target(root / "main.py", script=str(root / "main.py"))
    return [shim.name for shim in shims.needed(detect(root), target)]


def test_a_host_that_needs_none_gets_none(tmp_path: Path) -> None:
    assert (
        names(make_host(tmp_path, {"run.py": RUN.replace("EXIT", "pass")}))
        == EVERYWHERE
    )


def test_an_old_host_gets_what_this_python_lacks(tmp_path: Path) -> None:
    expected = [] if hasattr(collections, "Mapping") else ["Mapping"]
    expected += [] if pyyaml.yaml_has_default_loader() else ["yaml"]
    assert names(make_host(tmp_path, {"main.py": OLD_MAIN})) == [
        *expected,
        *EVERYWHERE,
        "exit",
    ]


def test_an_old_host_runs_and_the_log_says_why(tmp_path: Path) -> None:
    make_host(tmp_path, {"main.py": OLD_MAIN})
    ended = launch(tmp_path, "src/main.py", *OWN)
    assert ended.returncode == 0, ended.stderr
    said = [line for line in ended.stderr.splitlines() if "shim" in line]
    assert len(said) == len(set(said)) == len(names(tmp_path / "src"))
    if not pyyaml.yaml_has_default_loader():
        bare = launch(tmp_path, "--no-shims", "src/main.py", *OWN)
        assert bare.returncode == 1 and "shim" not in bare.stderr
        assert "Loader" in bare.stderr


def test_yaml_load_reads_safely_and_loaders_still_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml, "load", yaml.load)
    pyyaml.give_yaml_a_default_loader()
    assert yaml.load(io.StringIO("a: 1")) == {"a": 1}
    assert yaml.load("a: 1", Loader=yaml.BaseLoader) == {"a": "1"}
    with pytest.raises(yaml.YAMLError):
        yaml.load("!!python/object/apply:os.getcwd []")


def test_a_commented_exit_is_none(tmp_path: Path) -> None:
    run = RUN.replace("EXIT", "pass  # os._exit(0)\n    # os._exit(0)")
    assert not leaving.ends_by_exit(make_host(tmp_path, {"run.py": run}))


def test_forked_workers_still_end_by_os_exit(tmp_path: Path) -> None:
    run = RUN.replace(
        "EXIT",
        "child = os.fork()\n"
        "        if child == 0:\n"
        "            os._exit(9)\n"
        "        print('worker', os.waitpid(child, 0)[1] >> 8)\n"
        "        os._exit(0)",
    )
    make_host(tmp_path, {"run.py": run})
    ended = launch(tmp_path, "src/main.py", *OWN, "_exit")
    assert (ended.returncode, ended.stdout) == (0, "worker 9\n")


def test_a_thread_cannot_hold_the_end_up(tmp_path: Path) -> None:
    run = RUN.replace(
        "EXIT",
        "import threading\n"
        "        threading.Thread(target=threading.Event().wait).start()\n"
        "        os._exit(0)",
    )
    make_host(tmp_path, {"run.py": run})
    assert launch(tmp_path, "src/main.py", *OWN, "_exit").returncode == 0


# Absent modules -----------------------------------------------------------------------

SMAC_ENVS = "from smac.env import StarCraft2Env\nREGISTRY = {'sc2': StarCraft2Env}\n"
USES_SMAC = "from envs import REGISTRY as games\n" + RUN.replace(
    "EXIT", "games['sc2'](map_name='3m')"
)


def test_an_absent_module_does_not_stop_the_import(tmp_path: Path) -> None:
    make_host(tmp_path, {"envs/__init__.py": SMAC_ENVS, "run.py": USES_SMAC})
    assert launch(tmp_path, "src/main.py", *OWN).returncode == 0
    used = launch(tmp_path, "src/main.py", *OWN, "_exit")
    assert used.returncode == 2
    assert "wqmix: error: smac.env.StarCraft2Env is not installed" in used.stderr
    assert "`smac` on PyPI is another package" in used.stderr
    assert "Traceback" not in used.stderr
    bare = launch(tmp_path, "--no-shims", "src/main.py", *OWN)
    assert bare.returncode == 1 and "No module named 'smac'" in bare.stderr


def test_a_present_module_is_the_real_one(tmp_path: Path) -> None:
    make_host(tmp_path, {"envs/__init__.py": SMAC_ENVS, "run.py": USES_SMAC})
    package = tmp_path / "installed" / "smac" / "env"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "__init__.py").write_text("def StarCraft2Env(map_name): print('real')\n")
    path = {"PYTHONPATH": str(tmp_path / "installed")}
    ended = launch(tmp_path, "src/main.py", *OWN, "_exit", **path)
    assert (ended.returncode, ended.stdout) == (0, "real\n")
    assert "stand-in" not in ended.stderr


def test_pypis_smac_is_not_taken_for_starcrafts(tmp_path: Path) -> None:
    make_host(tmp_path, {"envs/__init__.py": SMAC_ENVS, "run.py": USES_SMAC})
    package = tmp_path / "installed" / "smac"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    path = {"PYTHONPATH": str(tmp_path / "installed")}
    ended = launch(tmp_path, "src/main.py", *OWN, "_exit", **path)
    assert ended.returncode == 2 and "is another package" in ended.stderr


def test_only_the_hosts_own_imports_get_a_stand_in(tmp_path: Path) -> None:
    finder = stand_ins.StandIns(HOSTS["pymarl"], tmp_path)
    assert finder.find_spec("smac") is None


def test_a_host_module_that_cannot_be_imported_is_replaced(tmp_path: Path) -> None:
    changes = {
        "run.py": None,
        "run/__init__.py": "REGISTRY = {}\n",
        "learners/nq_learner.py": "\n",
    }
    root = make_host(tmp_path, changes)
    assert "stand-in for envs.starcraft" in names(root)
    assert "envs.starcraft" not in sys.modules
    absent = shims.absent(HOSTS["pymarl2"], root)
    assert "smac" in absent and "matplotlib.pyplot" not in absent


# The outermost frame ------------------------------------------------------------------


@pytest.mark.parametrize("words", [["src/main.py"], ["-m", "src.main"]])
def test_results_land_where_a_direct_run_puts_them(tmp_path: Path, words: list) -> None:
    outermost = "os.path.abspath(inspect.stack()[-1].filename)"
    run = "# from pymarlzooplus.learners import\nimport inspect\n" + RUN.replace(
        "EXIT", f"print(os.path.dirname({outermost}))"
    )
    changes = {
        "run.py": run,
        "__init__.py": "",
        "components/episodic_memory_buffer.py": "\n",
        "components/standarize_stream.py": "\n",
    }
    root = make_host(tmp_path, changes)
    path = {"PYTHONPATH": str(root)}
    direct = python(*words, *OWN, "_exit", cwd=tmp_path, **path)
    launched = launch(tmp_path, *words, *OWN, "_exit", **path)
    assert launched.returncode == 0, launched.stderr
    assert "PyMARLzoo+" in launched.stderr
    assert launched.stdout == direct.stdout


# Worker processes ---------------------------------------------------------------------

WORKERS = """
    from multiprocessing import Pipe, Process

    def env_worker(remote):
        while True:
            word = remote.recv()
            if word == "fail":
                raise ValueError("in the worker")
            remote.send(word)

    def talk(*words):
        pipes = [Pipe() for _ in range(2)]
        workers = [Process(target=env_worker, args=(remote,)) for _, remote in pipes]
        for worker in workers:
            worker.daemon = True
            worker.start()
        for word in words:
            for parent, _ in pipes:
                parent.send(word)
            print([parent.recv() for parent, _ in pipes])
    """


@pytest.mark.parametrize("words, code", [(["a", "b"], 0), (["a", "fail"], 1)])
def test_a_dead_worker_ends_the_run(tmp_path: Path, words: list, code: int) -> None:
    run = "from runners.parallel_runner import talk\n" + RUN.replace(
        "EXIT", f"talk(*{words})"
    )
    make_host(tmp_path, {"run.py": run, "runners/parallel_runner.py": WORKERS})
    ended = launch(tmp_path, "src/main.py", *OWN, "_exit")
    assert ended.returncode == code, ended.stderr
    assert ended.stdout.startswith("['a', 'a']\n")
    assert ("ValueError: in the worker" in ended.stderr) == bool(code)
    assert ("RuntimeError: worker Process-" in ended.stderr) == bool(code)


# tensorboard_logger -------------------------------------------------------------------


def test_the_dead_logger_writes_through_a_living_one(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    tensorboard.configure(str(tmp_path))
    tensorboard.log_value("loss", 0.5, 7)
    (writer,) = tensorboard._writers
    writer.close()
    assert any(path.name.startswith("events") for path in tmp_path.iterdir())


def test_without_any_writer_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(tensorboard, "writer_class", lambda: None)
    monkeypatch.setattr(tensorboard, "_writers", [])
    tensorboard.configure("nowhere")
    tensorboard.log_value("loss", 0.5, 7)
    assert "pip install tensorboardX" in capfd.readouterr().err


def test_a_host_that_asks_for_it_gets_it(tmp_path: Path) -> None:
    run = "import tensorboard_logger\n" + RUN.replace("EXIT", "pass")
    make_host(tmp_path, {"run.py": run})
    ended = launch(tmp_path, "src/main.py", *OWN)
    assert ended.returncode == 0, ended.stderr
    assert "shim tensorboard_logger" in ended.stderr
