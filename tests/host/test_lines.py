"""A run's folder: what is kept, what is gone on from, whose files are left alone."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch as th

from wqmix.host.errors import CheckpointError
from wqmix.host.utils import checkpoints, lines
from wqmix.host.utils.checkpoints import RunFolder
from wqmix.host.utils.logging import get_logger
from wqmix.storage import manifest

from .doubles import make_scheme
from .test_components import ReplayBuffer, make_batch


class Learner:
    """Saves one file."""

    def save_models(self, path):
        th.save({"w": th.zeros(1)}, f"{path}/agent.th")


def saving(folder, *steps, test_returns=None, keep=5, config=None, line_from=None):
    """A run that saves at these steps, from `line_from` on if it is given."""
    run = RunFolder(str(folder), keep, False, get_logger())
    if line_from is not None:
        run.go_on_from(line_from)
    for step in steps:
        test_return = (test_returns or {}).get(step)
        facts = {"config": config or {}, "test_return": test_return}
        run.save(Learner(), step, {}, None, **facts)
        assert not run.has_failed
    return run


def steps(folder):
    return checkpoints.steps_in(str(folder))


def test_lines_by_hand():
    five = [[1, 5]]
    assert lines.extended([], 0) == [[1, 1]]
    assert lines.extended(five, 5) == [[1, 6]]
    assert lines.extended(five, 10) == [[1, 5], [11, 11]]
    assert lines.extended([[1, 5], [11, 11]], 11) == [[1, 5], [11, 12]]
    on = [n for n in range(14) if lines.is_on(n, [[1, 5], [11, 12]])]
    assert on == [1, 2, 3, 4, 5, 11, 12]
    # Before saves were counted, they came in the order of their steps.
    older = [lines.number_of(None, step) for step in (0, 7, 10**9)]
    assert older == sorted(older) and older[-1] < 1


def test_going_back_keeps_the_new_line(tmp_path):
    """The issue's case: the highest steps were kept, the branch's deleted at once."""
    saving(tmp_path, *range(10, 101, 10), keep=0)
    saving(tmp_path, 31, 41, 51, line_from=30)
    assert set(range(40, 101, 10)) < set(steps(tmp_path))  # another line: untouched
    # Of this line the newest five in time: 20 and 10, older ones, are gone.
    assert [s for s in steps(tmp_path) if s <= 30 or s % 10] == [20, 30, 31, 41, 51]
    assert checkpoints.nearest_step(str(tmp_path), 0) == 51
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 51
    saving(tmp_path, 61, 71, line_from=51)
    assert [s for s in steps(tmp_path) if s <= 30 or s % 10] == [31, 41, 51, 61, 71]


def test_killed_before_the_new_lines_first_save(tmp_path):
    saving(tmp_path, 10, 20, 30)
    RunFolder(str(tmp_path), 5, False, get_logger()).go_on_from(10)
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 10
    checkpoints.verify(str(tmp_path / "10"))
    assert sorted(os.listdir(tmp_path)) == [".lock", "10", "20", "30"]


def test_the_new_lines_last_is_damaged(tmp_path, capsys):
    saving(tmp_path, 10, 20, 30)
    saving(tmp_path, 12, 14, line_from=10)
    (tmp_path / "14" / "agent.th").write_bytes(b"")
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 12
    (tmp_path / "12" / manifest.NAME).write_bytes(b"")
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 10
    said = capsys.readouterr().err
    assert "14/agent.th: has 0 bytes" in said and "12/manifest.json: not a" in said


def test_a_step_of_both_lines(tmp_path):
    saving(tmp_path, 10, 20, 30)
    saving(tmp_path, 20, line_from=10)
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 20
    assert manifest.read(str(tmp_path / "20"))["line"] == [[1, 1], [4, 5]]


def test_the_best_of_the_line_stays(tmp_path):
    saving(tmp_path, 1, 2, 3, 4, test_returns={1: 5.0, 2: 1.0, 3: 9.0}, keep=2)
    assert steps(tmp_path) == [3, 4]
    saving(tmp_path, 5, 6, 7, keep=2)
    assert steps(tmp_path) == [3, 6, 7]


def test_checkpoints_from_before_lines(tmp_path):
    for step in (20, 100, 3):
        saving(tmp_path, step)
        facts = manifest.read(str(tmp_path / str(step)))
        del facts["line"], facts["files"]
        manifest.write(str(tmp_path / str(step)), facts)
    assert checkpoints.nearest_step(str(tmp_path), 0) == 100
    saving(tmp_path, 25, line_from=20)
    assert checkpoints.step_to_resume(str(tmp_path), 0)[0] == 25
    assert steps(tmp_path) == [3, 20, 25, 100]


def test_the_furthest_run_by_its_own_latest(tmp_path):
    saving(tmp_path / "a", 10, 90, config={"lr": 1})
    saving(tmp_path / "a", 12, line_from=10, config={"lr": 1})
    saving(tmp_path / "b", 40, config={"lr": 1})
    saving(tmp_path / "c", 95, config={"lr": 2})
    found = checkpoints.find_run(str(tmp_path), {"lr": 1})
    assert found == (str(tmp_path / "b"), 40)
    (tmp_path / "b" / "40" / "agent.th").write_bytes(b"")
    found = checkpoints.find_run(str(tmp_path), {"lr": 1})
    assert found == (str(tmp_path / "a"), 12)


# Neighbours ---------------------------------------------------------------------------


def forged(folder, **changes):
    """A manifest whose seal fits, with these facts; None: without one."""
    body = {**manifest.read(str(folder)), **changes}
    body = {key: value for key, value in body.items() if value is not None}
    (folder / manifest.NAME).write_bytes(manifest._sealed(body))


def no_files(run):
    forged(run / "7", files=None)


def odd_steps(run):
    for name in ("²", "٣", "007", "-1", "1e3", "9" * 50):
        (run / name).mkdir()


def a_fifo(run):
    (run / "7" / manifest.NAME).unlink()
    os.mkfifo(run / "7" / manifest.NAME)


def odd_buffer(run):
    forged(run / "7", buffer=[{"name": "x"}])


NEAREST = {no_files: 5, odd_steps: 7, a_fifo: 5, odd_buffer: 5}


@pytest.mark.parametrize("harm", NEAREST)
def test_a_neighbours_folder_stops_nobody(tmp_path, harm, capsys):
    saving(tmp_path / "a", 7, 5, config={"lr": 1})
    harm(tmp_path / "a")
    saving(tmp_path / "b", 3, config={"lr": 1})
    # 5 was saved after 7, so it is the last one in any case.
    assert checkpoints.nearest_step(str(tmp_path / "a"), 7) == NEAREST[harm]
    assert checkpoints.find_run(str(tmp_path), {"lr": 1})[1] == 5
    said = capsys.readouterr().err
    assert ("7/manifest.json" in said) == (harm is not odd_steps)
    assert "Traceback" not in said


def test_an_unreadable_folder_is_passed_over(tmp_path, monkeypatch, capsys):
    saving(tmp_path / "a", 3, config={"lr": 1})
    saving(tmp_path / "b", 9, config={"lr": 1})
    listdir = os.listdir

    def denied(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", denied)
    assert checkpoints.find_run(str(tmp_path), {"lr": 1}) == (str(tmp_path / "a"), 3)
    assert "Permission denied; passed over" in capsys.readouterr().err


def test_a_cut_replacement_that_cannot_be_put_back(tmp_path, monkeypatch, capsys):
    saving(tmp_path, 3, 4)
    os.rename(tmp_path / "4", tmp_path / "4.replaced")

    def read_only(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "rename", read_only)
    assert checkpoints.nearest_step(str(tmp_path), 0) == 3
    assert "cannot be put back (Read-only file system)" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="what it was is in .*4.replaced"):
        checkpoints.verify(str(tmp_path / "4"))
    monkeypatch.undo()
    assert checkpoints.nearest_step(str(tmp_path), 0) == 4


# Links and others' files --------------------------------------------------------------


@pytest.fixture
def mine(tmp_path):
    """A folder with files of somebody's, to which links lead."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "a.txt").write_text("mine")
    (folder / "0-2-aaaaaaaaaaaa.npz").write_text("mine")
    return folder


def untouched(folder):
    assert sorted(os.listdir(folder)) == ["0-2-aaaaaaaaaaaa.npz", "a.txt"]
    assert {path.read_text() for path in folder.iterdir()} == {"mine"}


def with_buffer(run, step):
    scheme, groups, preprocess = make_scheme()
    buffer = ReplayBuffer(scheme, groups, 4, 5, preprocess=preprocess)
    buffer.insert_episode_batch(make_batch(2, 5))
    run.saves_buffer = True
    run.save(Learner(), step, {}, buffer)


def test_a_lock_that_is_a_link(tmp_path, mine):
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").symlink_to(mine / "a.txt")
    with pytest.raises(CheckpointError, match=r"\.lock: is a link"):
        saving(run, 1)
    untouched(mine)


def test_a_lock_that_is_a_fifo(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(CheckpointError, match="no regular file"):
        saving(tmp_path, 1)


def test_a_buffer_that_is_a_link(tmp_path, mine, capsys):
    run = saving(tmp_path / "run", 1)
    (tmp_path / "run" / "buffer").symlink_to(mine)
    with_buffer(run, 2)
    assert run.has_failed
    assert "buffer: is a link" in capsys.readouterr().err
    untouched(mine)


def test_leftovers_that_are_links(tmp_path, mine):
    run = saving(tmp_path / "run", 1)
    (tmp_path / "run" / "buffer").mkdir()
    (tmp_path / "run" / "buffer" / "episodes.partial").symlink_to(mine / "a.txt")
    for name in ("2.partial", "2.replaced", "other.partial"):
        (tmp_path / "run" / name).symlink_to(mine)
    with_buffer(run, 2)
    assert not run.has_failed
    untouched(mine)
    run = saving(tmp_path / "run", 3)  # as after a kill: what is partial goes
    untouched(mine)
    assert checkpoints.verify(str(tmp_path / "run" / "2"))


def test_a_step_that_is_a_link(tmp_path, mine):
    run = saving(tmp_path / "run", 1)
    (tmp_path / "run" / "2").symlink_to(mine)
    run.save(Learner(), 2, {}, None)
    assert not run.has_failed and not (tmp_path / "run" / "2").is_symlink()
    untouched(mine)


def test_ones_own_files_in_buffer_stay(tmp_path):
    run = RunFolder(str(tmp_path), 1, True, get_logger())
    with_buffer(run, 1)
    (tmp_path / "buffer" / "notes.txt").write_text("mine")
    (tmp_path / "buffer" / "0-2-aaaaaaaaaaaa.npz").write_text("mine")
    [ours] = manifest.read(str(tmp_path / "1"))["buffer"]
    run.buffer_files.files = []  # as a run that began anew: it writes its own
    with_buffer(run, 2)
    names = set(os.listdir(tmp_path / "buffer"))
    assert {"notes.txt", "0-2-aaaaaaaaaaaa.npz"} < names and len(names) == 3
    assert steps(tmp_path) == [2]


def test_a_manifest_names_files_of_its_buffer_only(tmp_path, mine, capsys):
    run = RunFolder(str(tmp_path / "run"), 1, True, get_logger())
    with_buffer(run, 1)
    [entry] = manifest.read(str(tmp_path / "run" / "1"))["buffer"]
    forged(tmp_path / "run" / "1", buffer=[{**entry, "name": "../../mine/a.txt"}])
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        checkpoints.step_to_resume(str(tmp_path / "run"), 0)
    assert "no name of a file" in capsys.readouterr().err
    with_buffer(run, 2)
    untouched(mine)


# One process --------------------------------------------------------------------------

HOLD = (
    "import sys; from wqmix.storage import folders\n"
    "lock = folders.hold(sys.argv[1]); print(flush=True); input()"
)


def test_two_processes_never_share_a_folder(tmp_path):
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **pipes) as other:
        other.stdout.readline()
        with pytest.raises(CheckpointError, match="another run uses it"):
            saving(tmp_path, 1)
        with pytest.raises(CheckpointError, match="another run uses it"):
            run = RunFolder(str(tmp_path), 5, False, get_logger())
            run.save_evidence(Learner(), 1, {})
        other.communicate(b"\n")
    saving(tmp_path, 1)


def test_a_lock_that_was_removed_is_taken_anew(tmp_path):
    run = saving(tmp_path, 1)
    (tmp_path / ".lock").unlink()
    run.save(Learner(), 2, {}, None)
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    done = subprocess.run(words, input=b"\n", capture_output=True)
    assert b"another run uses it" in done.stderr


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, capsys):
    def none(*_):
        raise OSError(38, "Function not implemented")

    fake = SimpleNamespace(lockf=none, LOCK_EX=2, LOCK_NB=4)
    monkeypatch.setattr(checkpoints.folders, "fcntl", fake)
    saving(tmp_path, 1, 2)
    assert capsys.readouterr().err.count("cannot be locked on this file system") == 1


def test_a_folder_that_is_removed_meanwhile(tmp_path):
    run = saving(tmp_path / "run", 1)
    os.rename(tmp_path / "run", tmp_path / "gone")
    run.save(Learner(), 2, {}, None)
    assert steps(tmp_path / "run") == [2] and Path(tmp_path, "run", ".lock").exists()
