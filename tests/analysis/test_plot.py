"""`wqmix plot`: a metric as characters, or a PNG."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from wqmix.analysis import plot
from wqmix.analysis.compare import cli
from wqmix.analysis.runs import read_all

from .folders_of_runs import write_run

METRIC = "test_return_mean"


def test_a_rising_line_rises(tmp_path, capsys):
    write_run(tmp_path / "1", values=(0.0, 10.0), steps=(0, 1000))
    assert plot.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "test_return_mean"
    rows = [line.split("|")[1] for line in lines if "|" in line]
    assert lines[1].split("|")[0].strip() == "10"
    assert rows[0].rstrip().endswith("o") and rows[-1].startswith("o")
    heights = [
        max(i for i, row in enumerate(rows) if row[column] == "o")
        for column in range(len(rows[0].rstrip()))
    ]
    assert heights == sorted(heights, reverse=True)
    assert lines[-1] == "  o qmix, 3s5z (1 run)"
    assert "1,000 steps" in lines[-2]


def line_of(folder):
    (((name, steps, values, full),),) = plot.medians(
        read_all([str(folder)], METRIC)
    ).values()
    return name, np.interp([0, 50, 100, 150, 200], steps, values), steps[full - 1]


def test_the_median_is_of_the_runs_that_came_so_far(tmp_path):
    for seed, top in enumerate((10.0, 20.0, 60.0)):
        end = 200 if seed == 2 else 100
        write_run(tmp_path / str(seed), seed=seed, values=(0, top), steps=(0, end))
    name, values, last = line_of(tmp_path)
    assert values.tolist() == [0, 10, 20, 45, 60]  # of 10, 20, 30; then of 60 alone
    assert 100 <= last < 103  # up to there all three: thick
    assert name == "qmix, 3s5z (3 runs, fewer after step 100)"


def test_ends_that_differ_a_little_are_no_cliff(tmp_path):
    """As the last test's step does, from run to run."""
    for seed, end in enumerate((199, 200, 198)):
        write_run(tmp_path / str(seed), seed=seed, values=(5, seed), steps=(0, end))
    name, values, last = line_of(tmp_path)
    assert values[-1] == 1 and last == 200 and name == "qmix, 3s5z (3 runs)"


def test_interrupted_runs_of_a_seed_that_was_completed_do_not_count(tmp_path, capsys):
    write_run(tmp_path / "1", values=(0, 90), steps=(0, 100), status="INTERRUPTED")
    write_run(tmp_path / "2", values=(0, 90), steps=(0, 150), status="FAILED")
    write_run(tmp_path / "3", values=(0, 10), steps=(0, 200))
    name, values, _ = line_of(tmp_path)
    assert (name, values[-1]) == ("qmix, 3s5z (1 run)", 10)
    assert "note: 2 runs left out: one counts for each seed" in capsys.readouterr().err


def test_each_task_has_a_panel_and_lines_that_meet_are_shown_in_turns(tmp_path, capsys):
    for number, task in enumerate(("10m_vs_11m", "5m_vs_6m")):
        for name in ("qmix", "vdn"):
            top = 10.0 * (number + 1)
            folder = tmp_path / f"{name}{number}"
            write_run(folder, name, task, values=(0.0, top), steps=(0, 1000))
    assert plot.main([str(tmp_path)]) == 0
    told = capsys.readouterr().out
    first, second = told.rstrip("\n").split("\n\n")
    assert first.startswith("5m_vs_6m: test_return_mean\n        20 |")
    assert second.startswith("10m_vs_11m: test_return_mean\n        10 |")
    for panel in (first, second):
        rows = "".join(r.split("|")[1] for r in panel.splitlines() if "|" in r)
        marks = rows.replace(" ", "")
        assert abs(marks.count("o") - marks.count("x")) <= 12 and "ox" in marks
    assert second.splitlines()[-2:] == [
        "  o qmix, 10m_vs_11m (1 run)",
        "  x vdn, 10m_vs_11m (1 run)",
    ]
    path = tmp_path / "a.png"
    assert plot.main([str(tmp_path), "--out", str(path)]) == 0
    assert path.read_bytes()[:4] == b"\x89PNG"


def test_one_value_and_a_flat_line(tmp_path, capsys):
    write_run(tmp_path / "1", values=(3.0,), steps=(0,))
    assert plot.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("o") > 0


def test_a_png(tmp_path, capsys):
    write_run(tmp_path / "1")
    path = tmp_path / "a.png"
    assert plot.main([str(tmp_path), "--out", str(path)]) == 0
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert plot.main([str(tmp_path), "--out", str(tmp_path / "no" / "a.png")]) == 2
    assert "No such file" in capsys.readouterr().err
    assert plot.main([str(tmp_path), "--out", str(tmp_path / "c.txt")]) == 2
    assert "c.txt: a .png file is needed" in capsys.readouterr().err
    assert not (tmp_path / "c.txt").exists()


def test_mistakes_are_one_line(tmp_path, capsys):
    assert plot.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_run_is_left_out_with_a_note(tmp_path, capsys):
    for seed in range(12):
        folder = write_run(tmp_path / str(seed), seed=seed)
        if seed == 1:
            (folder / "info.json").write_text('{"test_return_me')
        elif seed > 2:
            (folder / "config.json").unlink()
    assert plot.main([str(tmp_path)]) == 0
    told = capsys.readouterr()
    notes = told.err.splitlines()
    whole = "info.json is cut off: what is whole in it was read"
    assert notes[0] == f"note: {tmp_path}/1: {whole}"
    assert notes[-1] == "note: 12 remarks more on single runs: wqmix compare has them"
    assert len(notes) == 9 and "(2 runs)" in told.out


@pytest.mark.parametrize("main", [plot.main, cli.main])
def test_a_fifo_in_place_of_a_file_is_left_out_with_a_note(tmp_path, capsys, main):
    """Nobody writes to it: to read it would wait for ever."""
    write_run(tmp_path / "1")
    folder = write_run(tmp_path / "2", seed=2)
    (folder / "info.json").unlink()
    os.mkfifo(folder / "info.json")
    if main is cli.main:
        pytest.importorskip("rliable")
        assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
        assert "not a regular file" in (tmp_path / "out/report.html").read_text("utf-8")
        return
    assert main([str(tmp_path)]) == 0
    error = capsys.readouterr().err
    assert "2: info.json: cannot be read (not a regular file)" in error


def test_what_it_needs_is_asked_for_before_anything_is_read(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(plot, "read_all", None)
    assert plot.main([str(tmp_path), "--out", str(tmp_path / "a.png")]) == 2
    line = "wqmix plot: --out needs matplotlib: pip install 'matplotlib>="
    assert capsys.readouterr().err.startswith(line)
