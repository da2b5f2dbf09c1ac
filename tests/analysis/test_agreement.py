"""The comparison of trained runs with the operators."""

from __future__ import annotations

import numpy as np
import pytest

from wqmix.analysis.demos import agreement
from wqmix.analysis.demos.payoff_games import Learned

PAPER = np.array([[8.0, -12, -12], [-12, 0, 0], [-12, 0, 0]])


def learned(greedy, method="cw_qmix", payoff=PAPER):
    return Learned(method, "paper", 0, payoff, None, None, greedy, [])


def test_what_the_operators_play():
    """All three keep the paper's optimum; with -14 the plain projection loses it."""
    assert agreement.played(PAPER, "uniform") == {(0, 0)}
    harsher = np.where(PAPER == -12, -14.0, PAPER)
    assert (0, 0) not in agreement.played(harsher, "uniform")
    assert agreement.played(harsher, "central") == {(0, 0)}


def test_each_of_several_optima_may_be_the_one_weighed():
    payoff = np.array([[1.0, 0], [0, 1]])
    assert agreement.played(payoff, "central") == {(0, 0), (1, 1)}


def test_a_row_counts_agreement_local_optima_and_the_rest():
    """Of uniform weights on the paper's game, (1, 1) is a local optimum, loss 320."""
    runs = [learned(u, "qmix") for u in ((0, 0), (1, 1), (1, 1))]
    row = agreement.row(runs)
    assert row["operator"] == "0,0" and row["learned"] == "0,0 1,1"
    counts = [row[key] for key in ("seeds", "agree", "local", "elsewhere", "solved")]
    assert counts == [3, 1, 2, 0, 1]


def test_a_monotonic_game_has_no_other_optimum():
    payoff = np.array([[0.0, 1, 2], [1, 2, 4], [2, 4, 8]])
    row = agreement.row([learned((0, 0), payoff=payoff)])
    assert row["operator"] == "2,2" and row["elsewhere"] == 1
    assert "0,0" in agreement.table([row]).splitlines()[1]


@pytest.mark.parametrize(
    "argv, line",
    [
        (["--game", "papr"], "did you mean 'paper'"),
        (["--seeds", "0"], "whole numbers from 1"),
    ],
)
def test_mistakes_are_one_line(capsys, argv, line):
    assert agreement.main(argv) == 2
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1


def test_runs_of_the_demo_are_compared(tmp_path, capsys):
    """Its rows: of another algorithm is left out, and (1, 1) is a local optimum."""
    rows = tmp_path / "payoff_games.csv"
    rows.write_text(
        "game,method,seed,greedy,return,best,q_star_error\n"
        "paper,cw_qmix,0,0 0,8.0,8.0,0.1\n"
        "paper,qmix,0,1 1,0.0,8.0,\n"
        "paper,vdn,0,1 1,0.0,8.0,\n"
    )
    out = tmp_path / "out"
    assert agreement.main(["--rows", str(rows), "--out", str(out)]) == 0
    header, *lines = (out / "agreement.csv").read_text().splitlines()
    assert header.split(",")[:2] == ["game", "method"]
    assert [line.split(",")[1] for line in lines] == ["cw_qmix", "qmix"]
    shown = [line.split()[-3:] for line in capsys.readouterr().out.splitlines()[1:3]]
    assert shown == [["1", "0", "0"], ["0", "1", "0"]]


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "game,method,seed,greedy\nnone,qmix,0,0 0\n"]
)
def test_a_file_of_other_rows_is_one_line(tmp_path, capsys, text):
    rows = tmp_path / "rows.csv"
    rows.write_text(text)
    assert agreement.main(["--rows", str(rows)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
