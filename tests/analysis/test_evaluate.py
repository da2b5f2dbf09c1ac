"""`wqmix evaluate`: a row for each episode, and what is said of them all."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from wqmix.analysis.watching import evaluate
from wqmix.host import envs

from ..checkpoints import saved


class Counted:
    """Episode k lasts 1 + k % 3 steps, of 3 at most; each pays k; odd ones are won."""

    n_agents, episode_limit = 1, 3

    def __init__(self, seed=None, offset=0):
        self.offset, self.k = offset, -1

    def reset(self):
        self.t, self.k = 0, self.k + 1

    def step(self, actions):
        self.t += 1
        by_time = self.t == 3
        info = {"episode_limit": by_time, "won": self.k % 2 == 1, "return": -1.5}
        return (
            float(self.k + self.offset),
            self.t == 1 + self.k % 3,
            info,
        )

    def get_obs(self):
        return np.full((1, 1), self.t)

    def get_state(self):
        return np.full(1, self.t)

    def get_avail_actions(self):
        return np.ones((1, 2))

    def get_env_info(self):
        sizes = {"n_agents": 1, "n_actions": 2, "obs_shape": 1, "state_shape": 1}
        return {**sizes, "episode_limit": 3}

    def close(self):
        pass


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(envs.REGISTRY, "counted", Counted)
    return saved(tmp_path, "counted", "qmix", env_args={"offset": 0})


TABLE = """\
episode,seed,return,length,ended,won,info_return
0,7,0.0,1,termination,0.0,-1.5
1,7,2.0,2,termination,1.0,-1.5
2,7,6.0,3,time limit,0.0,-1.5
3,7,3.0,1,termination,1.0,-1.5
"""
SAID = """\
return                2.75  95 % interval 0.3 to 5.2
length                1.75  95 % interval 0.8117 to 2.688
ended by         termination 3, time limit 1
won                    0.5  95 % interval 0.15 to 0.85
info_return           -1.5  95 % interval -1.5 to -1.5
"""


def test_a_row_for_each_episode_and_a_summary(path: str, capsys) -> None:
    """m ± 1.96 s / √n by hand: 2.75 ± 1.96 · 2.5 / 2, 1.75 ± 1.96 · 0.9574 / 2."""
    assert evaluate.main([path, "--episodes", "4", "--seed", "7"]) == 0
    assert Path("evaluation.csv").read_text() == TABLE
    first, *said, last = capsys.readouterr().out.splitlines()
    assert first == f"{path} in counted: 4 episodes, greedy, seed 7"
    assert "\n".join(said) + "\n" == SAID and last == "evaluation.csv"


@pytest.mark.parametrize("n", [1, 5])
def test_no_more_episodes_than_asked_for(path: str, n: int) -> None:
    """Of three rollouts of two, the sixth does not count; copies differ by nothing."""
    words = ["with", "runner=vector", "batch_size_run=2"]
    assert evaluate.main([path, "--episodes", str(n), "--out", "t.csv", *words]) == 0
    with open("t.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["return"]) for row in rows] == [0, 0, 2, 2, 6][:n]
    assert [row["ended"] for row in rows].count("time limit") == (n == 5)


def test_settings_of_the_environment_may_be_others(path: str, capsys) -> None:
    words = ["with", "env_args.offset=10"]
    assert evaluate.main([path, "--episodes", "2", *words]) == 0
    assert [line.split(",")[2] for line in lines()] == ["return", "10.0", "22.0"]
    assert evaluate.main([path, "with", "env_args.ofset=10"]) == 2
    assert "did you mean 'env_args.offset'?" in capsys.readouterr().err


def lines() -> list:
    return Path("evaluation.csv").read_text().splitlines()


def test_greedy_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Greedy on the one-step game, all episodes are alike; by chance, they differ."""
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, "matrix_game")
    paid = {}
    for epsilon in ("0", "1"):
        words = ["--episodes", "200", "--epsilon", epsilon, "with", "runner=vector"]
        assert evaluate.main([path, *words, "batch_size_run=50"]) == 0
        paid[epsilon] = [float(line.split(",")[2]) for line in lines()[1:]]
    assert len(set(paid["0"])) == 1 and set(paid["1"]) == {8.0, 0.0, -12.0}
    # 1 of 9 cells pays 8, 4 pay -12; 5 deviations of sqrt(p (1 - p) / 200).
    assert paid["1"].count(8.0) / 200 == pytest.approx(1 / 9, abs=0.11)
    assert paid["1"].count(-12.0) / 200 == pytest.approx(4 / 9, abs=0.18)


@pytest.mark.parametrize(
    "words, part",
    [
        (["nowhere"], "cannot be read"),
        (["PATH", "--episodes", "0"], "at least 1"),
        (["PATH", "--epsilon", "2"], "within [0, 1]"),
        (["PATH", "--seed", "-1"], "seed is -1"),
        (["PATH", "--out", "nowhere/t.csv"], "a folder that exists"),
        (["PATH", "--env-config", "nowhere"], "unknown --env-config"),
        (["PATH", "--env-config", "matrix_game"], "n_agents is 2, was 1"),
        (["PATH", "with", "lr=1"], "'lr' cannot be set here; after `with` can: env_"),
        (["PATH", "with", "env_args.offset"], "not of the form key=value"),
        (["PATH", "with", "runner=episode", "batch_size_run=2"], "the episode runner"),
        (["PATH", "with", "env_args.offset=x"], "a number is needed"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    path: str, words: list, part: str, capsys
) -> None:
    assert evaluate.main([path if word == "PATH" else word for word in words]) == 2
    said = capsys.readouterr().err
    assert part in said and said.count("\n") == 1
    assert not Path("evaluation.csv").exists()


def test_an_environment_that_is_not_registered_here(path: str, monkeypatch, capsys):
    monkeypatch.delitem(envs.REGISTRY, "counted")
    assert evaluate.main([path]) == 2
    said = capsys.readouterr().err
    assert "'counted', which is not registered here: name the environment with" in said


def test_one_s_own_environment_is_named_again(tmp_path: Path, monkeypatch) -> None:
    """By a YAML: `--env-config`, as when it was trained."""
    monkeypatch.chdir(tmp_path)
    entry = f"{__name__}:Counted"
    path = saved(tmp_path, "custom", "qmix", env_args={"entry_point": entry})
    assert evaluate.main([path]) == 2
    again = f"env: custom\nenv_args: {{entry_point: '{entry}', options: {{offset: 1}}}}"
    Path("mine.yaml").write_text(again)
    assert evaluate.main([path, "--episodes", "1", "--env-config", "mine.yaml"]) == 0
    assert lines()[1].startswith("0,0,1.0,1,")
    words = ["with", f"env_args.entry_point={entry}"]
    assert evaluate.main([path, "--episodes", "1", *words]) == 0
    assert lines()[1].startswith("0,0,0.0,1,")


def test_intervals_of_shares() -> None:
    """Wilson's for 8 of 10 and 0 of 5, as tables have them."""
    assert evaluate.share_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert evaluate.share_interval(0, 5) == pytest.approx((0, 0.4345), abs=5e-5)
