"""docs/results/README.md: its table is of the scores, its figures can be drawn."""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
draw_results = pytest.importorskip("draw_results", reason="needs matplotlib")

PAGE = ROOT / "docs" / "results" / "README.md"
# How a row of the table begins → (environment, settings, metric) of its scores.
RETURN, WON = draw_results.RETURN, draw_results.WON
ROWS = {
    "predator–prey, p = −2, 250k": ("predator_prey", "recipe predator_prey", RETURN),
    "predator–prey, p = −2, 1M": ("predator_prey", "as in the paper", RETURN),
    "level-based foraging": ("lbf", "PyMARL's with adam", RETURN),
    "SMAX 2s3z": ("smax 2s3z", "recipe pymarl2/smac", WON),
    "skirmish 2s3z": ("skirmish 2s3z", "recipe pymarl2/smac", WON),
}
COLUMNS = ["QMIX", "QMIX × 0.1", "VDN", "all weights 1", "CW-QMIX", "OW-QMIX"]


def table():
    """The rows of the page's table, cells without their marks."""
    rows = re.findall(r"^\| (.+) \|$", PAGE.read_text("utf-8"), re.M)
    return [[cell.replace("**", "") for cell in row.split(" | ")] for row in rows]


def last_five(tests):
    return statistics.mean(score for _, score in sorted(tests)[-5:])


def test_the_table_is_what_the_scores_say():
    head, *rows = table()
    assert head[2:] == COLUMNS
    found, seen = draw_results.curves(), set()
    for first, _, *cells in rows:
        (begins,) = (each for each in ROWS if first.startswith(each))
        seen.add(begins)
        algorithms = found[ROWS[begins]]
        for algorithm, cell in zip(COLUMNS, cells):
            seeds = algorithms.get(algorithm, {})
            if not seeds:
                assert cell == "–", (first, algorithm)
                continue
            scores = [last_five(seeds[seed]) for seed in sorted(seeds, key=int)]
            told = re.fullmatch(r"([\d.]+) \((.+)\)", cell)
            digits = len(told[1].partition(".")[2])
            expected = [statistics.mean(scores), *scores]
            given = [told[1], *told[2].split(", ")]
            assert len(given) == len(expected)
            for one, other in zip(given, expected):
                assert abs(float(one) - other) <= 0.51 * 10**-digits + 5e-6, cell
    assert seen == set(ROWS)


@pytest.mark.slow
def test_every_figure_is_drawn_from_the_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(draw_results, "FIGURES", tmp_path)
    found = draw_results.curves()
    for name, panels in draw_results.PANELS.items():
        draw_results.draw(name, panels, found)
        assert (tmp_path / f"results_{name}.png").stat().st_size > 10_000
        assert f"figures/results_{name}.png" in PAGE.read_text("utf-8")


def test_scores_are_those_of_the_runs_files(tmp_path, monkeypatch):
    before = draw_results.SCORES.read_bytes()
    monkeypatch.setattr(draw_results, "SCORES", tmp_path / "scores.csv")
    draw_results.collect()
    assert (tmp_path / "scores.csv").read_bytes() == before
