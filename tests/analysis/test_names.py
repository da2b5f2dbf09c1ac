"""Names are whatever a file says: shown everywhere as text, and as nothing else."""

from __future__ import annotations

import csv
import json

import pytest

from wqmix.analysis import figures, plot
from wqmix.analysis.compare import cli
from wqmix.analysis.sweep.table import rows

from .folders_of_runs import write_run

CLEAR = "\x1b[2J\x1b]0;title\x07\u202eab\r"
FORMULA = "=cmd|' /C calc'!A0"
MATH = r"$\frac{$x$"


@pytest.fixture
def odd(tmp_path):
    """Three runs whose names would drive a terminal, a spreadsheet, a typesetter."""
    for number, name in enumerate((CLEAR, FORMULA, MATH)):
        write_run(
            tmp_path / "runs" / str(number),
            name=name,
            task=f"{name} map",
            status=f"{name} status",
        )
    return tmp_path


def is_clean(told):
    return all(c.isprintable() for c in told.replace("\n", ""))


def test_plot_shows_names_as_text(odd, capsys):
    assert plot.main([str(odd / "runs")]) == 0
    told = capsys.readouterr()
    assert is_clean(told.out) and is_clean(told.err)
    assert r"\x1b[2J\x1b]0;title\x07\u202eab\r" in told.out
    assert plot.main([str(odd / "runs"), "--out", str(odd / "a.png")]) == 0


def test_compare_shows_names_as_text(odd, capsys):
    pytest.importorskip("rliable")
    out = odd / "out"
    assert cli.main([str(odd / "runs"), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert is_clean(told.out) and is_clean(told.err)
    page = (out / "report.html").read_text("utf-8")
    assert "\x1b" not in page and "\u202e" not in page
    for path in out.glob("*.csv"):
        with open(path, newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not any(cell.startswith(("=", "@")) for cell in cells)
        assert is_clean("".join(cells))
    with open(out / "runs.csv", newline="", encoding="utf-8") as file:
        names = {row["algorithm"] for row in csv.DictReader(file)}
    assert f"'{FORMULA}" in names and MATH in names
    assert len(json.loads((out / "marl_eval.json").read_text("utf-8"))["sc2"]) == 3


def test_numbers_stay_numbers_in_a_csv(tmp_path):
    path = tmp_path / "a.csv"
    figures.write_rows(path, [{"a": -1.5, "=b": "-1.5"}, {"a": None, "c": "x\ty"}])
    assert path.read_text().splitlines() == ["a,'=b,c", "-1.5,'-1.5,", r",,x\ty"]
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_no_name_is_a_formula_nor_left_out_of_the_legend(tmp_path, monkeypatch):
    """Matplotlib leaves labels with a `_` before them out."""
    pytest.importorskip("rliable")
    from wqmix.analysis.compare import drawing, statistics
    from wqmix.analysis.compare.scores import compare
    from wqmix.analysis.runs import read_all

    for number, name in enumerate(("_mine", MATH)):
        write_run(tmp_path / str(number), name=name)
    found = compare(read_all([str(tmp_path)], "test_return_mean"), "test", 1)
    curves = statistics.curves(found, statistics.by_steps)
    look = drawing.styles(found)
    figure = drawing.curves(found, curves, look, drawing.STEPS)
    (legend,) = figure.legends
    assert [text.get_text().strip() for text in legend.texts] == [MATH, "_mine"]
    assert not any(text.get_parse_math() for text in legend.texts)
    figure.canvas.draw()


def test_a_sweeps_lines_are_text(tmp_path):
    from types import SimpleNamespace

    progress = SimpleNamespace(share=0.5, t_env=1, seconds_left=None)
    run = SimpleNamespace(name=f"lr={CLEAR}")
    each = SimpleNamespace(
        run=run, shown_state="running", progress=progress, attempts=1
    )
    (line,) = rows(SimpleNamespace(watched={"a": each}), 5)
    assert is_clean(line)
