"""Sweeps: what a file means, and that every run is done once, whatever happens."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import pytest

from wqmix.analysis.sweep import cli, engines, execute, plan, processes, table
from wqmix.analysis.sweep.ledger import Ledger
from wqmix.analysis.sweep.progress import Progress
from wqmix.errors import ConfigError

from .folders_of_runs import write_run


def file(tmp_path, text):
    path = tmp_path / "tiny.yaml"
    path.write_text(textwrap.dedent(text))
    return str(path)


BASE = "algorithms: [qmix]\nenvironments: [matrix_game]\n"


# The file ----------------------------------------------------------------------------


def test_a_sweep_is_the_product_of_its_parts(tmp_path):
    text = """\
    algorithms:
    - qmix
    - {config: cw_qmix, settings: {lr: 0.001}, grid: {alpha: [0.1, 0.5]}}
    environments:
    - matrix_game
    - {config: predator_prey, settings: {env_args: {n_prey: 3}}}
    seeds: 2
    settings: {t_max: 300, lr: 0.002}
    """
    found = plan.read(file(tmp_path, text))
    words = [run.arguments for run in found.runs]
    assert len(words) == (1 + 2) * 2 * 2
    assert len({run.label for run in found.runs}) == 12
    assert len({run.name for run in found.runs}) == 12
    last = words[-1]
    assert last[:4] == (
        *("--config=cw_qmix", "--env-config=predator_prey", "with", "seed=1"),
    )
    settings = {"t_max=300", "lr=0.001", "env_args.n_prey=3", "alpha=0.5"}
    assert settings < set(last) and "lr=0.002" in words[0]
    assert found.runs[0].t_max == 300


def test_entries_of_one_config_are_told_apart_by_name(tmp_path):
    text = """\
    algorithms: [qmix, {config: cw_qmix, settings: {alpha: 0.5}}]
    environments:
    - {config: custom, settings: {env_args: {entry_point: "a.py:A", options: {n: 1}}}}
    - {config: custom, settings: {env_args: {entry_point: "b.py:B", options: {n: 1}}}}
    - {config: predator_prey, settings: {env_args: {n_prey: 3}}}
    """
    names = [run.name for run in plan.read(file(tmp_path, text)).runs]
    assert [name[: name.rindex("-")] for name in names[:3]] == [
        "qmix-custom-env_args.entry_point=a.py_A-seed=0",
        "qmix-custom-env_args.entry_point=b.py_B-seed=0",
        "qmix-predator_prey-seed=0",
    ]


def test_a_label_depends_on_what_is_asked_and_on_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = plan.read(file(tmp_path, BASE + "settings: {lr: 0.1}")).runs[0]
    moved = plan.read(file(tmp_path, BASE + "settings: {lr: 0.1}\nresults: there"))
    assert moved.runs[0].label == first.label
    assert "local_results_path=there" in moved.runs[0].arguments
    other = plan.read(file(tmp_path, BASE + "settings: {lr: 0.2}")).runs[0]
    assert other.label != first.label
    # A config that is a file: what is in it counts.
    (tmp_path / "own.yaml").write_text("inherit: cw_qmix\nalpha: 0.5\n")
    text = "algorithms: [own.yaml]\nenvironments: [matrix_game]\n"
    before = plan.read(file(tmp_path, text)).runs[0].label
    (tmp_path / "own.yaml").write_text("inherit: cw_qmix\nalpha: 0.6\n")
    assert plan.read(file(tmp_path, text)).runs[0].label != before


def test_a_sweep_named_as_its_environment_may_change(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own, checkout = tmp_path / "matrix_game.yaml", tmp_path / "src" / "config" / "algs"
    own.write_text(BASE)
    first = plan.read(str(own)).runs[0].label
    own.write_text(BASE + "seeds: 2\n")
    assert plan.read(str(own)).runs[0].label == first
    # Nor is a checkout's own config a file that happens to lie beside.
    checkout.mkdir(parents=True)
    (checkout / "theirs.yaml").touch()
    text = "algorithms: [theirs]\nenvironments: [matrix_game]\nmain: src/main.py\n"
    (tmp_path / "theirs.yaml").write_text(text)
    first = plan.read("theirs.yaml").runs[0].label
    (tmp_path / "theirs.yaml").write_text(text + "seeds: 2\n")
    assert plan.read("theirs.yaml").runs[0].label == first


def test_equal_runs_are_one(tmp_path):
    text = "algorithms: [qmix, qmix]\nenvironments: [matrix_game]\nseeds: [1, 1]\n"
    assert len(plan.read(file(tmp_path, text)).runs) == 1


def test_another_host(tmp_path):
    text = BASE + "main: there/src/main.py\nhost: pymarl2\n"
    found = plan.read(file(tmp_path, text))
    target = ("--host", "pymarl2", "there/src/main.py")
    assert found.runs[0].arguments[:3] == target
    assert found.results.parts[-2:] == ("there", "results")
    assert not any("local_results_path" in word for word in found.runs[0].arguments)


@pytest.mark.parametrize(
    "value, word",
    [
        ("3s5z", "3s5z"),
        ("1", "'1'"),
        ("None", "'None'"),
        (None, "None"),
        (True, "True"),
        ([4, 4], "[4, 4]"),
        (1e-5, "1e-05"),
    ],
)
def test_values_are_spelt_as_sacred_reads_them(value, word):
    assert plan.spelt(value) == word


@pytest.mark.parametrize(
    "text, message",
    [
        ("algoritms: [qmix]", "algoritms: not one of .*did you mean 'algorithms'"),
        (BASE + "sedes: 3", "did you mean 'seeds'"),
        ("environments: [x]", "algorithms: a list of names is needed"),
        ("algorithms: [{confg: x}]", "algorithms: confg: .*did you mean 'config'"),
        ("algorithms: [{grid: {a: [1]}}]", "config: the name of a config is needed"),
        (BASE + "seeds: -1", "seeds=-1: a number of seeds, or a list"),
        (BASE + "seeds: [a]", "a number of seeds, or a list"),
        (BASE + "seeds: 0", "no runs: `seeds` is empty"),
        (BASE + "seeds: []", "no runs: `seeds` is empty"),
        (BASE + "seeds: 20000", "more than 10000 runs"),
        (BASE + "settings: {seed: 1}", "seed is set by `seeds`"),
        (BASE + "settings: {label: a}", "label is set by the sweep"),
        (BASE + "settings: 3", "settings: `key: value` lines are needed"),
        (BASE + "grid: {lr: 0.1}", "lr=0.1: a list of values is needed"),
        (BASE + "main: a\nmodule: b", "only one of them"),
        (BASE + "name: ../x", "letters, digits"),
        (BASE + "retries: many", "retries='many'"),
        (BASE + "slurm: [a]", "slurm: `key: value` lines"),
        (BASE + "a: [", "not valid YAML"),
    ],
)
def test_mistakes_in_the_file_are_one_line(tmp_path, capsys, text, message):
    assert cli.main([file(tmp_path, text)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error)
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny.yaml"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("algorithms: [qmx]\nenvironments: [matrix_game]", "did you mean 'qmix'"),
        (
            "algorithms: [qmix]\nenvironments: [matrx_game]",
            "did you mean 'matrix_game'",
        ),
        (BASE + "settings: {t_mx: 3}", "did you mean 't_max'"),
        (BASE + "settings: {t_max: lots}", "run qmix-matrix_game-seed=0.*: t_max"),
        (BASE + "main: nowhere/main.py", "no such script"),
        (
            "algorithms: [cw_qmix]\nenvironments: [matrix_game]\nsettings: {alpha: 2}",
            "alpha is 2",
        ),
    ],
)
def test_what_the_runs_would_refuse_is_said_before_any_starts(
    tmp_path, monkeypatch, capsys, text, message
):
    monkeypatch.chdir(tmp_path)
    assert cli.main([file(tmp_path, text)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error)
    assert not (tmp_path / "results").exists()


def test_an_engine_that_cannot_be_had_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "submitit", None)  # as if it were not installed
    assert cli.main([file(tmp_path, BASE), "--engine", "slurm"]) == 2
    assert "pip install 'submitit>=1.5'" in capsys.readouterr().err
    assert os.listdir() == ["tiny.yaml"]


def test_the_lock_is_held_until_the_engine_has_stopped(tmp_path, monkeypatch):
    """A run that is still ending must not be started again by another sweep."""
    monkeypatch.chdir(tmp_path)
    wanted = plan.read(file(tmp_path, BASE))
    refused = []

    def stop(self):
        with pytest.raises(ConfigError, match="another sweep is at work"):
            with cli.locked(wanted.folder):
                pass
        refused.append(True)

    monkeypatch.setattr(engines.Local, "stop", stop)
    monkeypatch.setattr(cli, "execute", lambda work: 130)
    assert cli.main([str(tmp_path / "tiny.yaml")]) == 130
    assert refused == [True]


def test_a_dry_run_prints_the_commands_that_are_left(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = file(tmp_path, BASE + "seeds: 2\n")
    done = plan.read(path).runs[0]
    write_run(tmp_path / "results" / "sacred" / "1", label=done.label)
    assert cli.main([path, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed == (
        "python -m wqmix --config=qmix --env-config=matrix_game with seed=1 "
        f"label={plan.read(path).runs[1].label}\n"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (["--jobs", "0"], "whole numbers from 1"),
        (["--address", "a:1"], "--address is of --engine ray"),
        (["--engine", "slurm", "--jobs", "2"], "--jobs is of --engine local"),
        (["--retries", "-1"], "numbers from 0"),
    ],
)
def test_options_that_cannot_be(tmp_path, capsys, options, message):
    assert cli.main([file(tmp_path, BASE), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "address, message",
    [
        ("somewhere", "HOST:PORT, ray://HOST:PORT or auto"),
        ("127.0.0.1:1", "cannot be reached"),
        ("127.0.0.1:99999", "cannot be reached"),
        ("ray://127.0.0.1:1", "cannot be reached"),
    ],
)
def test_an_address_where_nothing_answers(address, message):
    with pytest.raises(ConfigError, match=message):
        engines.reach(address)


# What is finished --------------------------------------------------------------------


def test_a_run_is_known_by_its_own_config(tmp_path):
    """Wherever its folder lies, and whatever else is there."""
    sacred = tmp_path / "sacred"
    write_run(sacred / "3s5z" / "x" / "7", label="a")
    write_run(sacred / "1", label="b", status="RUNNING")
    write_run(sacred / "2", label="b", status="FAILED")
    write_run(sacred / "3", label="other")
    (sacred / "4").mkdir()
    (sacred / "4" / "config.json").write_text('{"label": "c"')  # being written
    ledger = Ledger(tmp_path, ["a", "b", "c"])
    assert ledger.completed() == {"a"}
    (sacred / "4" / "config.json").write_text('{"label": "c"}')
    (sacred / "4" / "run.json").write_text('{"status": "COMPLETED"}')
    assert ledger.completed() == {"a", "c"}


def test_only_a_heart_that_beats_is_alive(tmp_path):
    write_run(tmp_path / "sacred" / "1", label="a", status="RUNNING")  # of long ago
    folder = write_run(tmp_path / "sacred" / "2", label="b", status="RUNNING")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    facts = {"status": "RUNNING", "heartbeat": now.isoformat()}
    (folder / "run.json").write_text(json.dumps(facts))
    ledger = Ledger(tmp_path, ["a", "b"])
    assert not ledger.completed() and ledger.beats == {"b": now.isoformat()}


# Every run once ----------------------------------------------------------------------


class Script:
    """An engine whose runs end as a script says."""

    room = 10
    key = staticmethod(lambda run: run.arguments[0])

    def __init__(self, sacred, **ends):
        self.sacred, self.ends = sacred, ends
        self.started, self.due = [], []

    def start(self, run, log):
        key = self.key(run)
        self.started.append(key)
        end = self.ends[key].pop(0)
        if end == "completes, is lost":
            write_run(self.sacred / f"by-{len(self.started)}", label=run.label)
            end = engines.End(None, "NodeDiedError")
        elif end == "completes":
            write_run(self.sacred / f"by-{len(self.started)}", label=run.label)
            end = engines.End(0)
        self.due.append((run, end))

    def ended(self):
        due, self.due = self.due, []
        return due


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    for name in ("PAUSE", "SECONDS_OF_SILENCE", "SECONDS_UNTIL_SEEN"):
        monkeypatch.setattr(execute, name, 0.01)

    def make(retries=2, **ends):
        runs = [plan.Run(key, f"label-{key}", (key,)) for key in ends]
        wanted = plan.Plan("x", tmp_path, tmp_path / "x", (), runs, retries)
        engine = Script(tmp_path / "sacred", **ends)
        ledger = Ledger(tmp_path, [run.label for run in runs])
        quiet = SimpleNamespace(line=lambda text: None, show=lambda sweep: None)
        return execute.Sweep(wanted, engine, ledger, quiet), engine

    return make


LOST, FAILED = engines.End(-9), engines.End(1)


def test_a_lost_run_is_tried_again_and_a_failed_one_is_not(sweep):
    work, engine = sweep(
        a=["completes"], b=[LOST, "completes"], c=[FAILED], d=[engines.End(2)]
    )
    failed = work.execute()
    assert [each.run.name for each in failed] == ["c", "d"]
    assert sorted(engine.started) == ["a", "b", "b", "c", "d"]
    assert work.counts() == {"completed": 2, "FAILED": 2}


def test_a_run_is_not_tried_for_ever(sweep):
    work, engine = sweep(retries=2, a=[LOST] * 9)
    (failed,) = work.execute()
    assert engine.started == ["a", "a", "a"]
    assert "its worker was lost 3 times" in failed.reason


def test_a_run_that_was_completed_before_its_worker_was_lost_counts_once(sweep):
    work, engine = sweep(a=["completes, is lost"])
    assert work.execute() == [] and engine.started == ["a"]


def test_a_good_end_without_a_completed_run_is_a_failure(sweep):
    work, _ = sweep(a=[engines.End(0)])
    (failed,) = work.execute()
    assert "no completed run has its label" in failed.reason


def test_what_is_completed_is_not_run_again(sweep, tmp_path):
    write_run(tmp_path / "sacred" / "1", label="label-a")
    work, engine = sweep(a=[], b=["completes"])
    assert work.execute() == [] and engine.started == ["b"]
    assert work.counts() == {"completed": 2}


@pytest.fixture
def beating(tmp_path, monkeypatch):
    """A run whose heart beats each time the table is shown, six times; then it ends."""
    monkeypatch.setattr(execute, "SECONDS_OF_SILENCE", 0.5)
    beats = iter(range(6))

    def show(_):
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        status = "COMPLETED" if next(beats, None) is None else "RUNNING"
        facts = {"status": status, "heartbeat": now.isoformat()}
        (tmp_path / "sacred" / "1" / "run.json").write_text(json.dumps(facts))

    return show


def test_a_run_that_lives_on_without_its_worker_is_not_done_twice(
    sweep, beating, tmp_path
):
    work, engine = sweep(a=[engines.End(None, "NodeDiedError")])
    start = engine.start

    def start_and_live_on(run, log):
        write_run(tmp_path / "sacred" / "1", label=run.label)
        beating(None)
        start(run, log)

    engine.start, work.table.show = start_and_live_on, beating
    assert work.execute() == [] and engine.started == ["a"]


def test_a_run_that_an_earlier_sweep_left_alive_is_not_done_twice(
    sweep, beating, tmp_path
):
    write_run(tmp_path / "sacred" / "1", label="label-a", status="RUNNING")
    beating(None)
    work, engine = sweep(a=[])
    work.table.show = beating
    assert work.execute() == [] and engine.started == []


def test_a_run_that_died_long_ago_is_begun_anew(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "SECONDS_OF_SILENCE", 600)
    write_run(tmp_path / "sacred" / "x", label="label-a", status="RUNNING")
    work, engine = sweep(a=["completes"])
    assert work.execute() == [] and engine.started == ["a"]


# Processes ---------------------------------------------------------------------------


def wait_for(condition):
    for _ in range(400):
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="the guard is Linux's")
def test_a_run_ends_with_the_process_that_started_it(tmp_path):
    said = tmp_path / "pid"
    child = f"import os, time; open({str(said)!r}, 'w').write(str(os.getpid()));"
    child += " time.sleep(60)"
    parent = (
        "import time; from wqmix.analysis.sweep import processes;"
        f"processes.start(['-c', {child!r}], {str(tmp_path / 'log')!r}, 1);"
        "time.sleep(60)"
    )
    worker = subprocess.Popen([sys.executable, "-c", parent])
    assert wait_for(lambda: said.exists() and said.read_text())
    pid = int(said.read_text())
    assert is_alive(pid)
    worker.kill()
    worker.wait()
    assert wait_for(lambda: not is_alive(pid))


def test_threads_are_limited_and_output_is_kept(tmp_path):
    script = "import os; print('threads', os.environ['OMP_NUM_THREADS']); exit(3)"
    log = tmp_path / "logs" / "a.log"
    assert processes.run(["-c", script], str(log), 2, os.getcwd()) == 3
    assert log.read_text() == "threads 2\n"


def test_what_was_ended_from_outside_is_lost():
    assert processes.is_lost(-signal.SIGKILL) and processes.is_lost(143)
    assert not any(map(processes.is_lost, (0, 1, 2)))


def test_progress_from_a_log_as_it_grows(tmp_path):
    log = tmp_path / "a.log"
    progress = Progress(log, None)
    progress.read()
    assert progress.share == 0 and progress.seconds_left is None
    log.write_text("[INFO] Beginning training for 400 timesteps\nt_env: 100 / 400\n")
    progress.read()
    assert progress.share == 0.25
    with open(log, "a") as stream:
        stream.write("Recent Stats | t_env:        300 | Episode:      9\n")
    progress.read()
    assert progress.share == 0.75 and progress.seconds_left >= 0


def test_what_a_checkpoint_brought_is_not_taken_for_work(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(table.time, "monotonic", lambda: clock[0])
    watched = {}
    for name in "ab":
        each = watched[name] = execute.Watched(plan.Run(name, name, (), 1000), tmp_path)
        each.state = execute.RUNNING
    states = "completed", "running", "waiting", "FAILED"
    work = SimpleNamespace(watched=watched, counts=lambda: dict.fromkeys(states, 0))
    shown, log = table.Table(), watched["a"].log
    log.write_text("Loading model from results/models/of a/600\nnext\n")
    watched["a"].progress.read()
    assert shown.summary(work).endswith("| 30% | time left not known yet")
    with open(log, "a") as stream:
        stream.write("t_env: 800 / 1000\n")
    watched["a"].progress.read()
    clock[0] += 60.0  # for 200 of 1,400 steps
    assert shown.summary(work).endswith("| 40% | time left 6 min")


def test_the_last_word_of_a_failed_run(tmp_path):
    each = execute.Watched(plan.Run("a", "l", ()), tmp_path)
    assert execute.last_word(each) == "no log"
    each.log.write_text("x\nerror: t_max is text\nExiting\n\n")
    assert execute.last_word(each) == "error: t_max is text"
    each.log.write_text("Traceback\n  line\nValueError: no\n")
    assert execute.last_word(each) == "ValueError: no"


@pytest.mark.parametrize(
    "seconds, text",
    [
        (None, "–"),
        (20, "20 s"),
        (240, "4 min"),
        (3600, "1 h 00 min"),
        (3900, "1 h 05 min"),
    ],
)
def test_durations(seconds, text):
    assert table.duration(seconds) == text


def test_the_table_shows_what_is_under_way(tmp_path):
    states = dict(
        a=execute.DONE, b=execute.RUNNING, c=execute.RUNNING, d=execute.FAILED
    )
    watched = {}
    for name, state in states.items():
        each = watched[name] = execute.Watched(plan.Run(name, name, (), 400), tmp_path)
        each.state = state
    watched["b"].log.write_text("t_env: 100 / 400\n")
    watched["b"].progress.read()
    counts = {"completed": 1, "running": 1, "waiting": 1, "FAILED": 1}
    work = SimpleNamespace(watched=watched, counts=lambda: counts)
    (row,) = table.rows(work, 5)  # c has not begun: its engine has a queue
    assert re.match(r"b  #{5}\.{15}  25%  +100 steps", row)
    summary = table.Table().summary(work)
    told = "4 runs: 1 completed, 1 running, 1 waiting, 1 FAILED | 56% | time left "
    assert summary.startswith(told)


def test_failures_are_listed_at_the_end_with_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execute, "PAUSE", 0.01)
    path = file(tmp_path, BASE + "seeds: 2\n")
    ends = [FAILED], ["completes"]
    runs = plan.read(path).runs
    engine = Script(tmp_path / "results" / "sacred")
    engine.key = lambda run: run.label
    engine.ends = {run.label: list(end) for run, end in zip(runs, ends)}
    engine.stop = lambda: None
    monkeypatch.setattr(cli, "engine_of", lambda *_: engine)
    assert cli.main([path]) == 1
    last = capsys.readouterr().err.splitlines()[-2:]
    assert last[0] == "1 of 2 runs completed"
    assert last[1].startswith(f"FAILED: {runs[0].name}: exit code 1: no log (log: ")


def test_two_sweeps_of_one_name_are_not_at_work_at_once(tmp_path):
    with cli.locked(tmp_path):
        with pytest.raises(ConfigError, match="another sweep is at work here"):
            with cli.locked(tmp_path):
                pass
    with cli.locked(tmp_path):
        pass


@pytest.mark.slow
def test_a_sweep_from_end_to_end(tmp_path, monkeypatch, capsys):
    """Two runs on two processes; one fails; the second call has one left to do."""
    monkeypatch.chdir(tmp_path)
    text = """\
    algorithms: [qmix]
    environments: [matrix_game]
    seeds: 2
    settings: {t_max: 40, batch_size: 8, buffer_size: 16, use_cuda: False}
    """
    path = file(tmp_path, text)
    runs = plan.read(path).runs
    write_run(tmp_path / "results" / "sacred" / "1", label=runs[0].label)
    assert cli.main([path]) == 0
    told = capsys.readouterr().err
    assert "1 of 2 runs completed already" in told
    assert "2 of 2 runs completed" in told
    ledger = Ledger(tmp_path / "results", [run.label for run in runs])
    assert ledger.completed() == {run.label for run in runs}
    assert cli.main([path]) == 0
    assert "all completed already: 2 runs" in capsys.readouterr().err


TINY = "settings: {t_max: 40, batch_size: 8, buffer_size: 16, use_cuda: False}\n"


@pytest.mark.slow
def test_slurms_engine_on_this_machine(tmp_path, monkeypatch):
    """With submitit's own stand-in for Slurm."""
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    text = BASE + TINY + "slurm: {cluster: local, timeout_min: 5}\n"
    assert cli.main([file(tmp_path, text), "--engine", "slurm"]) == 0


@pytest.mark.slow
def test_rays_engine_on_this_machine(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    assert cli.main([file(tmp_path, BASE + TINY), "--engine", "ray"]) == 0


def test_a_recipe_of_an_entry_wins_and_is_part_of_what_a_run_is() -> None:
    values = {
        "algorithms": ["qmix", {"config": "cw_qmix", "recipe": "paper/smac"}],
        "environments": ["matrix_game", {"config": "predator_prey", "recipe": "lbf"}],
    }
    found = plan.plan({**values, "recipe": "pymarl2/smac"}, "x").runs
    given = [w for run in found for w in run.arguments if w.startswith("--recipe=")]
    names = ["pymarl2/smac", "lbf", "paper/smac", "paper/smac"]
    assert given == [f"--recipe={name}" for name in names]
    without = {run.label for run in plan.plan(values, "x").runs}
    assert len({run.label for run in found} - without) == 1  # the first one alone
