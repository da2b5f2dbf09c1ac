"""Runs whose output, folders or memory are taken away."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch as th

from wqmix.host import run as host_run
from wqmix.host.main import main
from wqmix.host.utils import checkpoints
from wqmix.storage import memory

from .doubles import CountingEnv, make_scheme
from .test_components import ReplayBuffer
from .test_main import command, latest, record


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def start(*settings, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "wqmix.host", *command("seed=1", *settings)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        **options,
    )


def check_saved():
    [folder] = Path("results/models").iterdir()
    step = checkpoints.steps_in(str(folder))[-1]
    assert checkpoints.verify(str(folder / str(step)))["t_env"] == step


# Output -------------------------------------------------------------------------------


def test_a_log_that_nobody_reads():
    """`2>&1 | head -3`: training goes on to its end."""
    settings = ("t_max=400", "save_model=True", "save_model_interval=1000000")
    process = start(*settings, stderr=subprocess.PIPE)
    for _ in range(3):
        process.stderr.readline()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert record(latest(), "run.json")["status"] == "COMPLETED"
    assert record(latest(), "info.json")["return_mean"]
    check_saved()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
@pytest.mark.parametrize("closed", [False, True])
def test_a_log_that_cannot_be_written(closed):
    if closed:  # `2>&-`
        process = start("t_max=50", preexec_fn=lambda: os.close(2))
    else:
        with open("/dev/full", "w") as output:
            process = start("t_max=50", stderr=output, stdout=output)
    assert process.wait(timeout=120) == 0
    assert record(latest(), "run.json")["status"] == "COMPLETED"


def hang_up(process):
    for line in process.stderr:
        if "Recent Stats" in line:
            break
    for _ in range(2):  # the shell's and the kernel's
        process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_terminal_that_is_closed(is_closed):
    # Tests that were started by nohup hand on that SIGHUP is ignored.
    default = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}
    process = start("t_max=100000000", stderr=subprocess.PIPE, **default)
    hang_up(process)
    process.stderr.close() if is_closed else process.stderr.read()
    assert process.wait(timeout=120) == 128 + signal.SIGHUP
    assert record(latest(), "run.json")["status"] == "INTERRUPTED"
    check_saved()


def test_nohup():
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    process = start("t_max=400", stderr=subprocess.PIPE, **ignored)
    hang_up(process)
    process.stderr.read()
    assert process.wait(timeout=120) == 0


# Folders ------------------------------------------------------------------------------


class Wanderer(CountingEnv):
    def __init__(self, **options):
        super().__init__(**options)
        os.makedirs("made", exist_ok=True)
        os.chdir("made")

    def reset(self):
        os.makedirs("elsewhere", exist_ok=True)
        os.chdir("elsewhere")
        return super().reset()


def counting_words(monkeypatch, kind, *settings):
    from wqmix.host import envs

    monkeypatch.setitem(envs.REGISTRY, "counting", kind)
    monkeypatch.setattr(envs, "OWN", envs.OWN | {"counting"})
    Path("counting.yaml").write_text(
        "env: counting\nenv_args: {seed: null, fail_at: null}\ntest_nepisode: 4\n"
    )
    return command("seed=1", "save_model=True", *settings, env="counting.yaml")


def test_an_environment_that_changes_the_folder(monkeypatch, tmp_path):
    assert (
        main(counting_words(monkeypatch, Wanderer, "t_max=30", "auto_resume=True")) == 0
    )
    monkeypatch.chdir(tmp_path)
    assert record(latest(), "run.json")["status"] == "COMPLETED"
    assert record(latest(), "info.json")["return_mean"]
    [folder] = Path("results/models").iterdir()
    assert checkpoints.steps_in(str(folder))
    assert len(list(tmp_path.rglob("results"))) == 1


class Remover(CountingEnv):
    def reset(self):
        if self.episode == 8:
            shutil.rmtree("results", ignore_errors=True)  # by two environments
        return super().reset()


def test_results_that_are_removed(monkeypatch, capsys):
    assert main(counting_words(monkeypatch, Remover, "t_max=60")) == 0
    assert record(latest(), "run.json")["status"] == "COMPLETED"
    assert record(latest(), "config.json")["seed"] == 1
    assert len(record(latest(), "info.json")["return_mean"]) > 5
    assert "was removed: it is made anew" in capsys.readouterr().err
    check_saved()


class Spoiler(CountingEnv):
    """From its ninth episode on, a file lies where the results were."""

    def reset(self):
        if self.episode == 8 and os.path.isdir("results"):
            os.rename("results", "gone")
            Path("results").write_text("a file")
        return super().reset()


def test_results_that_cannot_be_written_in_the_end(monkeypatch, capsys):
    words = counting_words(monkeypatch, Spoiler, "t_max=60")
    assert main([word for word in words if word != "save_model=True"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert re.match(r"error: the results in .* are not whole: ", said[-1])


# Memory -------------------------------------------------------------------------------


def test_what_is_foreseen_is_what_is_taken():
    scheme, groups, preprocess = make_scheme()
    buffer = ReplayBuffer(scheme, groups, 7, 5, preprocess=preprocess)
    taken = sum(f.numel() * f.element_size() for f in buffer.fields().values())
    assert 7 * 5 * memory.bytes_per_slot(scheme, groups, preprocess) == taken


def test_foreseen_by_hand():
    """2 agents: obs 2·3·4, one-hot 2·5·4, actions 2·8; reward 4, filled 8 bytes."""
    scheme = {
        "obs": {"vshape": 3, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "reward": {"vshape": (1,)},
    }
    preprocess = {"actions": ("onehot", [host_run.OneHot(out_dim=5)])}
    found = memory.bytes_per_slot(scheme, {"agents": 2}, preprocess)
    assert found == 24 + 16 + 40 + 4 + 8


def test_more_than_there_is(monkeypatch, capsys):
    def allocated(*_, **__):
        raise AssertionError("nothing may be allocated")

    monkeypatch.setattr(host_run, "ReplayBuffer", allocated)
    assert main(command("t_max=5", "buffer_size=1000000000000")) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: buffer_size=1000000000000 needs ")
    fits = int(re.search(r"buffer_size=(\d+) would fit", told).group(1))
    assert 1000 < fits < 10**12


def test_what_would_fit():
    assert memory.too_much(100, 10, 4, None) == ""
    assert memory.too_much(100, 6, 4, 1000) == ""
    assert "buffer_size=6 would fit" in memory.too_much(100, 7, 4, 1000)
    assert "not one episode would fit" in memory.too_much(1000, 7, 4, 1000)
    assert [memory.told(n) for n in (999, 1000, 4.2e9, 5e15)] == [
        "999 bytes",
        "1 kB",
        "4.2 GB",
        "5,000 TB",
    ]


def test_it_is_said(capsys):
    assert main(command("t_max=5", "seed=1")) == 0
    [line] = [x for x in capsys.readouterr().err.splitlines() if "Memory: " in x]
    assert "(buffer_size=8)" in line and "(batch_size=4)" in line
