"""Which algorithms and tasks are shown, under which names, and smoothed curves."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from wqmix.analysis import plot
from wqmix.analysis.choice import Choice, add_options
from wqmix.analysis.compare import cli, drawing, statistics
from wqmix.analysis.compare.scores import compare
from wqmix.analysis.runs import read_all
from wqmix.errors import ConfigError

from .folders_of_runs import write_run

METRIC = "test_return_mean"


@pytest.fixture
def runs(tmp_path):
    """QMIX, and CW-QMIX with two alphas, on two tasks; its folder."""
    number = 0
    for task in ("3s5z", "10m_vs_11m"):
        for name, more in (
            ("qmix", {}),
            ("cw_qmix", {"alpha": 0.1}),
            ("cw_qmix", {"alpha": 0.5}),
        ):
            number += 1
            write_run(tmp_path / "runs" / str(number), name, task, **more)
    return tmp_path / "runs"


def chosen(runs, *words):
    parser = argparse.ArgumentParser()
    add_options(parser)
    choice = Choice.of(parser.parse_args(words))
    return compare(read_all([str(runs)], METRIC), METRIC, 1, choice=choice)


@pytest.mark.parametrize(
    "words, algorithms, tasks",
    [
        ([], ["qmix", "cw_qmix alpha=0.1", "cw_qmix alpha=0.5"], 2),
        (["--only", "cw*"], ["cw_qmix alpha=0.1", "cw_qmix alpha=0.5"], 2),
        (["--only", "qmix", "--only", "3s5z"], ["qmix"], 1),
        (["--without", "* alpha=0.5"], ["qmix", "cw_qmix alpha=0.1"], 2),
        (["--only", "*qmix*", "--without", "qmix", "--without", "10m*"], None, 1),
        (["--rename", "cw_qmix alpha=0.1=CW, α=0.1"], None, 2),
    ],
)
def test_what_is_shown(runs, words, algorithms, tasks):
    found = chosen(runs, *words)
    if algorithms is not None:
        assert found.algorithms == algorithms
    assert len(found.tasks) == tasks
    if words:
        assert found.remarks  # a reader is told
    if "--rename" in words:
        # Its place and its colour are still CW-QMIX's.
        assert found.algorithms == ["qmix", "CW, α=0.1", "cw_qmix alpha=0.5"]
        assert drawing.styles(found)["CW, α=0.1"][0] == "#0072B2"
        assert found.remarks == ["'CW, α=0.1' is 'cw_qmix alpha=0.1'"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--only", "cw_qmx alpha=0.1"], "did you mean 'cw_qmix alpha=0.1'"),
        (["--without", "x"], "--without x: not one of 10m_vs_11m, 3s5z, cw_"),
        (["--only", "qmix", "--without", "qmix"], "leave nothing to show"),
        (["--rename", "qmx=Q"], r"--rename qmx: not one .* \(did you mean 'qmix'"),
        (["--rename", "qmix="], "NAME=NEW is needed"),
        (["--rename", "qmix"], "--rename qmix: not one of"),
        (["--rename", "qmix=cw_qmix alpha=0.1"], "two would be 'cw_qmix alpha=0.1'"),
        (["--smooth", "0"], "--smooth is a whole number from 1"),
    ],
)
def test_mistakes(runs, words, message):
    with pytest.raises(ConfigError, match=message):
        chosen(runs, *words)


def test_two_tasks_of_one_new_name_are_refused_only_where_they_meet(runs):
    assert chosen(runs, "--rename", "3s5z=map").tasks == ["10m_vs_11m", "map"]
    with pytest.raises(ConfigError, match="on 'map'"):
        chosen(runs, "--rename", "3s5z=map", "--rename", "10m_vs_11m=map")


def test_smoothed_curves_by_hand(tmp_path):
    """The mean of each value and two before it; scores are of the values."""
    write_run(tmp_path / "1", values=(0, 3, 6, 9, 0), steps=(0, 10, 20, 30, 40))
    records = read_all([str(tmp_path)], METRIC)
    assert statistics.smoothed(records[0], 3).tolist() == [0, 1.5, 3, 6, 5]
    assert statistics.smoothed(records[0], 99).tolist() == [0, 1.5, 3, 4.5, 3.6]
    assert statistics.smoothed(records[0], 1) is records[0].values
    found = compare(records, METRIC, 1, smooth=3)
    assert found.groups["qmix", "3s5z"].scores.tolist() == [0]
    ((grid, (middle, *_), _),) = statistics.curves(found, statistics.by_steps).values()
    assert np.interp([10, 30, 40], grid, middle).tolist() == [1.5, 6, 5]
    assert "up to 2 before it" in found.remarks[-1]


def test_on_the_command_line(runs, tmp_path, capsys):
    argv = [str(runs), "--only", "3s5z", "--rename", "qmix=baseline", "--smooth", "2"]
    assert plot.main(argv) == 0
    told = capsys.readouterr().out
    assert "baseline, 3s5z (1 run)" in told and "10m" not in told
    pytest.importorskip("rliable")
    assert cli.main([*argv, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "baseline" in told.out and "10m" not in told.out
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<th>baseline</th>" in page and "up to 1 before it" in page
    assert cli.main([*argv, "--only", "zzz", "--out", str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "no").exists()
