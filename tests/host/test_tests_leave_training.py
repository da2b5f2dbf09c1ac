"""Tests leave training as it was; so does what an environment does to generators."""

import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch as th

from wqmix.host import envs
from wqmix.host.components.action_selectors import REGISTRY as SELECTORS
from wqmix.host.main import main
from wqmix.host.utils import random_state

from .doubles import CountingEnv, make_args
from .test_main import command, counting_game, run
from .test_resume import RUNNERS, SAVING, final, metrics, own_folder, prey

__all__ = ["counting_game", "own_folder"]  # fixtures
THREE = [name for name in RUNNERS if name != "everything"]
OF_TRAINING = ("loss", "grad_norm", "return_mean", "ep_length_mean", "epsilon")


class DrawingEnv(CountingEnv):
    """Its rewards are drawn from all three global generators."""

    def step(self, actions):
        _, over, info = super().step(actions)
        return random.random() + np.random.random() + th.rand(1).item(), over, info

    def state_dict(self):
        return {"episode": self.episode}

    def load_state_dict(self, state):
        self.episode = state["episode"]


class SeedingEnv(DrawingEnv):
    """As many do, it seeds them all at each reset."""

    def reset(self):
        super().reset()
        random_state.seed_globals(5)


def pairs(*games):
    """Predator-prey with all that can be resumed, other games in each runner."""
    return [(r, "predator_prey") for r in RUNNERS] + list(product(THREE, games))


def drawing(yaml, *settings):
    return command(*SAVING, "test_nepisode=3", *settings, env=yaml)


@pytest.mark.parametrize("runner, game", pairs(DrawingEnv, SeedingEnv))
def test_how_often_tests_are_changes_nothing(runner, game, counting_game, monkeypatch):
    words = prey
    if game != "predator_prey":
        monkeypatch.setitem(envs.REGISTRY, "counting", game)
        words = lambda *settings: drawing(counting_game, *settings)  # noqa: E731
    for name, interval in (("often", 7), ("seldom", 100000)):
        settings = [f"test_interval={interval}", f"local_results_path={name}"]
        assert main(words(*RUNNERS[runner], "t_max=120", *settings)) == 0
    (often, mine), (seldom, theirs) = final("often"), final("seldom")
    states = mine.pop("host.th"), theirs.pop("host.th")
    assert often == seldom and mine == theirs
    for key in ("random", "replay", "exploration", "episodes_added", "episode"):
        assert states[0][key] == states[1][key], key
    for key in OF_TRAINING:
        assert metrics("often")[key] == metrics("seldom")[key], key
    assert len(metrics("often")["test_return_mean"]) > 5


@pytest.mark.parametrize("runner, game", pairs(DrawingEnv))
def test_extended_equals_uninterrupted(runner, game, counting_game, monkeypatch):
    """A run that came to its end, tested, logged and saved there, and goes on."""
    words = prey
    if game != "predator_prey":
        monkeypatch.setitem(envs.REGISTRY, "counting", game)
        words = lambda *settings: drawing(counting_game, *settings)  # noqa: E731
    settings = [*RUNNERS[runner], "test_interval=40"]
    assert main(words(*settings, "t_max=120", "local_results_path=straight")) == 0
    again = [*settings, "auto_resume=True", "local_results_path=extended"]
    for t_max in (65, 120):
        assert main(words(*again, f"t_max={t_max}")) == 0
    assert final("extended") == final("straight")
    assert metrics("extended") == metrics("straight")


@pytest.mark.parametrize("runner", ["episode", "parallel", "vector"])
def test_a_test_has_the_episodes_that_were_asked_for(runner):
    copies = 1 if runner == "episode" else 4
    settings = [f"runner={runner}", f"batch_size_run={copies}", "test_nepisode=7"]
    saved = run("t_max=20", "save_model=True", "seed=1", *settings)[0]
    [models] = Path("results/models").iterdir()
    found = run("evaluate=True", f"checkpoint_path={models}", *settings)[1]
    assert saved and len(found["test_return_mean"]) == 1
    # The greedy returns of a matrix game are all alike.
    assert found["test_return_std"] == [0]


def test_exploration_is_not_the_environments_to_seed():
    args = make_args(epsilon_start=1.0, epsilon_finish=1.0, test_greedy=False)
    selector, twin = (SELECTORS["epsilon_greedy"](args) for _ in range(2))
    utilities, avail = th.zeros(1, 8, 5), th.ones(1, 8, 5)
    chosen = []
    for each in (selector, twin):
        for is_test in (False, True, False, True, False):
            random_state.seed_globals(0)
            picked = each.select_action(utilities, avail, 0, is_test)
            chosen.append(tuple(picked[0].tolist()))
    assert chosen[:5] == chosen[5:] and len(set(chosen)) == 5
    state = selector.state_dict()
    one = selector.select_action(utilities, avail, 0).tolist()
    twin.load_state_dict(state)
    assert twin.select_action(utilities, avail, 0).tolist() == one


def test_the_evaluation_of_another_game_says_so(capsys):
    run("t_max=20", "save_model=True", "seed=1", "env_args.game=paper")
    [models] = Path("results/models").iterdir()
    for words, said in (
        (["env_args.game=paper"], []),
        (
            ["env_args.game=climbing", "gamma=0.5"],
            ["env_args.game is 'climbing', was 'paper'; gamma is 0.5, was 0.99"],
        ),
    ):
        capsys.readouterr()
        run("evaluate=True", "seed=9", f"checkpoint_path={models}", *words)
        lines = capsys.readouterr().err.splitlines()
        found = [line for line in lines if "settings are not the checkpoint's" in line]
        assert [line.partition("checkpoint's: ")[2] for line in found] == said


def test_tests_may_share_an_environment(counting_game, monkeypatch):
    made = []

    class Counted(CountingEnv):
        def __init__(self, **env_args):
            super().__init__(**env_args)
            made.append(env_args["seed"])

    monkeypatch.setitem(envs.REGISTRY, "counting", Counted)
    counts = []
    for setting in ("own_test_env=True", "own_test_env=False"):
        made.clear()
        run("t_max=20", "seed=1", setting, env=counting_game)
        counts.append(len(set(made)))
    assert counts == [2, 1]
