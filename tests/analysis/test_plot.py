"""`wqmix plot`: a metric as characters, or a PNG."""

from __future__ import annotations

from wqmix.analysis import plot
from wqmix.analysis.runs import read_all

from .folders_of_runs import write_run


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
    assert lines[-1] == "  o qmix, 3s5z (1 runs)"
    assert "1,000 steps" in lines[-2]


def test_the_median_is_of_the_runs_that_came_so_far(tmp_path):
    for seed, top in enumerate((10.0, 20.0, 60.0)):
        end = 200 if seed == 2 else 100
        write_run(tmp_path / str(seed), seed=seed, values=(0, top), steps=(0, end))
    ((_, steps, values),) = plot.medians(read_all([str(tmp_path)], "test_return_mean"))
    assert steps.tolist() == [0, 100, 200]
    assert values.tolist() == [0, 20, 60]  # of 10, 20, 30; then of 60 alone


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


def test_mistakes_are_one_line(tmp_path, capsys):
    assert plot.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
