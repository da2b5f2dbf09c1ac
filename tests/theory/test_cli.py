"""`wqmix theory` from the outside."""

import sys

import pytest

from wqmix.theory import figures
from wqmix.theory.cli import main
from wqmix.theory.demos import DEMOS
from wqmix.theory.errors import TheoryError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def printed(capsys, *argv):
    assert main(list(argv)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_a_payoff_side_by_side_with_verdicts_thresholds_and_figure(capsys, tmp_path):
    out = printed(capsys, "mild", "--alpha", "0.1")
    lines = out.splitlines()
    assert lines[2].split() == "payoff uniform central optimistic 1".split()
    assert lines[3].split()[:7] == ["8*", "-12", "-12", "-8", "-8", "-8", "8*!"]
    assert "uniform    loss 320, one minimiser, attained: NO, played: NO" in out
    assert "central    loss 64.8, one minimiser, attained: yes, played: yes" in out
    assert "2 minimisers, attained: yes, played: NO" in out
    (row,) = [line for line in lines if line.split()[:2] == ["central", "played"]]
    assert row.split()[2:] == ["NO"] * 4 + ["yes"] * 4 + ["0.13"]
    (row,) = [line for line in lines if line.split()[:2] == ["optimistic", "played"]]
    assert row.endswith("none >= 0.0001")
    assert (tmp_path / "theory_mild.png").read_bytes().startswith(b"\x89PNG")


def test_more_agents_and_an_inline_table(capsys, tmp_path):
    table = "[[[1, 0], [0, 0]], [[0, 0], [0, 2]]]"
    out = printed(capsys, table, "--no-thresholds", "--figure", "new/a.png")
    assert "agent 0 down" in out
    assert "optimal    (1,1,1)" in out
    assert "by alpha" not in out
    assert (tmp_path / "new" / "a.png").is_file()


def test_no_figure(capsys, tmp_path):
    printed(capsys, "paper", "--no-figure", "--no-thresholds")
    assert list(tmp_path.iterdir()) == []


def test_search_prints_a_command_that_shows_the_failure(capsys):
    argv = ["--search", "--weighting", "optimistic", "--count", "30", "--seed", "1"]
    out = printed(capsys, *argv)
    assert "of 30 random 3x3 games" in out
    (command,) = [line for line in out.splitlines() if line.startswith("wqmix theory")]
    table = command.split('"')[1]
    shown = printed(capsys, table, "--no-figure", "--no-thresholds")
    (verdict,) = [li for li in shown.splitlines() if li.startswith("optimistic loss")]
    assert verdict.endswith("played: NO")


def test_search_that_finds_nothing(capsys):
    out = printed(
        capsys, "--search", "--shape", "2x2", "--count", "5", "--criterion", "attained"
    )
    assert "not attained in 0 of 5" in out
    assert "wqmix theory" not in out


def test_thresholds(capsys, tmp_path):
    out = printed(capsys, "--thresholds", "--count", "5", "--shape", "2x2")
    assert "u* attains the maximum at some alpha in 100.0%" in out
    assert (tmp_path / "theory_thresholds_2x2.png").is_file()


def test_demo_and_list(capsys):
    assert "ratio at epsilon 0.1: 6.9" in printed(capsys, "--demo", "property-1")
    listed = printed(capsys, "--list")
    assert all(f"  {name} " in listed for name in list(DEMOS) + ["paper", "climbing"])


def test_help_teaches(capsys):
    assert "wqmix theory paper" in printed(capsys)
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "Eq. 7, OW" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv, words",
    [
        (["papr"], "did you mean 'paper'"),
        (["[[1, 2], [3]]"], "a row is longer"),
        (["[[1, 2]]"], "agent 0 needs at least two actions"),
        (["[1, 2]"], "two agents"),
        (["[[1, .nan], [2, 3]]"], "joint action (0, 1) is nan"),
        (["absent.npy"], "absent.npy: no such file"),
        (["paper", "--alpha", "0"], "alpha must be in (0, 1]"),
        (["paper", "--alpha", "much"], "--alpha"),
        (["paper", "--alhpa", "1"], "--alhpa"),
        (["paper", "--search"], "either a payoff"),
        (["--search", "--demo", "property-1"], "not allowed with"),
        (["--demo", "property1"], "did you mean 'property-1'"),
        (["--search", "--shape", "9x9x9"], "729 joint actions"),
        (["--search", "--shape", "three"], "like 3x3"),
        (["--search", "--shape", "3"], "two agents"),
        (["--search", "--count", "-1"], "must be positive"),
        (["--search", "--seed", "-1"], "--seed must not be negative"),
        (["--search", "--shape", "99999999999x2"], "199,999,999,998 joint actions"),
        (
            [
                "[[1,2,3,4,5],[2,3,4,5,6],[1,1,1,1,1],[2,2,2,2,2],[0,0,0,0,1]]",
                "--local",
            ],
            "14,400 action orders",
        ),
        (["--search", "--weighting", "centre"], "did you mean 'central'"),
        (["--search", "--criterion", "plaid"], "did you mean 'played'"),
        (["--thresholds", "--count", "0"], "must be positive"),
    ],
)
def test_mistakes_are_one_line_and_exit_2(capsys, tmp_path, argv, words):
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1
    assert words in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_figure_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["paper", "--no-thresholds", "--figure", "file/a.png"]) == 2
    assert "cannot write the figure" in capsys.readouterr().err


def test_without_matplotlib_the_figure_is_an_error_only_if_asked_for(
    capsys, monkeypatch
):
    def absent():
        raise TheoryError("figures need matplotlib")

    monkeypatch.setattr(figures, "_pyplot", absent)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = printed(capsys, "paper", "--no-thresholds")
    assert "no figure: matplotlib is not installed" in out
    assert main(["paper", "--no-thresholds", "--figure", "a.png"]) == 2
    assert "figure needs matplotlib: pip install" in capsys.readouterr().err


def test_local_optima_are_listed_by_loss(capsys):
    out = printed(capsys, "paper", "--local", "--no-figure", "--no-thresholds")
    listed = out.split("uniform: 16 local optima\n")[1].splitlines()
    assert listed[0] == "  loss 288       argmax (0,0); agents play (0,0)"
    assert listed[3].startswith("  loss 320       argmax (1,1) (1,2) (2,1) (2,2)")
