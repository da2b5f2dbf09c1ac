"""`football` against gfootball itself, where it is built (`make football`)."""

import os
import random
from itertools import zip_longest

import numpy as np
import pytest

from wqmix.config import reading
from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.envs.football import features, pitch
from wqmix.host.envs.football.game import SCENARIOS_FILE, Game, of_episode

gfootball = pytest.importorskip(
    "gfootball.env", reason="gfootball is not built here: `make football`"
)
pytestmark = pytest.mark.slow
THREE = "academy_3_vs_1_with_keeper"


def make(**env_args):
    return envs.REGISTRY["football"](**{"map_name": THREE, "seed": 1, **env_args})


def steps(env, most=60):
    """An episode of random available actions; after each step, all seen and paid."""
    rng, told = np.random.default_rng(0), []
    env.reset()
    for _ in range(most):
        avail = np.array(env.get_avail_actions())
        chosen = (rng.random(avail.shape) * avail).argmax(axis=1)
        reward, over, _ = env.step(chosen)
        told = [*told, reward, *env.get_state(), *np.ravel(env.get_obs())]
        yield told
        if over:
            break


def course(env):
    *_, told = steps(env)
    return told


@pytest.mark.parametrize(
    "env_args",
    [
        {},
        {"observations": "simple115", "action_masks": "none"},
        {"map_name": "academy_empty_goal_close"},
        {"map_name": "11_vs_11_stochastic", "time_limit": 40},
    ],
)
def test_it_keeps_the_contract(env_args):
    found = contract.check(lambda: make(**env_args), 2, seconds=0).findings
    assert found == []


def test_an_episode_follows_from_its_seed():
    """Whatever was played before, in the same engine or another, or a child process."""
    before = random.getstate()
    env = make()
    kept = env.state_dict()
    first, other = course(env), course(env)
    assert first != other
    env.load_state_dict(kept)
    assert course(env) == first
    env.close()
    again = make()  # gfootball hands out the closed one's engine
    assert course(again) == first
    assert random.getstate() == before
    again.load_state_dict(kept)
    child = os.fork()
    if child == 0:
        os._exit(0 if course(again) == first else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_two_games_beside_each_other_do_not_meddle():
    alone = [course(make(seed=seed)) for seed in (1, 2)]
    in_turns = zip_longest(*[steps(make(seed=seed)) for seed in (1, 2)])
    last = [None, None]
    for told in in_turns:
        last = [new or old for new, old in zip(told, last)]
    assert last == alone


def test_rewards_and_simple115_are_those_of_gfootball_s_wrappers():
    """Its own environment beside ours, from the same seeds and actions."""
    ours = make(observations="simple115", reward_scalarisation="sum")
    theirs = gfootball.create_environment(
        env_name=THREE,
        representation="simple115v2",
        rewards="scoring,checkpoints",
        number_of_left_players_agent_controls=3,
        other_config_options=of_episode(0),
    )
    rng, total = np.random.default_rng(3), 0
    for seed in range(12):
        ours._begin(seed)
        theirs.unwrapped._config.update(of_episode(seed))
        assert np.array_equal(theirs.reset(), ours.get_obs())
        over, t = False, 0
        while not over and t < ours.episode_limit:
            # Forward and shoot, mostly: else no ring is passed.
            actions = rng.choice(
                [5, 12, 0, 3, 7, 11], size=3, p=[0.7, 0.1, *[0.05] * 4]
            )
            seen, rewards, over, _ = theirs.step(actions.tolist())
            paid, _, _ = ours.step(actions)
            assert paid == pytest.approx(rewards.sum(), abs=1e-6)
            assert np.array_equal(seen, ours.get_obs())
            total, t = total + paid, t + 1
    assert total > 1


def path(actions, agent):
    """Where all are in a game in which one agent acts; and its masks once they play."""
    game, told = Game(THREE, 3), []
    seen = game.begin(7)
    while seen["ball_owned_team"] != 0:  # a step or two until somebody has the ball
        seen, _, _ = game.step([0, 0, 0])
    mask = features.masks(seen)[agent]
    for action in actions:
        chosen = np.zeros(3, dtype=int)
        chosen[agent] = action
        seen, _, over = game.step(chosen)
        told += [*seen["left_team"].ravel(), *seen["ball"]]
        if over:
            break
    game.close()
    return told, mask


@pytest.mark.parametrize("agent", [0, 2])
def test_masked_actions_change_nothing(agent):
    """Agent 0 has the ball; after a masked action all is where it would have been."""
    still = [0] * 20
    idle, mask = path(still, agent)
    masked = set(np.flatnonzero(mask == 0).tolist())
    expected = {14, 15, 16, 18} | (set() if agent == 0 else {9, 10, 11, 12})
    assert masked == expected
    # Off the ball a slide is seen, but it is their ball that one slides for.
    for action in masked - (set() if agent == 0 else {features.SLIDE}):
        assert path([action, *still], agent)[0][: len(idle)] == idle, action
    assert path([12 if agent == 0 else 5, *still], agent)[0][: len(idle)] != idle


@pytest.mark.parametrize("begun", [features.SPRINT, features.DRIBBLE])
def test_what_goes_on_already_needs_no_second_beginning(begun):
    """To sprint or dribble again, while one does, changes nothing either."""
    once, _ = path([5, begun, 0, *[0] * 10], 0)
    again, _ = path([5, begun, begun, *[0] * 10], 0)
    never, _ = path([5, 0, 0, *[0] * 10], 0)
    assert once == again and once != never


@pytest.mark.parametrize("name", reading.read_yaml(SCENARIOS_FILE))
def test_a_scenario_of_the_table_can_be_played(name):
    env = make(map_name=name)
    env.reset()
    assert not env.step([0] * env.n_agents)[1]
    state, observations = env.get_state(), np.array(env.get_obs())
    assert max(np.abs(state).max(), np.abs(observations).max()) < 3
    assert env.render().shape == (pitch.HEIGHT, pitch.WIDTH, 3)
    env.close()


def test_all_scenarios_are_in_the_table():
    from gfootball.env import scenario_builder

    names = [n for n in scenario_builder.all_scenarios() if not n.startswith("test")]
    assert set(names) == set(reading.read_yaml(SCENARIOS_FILE))
