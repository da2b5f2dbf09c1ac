"""Learning on games with a closed form, and the settings that must fail there."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from wqmix import get_runner
from wqmix.analysis import figures
from wqmix.analysis.demos import demo
from wqmix.analysis.demos.payoff_games import tables, train
from wqmix.errors import ConfigError

SHORT = dict(seed=0, t_max=60, batch_size=32, use_cuda=False)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["cw_qmix", "ow_qmix"])
def test_weighted_qmix_solves_the_papers_game(method):
    run = train(method, "paper", seed=0, updates=500)
    assert run.greedy == (0, 0) and run.greedy_return == 8
    assert run.q_star_error < 2.0
    assert run.q_tot.argmax() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "method, settings", [("qmix", {}), ("cw_qmix", dict(weighting="uniform"))]
)
def test_without_weights_the_strong_game_is_lost(method, settings):
    """The monotonic table nearest to it has its maximum elsewhere (docs/theory.md)."""
    run = train(method, "strong", seed=0, updates=500, **settings)
    assert not run.is_solved and run.greedy_return == 0


def test_same_seed_same_tables():
    runs = [train("cw_qmix", "paper", seed=3, updates=20) for _ in range(2)]
    assert np.array_equal(runs[0].q_tot, runs[1].q_tot)
    assert np.array_equal(runs[0].q_star, runs[1].q_star)
    assert runs[0].curve == runs[1].curve
    other = train("cw_qmix", "paper", seed=4, updates=20)
    assert not np.array_equal(runs[0].q_tot, other.q_tot)


def test_three_agents_have_tables_of_three_axes():
    run = train("ow_qmix", "three_agents", seed=0, updates=5)
    assert run.q_tot.shape == run.q_star.shape == (3, 3, 3)


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="alpha is 0: a number within"):
        train("cw_qmix", "paper", seed=0, updates=5, alpha=0)


@pytest.mark.parametrize(
    "argv, message",
    [
        (["--game", "papr"], "--game 'papr' is not one of.*did you mean 'paper'"),
        (["--game", "all", "paper"], "stand alone"),
        (["--seeds", "0"], "whole numbers from 1"),
    ],
)
def test_mistakes_are_one_line(argv, message, capsys, tmp_path):
    assert demo.main([*argv, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1

    assert re.search(message, error)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_demo_prints_tables_and_writes_a_figure(tmp_path, capsys):
    argv = ["--seeds", "1", "--updates", "3", "--jobs", "2", "--out", str(tmp_path)]
    assert demo.main(argv) == 0
    printed = capsys.readouterr().out
    for method in demo.METHODS:
        assert f"{method}: best joint action found by" in printed
    assert printed.count("Q_tot") == 3 and printed.count("Q̂*") == 2
    assert (tmp_path / "paper.png").stat().st_size > 10_000
    rows = (tmp_path / "paper.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4 and rows[0].startswith("game,method,seed,greedy,return")


def test_success_rates_figure(tmp_path):
    rates = {("qmix", "paper"): [True, False], ("cw_qmix", "paper"): [True, True]}
    path = tmp_path / "rates.png"
    figures.draw_success_rates(rates, ["paper"], ["qmix", "cw_qmix"], path)
    assert path.stat().st_size > 5_000


def test_tables_show_what_mixers_saw():
    """With normalised states this game's one state is 0, whatever its number is."""
    with get_runner("plain_qmix", "matrix_game", **SHORT, state_norm=True) as runner:
        runner.run()
        learner = runner.learner
        shown, _, _ = tables(runner, (3, 3))
        learner.mac.init_hidden(1)
        q = learner.mac.forward(runner.buffer[:1], t=0)[0].detach()
        zero = torch.zeros(1, 1, runner.args.state_shape)
        expected = [
            learner.mixer(torch.stack([q[0, a], q[1, b]])[None, None], zero).item()
            for a in range(3)
            for b in range(3)
        ]
    assert shown.ravel() == pytest.approx(expected, abs=1e-5)
