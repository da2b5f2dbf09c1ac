"""`football` against a stand-in of gfootball: what is made of the game's numbers."""

import random
import sys

import numpy as np
import pytest

from wqmix.config import reading
from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.envs.football import features, pitch
from wqmix.host.envs.football.game import SCENARIOS_FILE
from wqmix.host.envs.football.rewards import Checkpoints
from wqmix.host.errors import HostError
from wqmix.host.main import main

from ...checkpoints import saved
from . import football_stand_in as stand_in
from .football_stand_in import RIGHT, SHORT_PASS, SHOT

DRAWN = (pitch.GRASS, pitch.OURS, pitch.THEIRS, pitch.CONTROLLED)


@pytest.fixture(autouse=True)
def gfootball(monkeypatch):
    stand_in.install(monkeypatch)


def make(**env_args):
    settings = {"map_name": "academy_3_vs_1_with_keeper", "n_agents": 2, "seed": 1}
    return envs.REGISTRY["football"](**{**settings, **env_args})


def play(env, *joint_actions):
    env.reset()
    return [env.step(np.array(actions)) for actions in joint_actions]


def test_it_keeps_the_contract():
    assert contract.check(make, 3, seconds=0).findings == []
    assert contract.check(lambda: make(observations="simple115"), 1, 0).findings == []


def test_an_observation_is_centred_on_the_agent_s_player():
    """All numbers by hand: the keeper at (-1, y), the striker with the ball at 0.2."""
    env = make()
    _, (_, own) = env.reset()[1], env.get_obs()
    y = env._seen["left_team"][0, 1]
    assert own.dtype == np.float32
    expected = [
        *(0.2, 0, 0.3, 0),  # where it is, and 30 times its step of 0.01
        *(-1.2, y, 0, 0),  # the keeper, from there
        *(0.7, 0.1, 0, -0.6),  # their player
        *(0, 0, 0.01, 0.3, 0, 0.5),  # the ball: a tenth of its height of 0.1
        *(0, 1, 0, 0),  # nobody has it; I; another of us; they
        *(0, 1),  # player 1 of 2
        *[0] * 10,
        *(1, 0, 0, 0, 0, 0, 0),
        1,  # all the time is left
    ]
    assert own == pytest.approx(np.array(expected), abs=1e-6)
    keeper = env.get_obs_agent(0)
    assert keeper[4:8] == pytest.approx([1.2, -y, 0.3, 0], abs=1e-6)
    assert keeper[18:24].tolist() == [0, 0, 1, 0, 1, 0]  # another of us has the ball


def test_the_state_is_nobody_s_view():
    env = make(time_limit=4)
    play(env, [0, RIGHT])
    y = env._seen["left_team"][0, 1]
    expected = [
        *(-1, y, 0.3, 0, 0, 0, 0.3, 0),
        *(0.9, 0.1, 0, -0.6),
        *(0.3, 0, 0.01, 0.3, 0, 0.5),
        *(0, 0, 1, 0),  # nobody, our player 0, our player 1, theirs
        *(1, 0, 0, 1),  # agent 0 has player 0, agent 1 player 1
        *[0] * 10,
        *(0, 0, 0, 0, 1, 0, 0, 0, 0, 0),  # agent 1 goes right
        *(1, 0, 0, 0, 0, 0, 0),
        0.75,
    ]
    assert env.get_state() == pytest.approx(np.array(expected), abs=1e-6)


def test_what_does_nothing_is_masked():
    env = make()
    env.reset()
    release = [14, 15, 18]  # direction, sprint, dribbling: nothing is going on
    slide, passes_and_shot = [16], [9, 10, 11, 12]
    masked = [np.flatnonzero(np.array(mask) == 0) for mask in env.get_avail_actions()]
    assert masked[1].tolist() == sorted(release + slide)
    assert masked[0].tolist() == sorted(release + slide + passes_and_shot)
    env.step([0, RIGHT])
    env.step([0, stand_in.SPRINT])
    env.step([0, stand_in.DRIBBLE])
    assert np.flatnonzero(np.array(env.get_avail_agent_actions(1)) == 0).tolist() == (
        [13, 16, 17]  # it runs, sprints and dribbles already
    )
    free = make(action_masks="none")
    free.reset()
    assert free.get_avail_actions() == [[1] * 19] * 2


def seen_with(**changes):
    env = make()
    env.reset()
    return {**env._seen, **changes}


@pytest.mark.parametrize(
    "team, is_passing, is_sliding", [(-1, 1, 1), (0, 0, 0), (1, 0, 1)]
)
def test_masks_follow_the_ball(team, is_passing, is_sliding):
    """Nobody's: all may try; a shot may be the first touch. Another's: none may."""
    mask = features.masks(seen_with(ball_owned_team=team, ball_owned_player=1))[0]
    assert mask[features.PASSES_AND_SHOT].tolist() == [is_passing] * 4
    assert mask[features.SLIDE] == is_sliding


def test_an_agent_without_a_player_sees_nothing_and_does_nothing():
    seen = seen_with(left_agent_controlled_player=[-1, 1])
    assert not features.centred(seen, 1.0)[0].any()
    assert features.masks(seen)[0].tolist() == [1] + [0] * 18
    assert features.masks(seen)[1].sum() > 10


def test_checkpoints_pay_each_ring_once_and_a_goal_the_rest():
    """Rings are 0.99, 0.901 …, 0.19 from the goal at x = 1."""

    def at(x, player=1, team=0):
        return seen_with(
            ball=np.array([x, 0, 0]), ball_owned_player=player, ball_owned_team=team
        )

    reward = Checkpoints(2)
    reward.begin()
    assert reward.of_step(0, at(0.0)).tolist() == [0, 0]  # 1 away
    assert reward.of_step(0, at(0.2)).tolist() == pytest.approx([0, 0.3])
    assert reward.of_step(0, at(0.2)).tolist() == [0, 0]
    assert reward.of_step(0, at(0.9, team=1)).tolist() == [0, 0]
    assert reward.of_step(0, at(0.02, player=0)).tolist() == pytest.approx([0.1, 0])
    assert reward.of_step(1, at(0.9)).tolist() == pytest.approx([1.9, 1.7])
    assert reward.of_step(-1, at(0.9, team=-1)).tolist() == [-1, -1]
    reward.begin()
    assert reward.of_step(0, at(0.9)).tolist() == pytest.approx([0, 1.0])


@pytest.mark.parametrize(
    "rewards, how, paid",
    [
        ("scoring", "mean", [0, 1]),
        ("scoring", "sum", [0, 2]),
        # The striker is within 0.802 and then 0.28: rings 3 at the start … 9.
        ("scoring,checkpoints", "mean", [0.2, 2 - 0.2]),
        ("scoring,checkpoints", "sum", [0.4, 4 - 0.4]),
    ],
)
def test_the_agents_rewards_become_the_team_s(rewards, how, paid):
    env = make(rewards=rewards, reward_scalarisation=how)
    steps = play(env, *[[0, RIGHT]] * 4, [0, SHOT])
    assert steps[0][0] == pytest.approx(paid[0])
    assert sum(step[0] for step in steps) == pytest.approx(sum(paid))
    _, over, info = steps[-1]
    assert over and info == {
        "scored": True,
        "won": True,
        "goal_difference": 1,
        "out_of_time": False,
        "episode_limit": False,
    }


def test_the_clock_ends_the_game():
    """It is seen by agents and state, so that nothing is bootstrapped from its end."""
    env = make(time_limit=2)
    *_, late = play(env, [0, 0], [0, 0])
    assert late[1] and late[2]["out_of_time"] and not late[2]["scored"]
    assert not late[2]["episode_limit"]
    assert env.get_state()[-1] == 0 and env.get_obs_agent(1)[-1] == 0
    *_, lost = play(env, [0, SHORT_PASS])
    assert lost[1] and not lost[2]["out_of_time"]
    *_, by_itself = play(make(map_name="own"), *[[0, 0]] * 9)
    assert by_itself[1] and by_itself[2]["out_of_time"]


def test_scenarios_have_their_numbers_and_others_are_asked_for():
    env = make(map_name="academy_empty_goal_close", n_agents=None)
    assert (env.n_agents, env.episode_limit) == (1, 150)
    full = make(map_name="11_vs_11_stochastic")
    assert full.episode_limit == 3000
    assert make(map_name="own").episode_limit == 9
    for name, scenario in reading.read_yaml(SCENARIOS_FILE).items():
        assert set(scenario) == {"n_agents", "time_limit"}, name


def test_the_seed_decides_and_nobody_else_s_generator_is_touched():
    before = random.getstate()
    first, second, third = make(), make(), make(seed=2)
    assert first.reset()[1].tolist() == second.reset()[1].tolist()
    assert first.reset()[1].tolist() != third.reset()[1].tolist()
    third.load_state_dict(first.state_dict())
    assert first.reset()[1].tolist() == third.reset()[1].tolist()
    assert random.getstate() == before


@pytest.mark.parametrize(
    "env_args, part",
    [
        ({"map_name": "academy_3_vs_1"}, "did you mean 'academy_3_vs_1_with_keeper'?"),
        ({"map_name": "tests"}, "unknown env_args.map_name of football 'tests'"),
        ({"map_name": "own", "n_agents": None}, "not in config/football.yaml"),
        ({"n_agents": 3}, "has 2 players to control"),
        ({"n_agents": 0}, "n_agents is 0"),
        ({"time_limit": 401}, "ends after 400 steps"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"rewards": "checkpoints"}, "accepted: scoring, scoring,checkpoints"),
        ({"reward_scalarisation": "max"}, "accepted: mean, sum"),
        ({"observations": "pixels"}, "accepted: centred, simple115"),
        ({"action_masks": True}, "accepted: none, useless"),
    ],
)
def test_a_mistake_is_one_line(env_args, part):
    with pytest.raises(HostError) as error:
        make(**env_args)
    assert part in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("absent", ["gfootball", "gfootball.env.config"])
def test_without_gfootball_the_line_says_what_builds_it(monkeypatch, absent, capsys):
    for name in [name for name in sys.modules if name.startswith("gfootball")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, absent, None)
    assert main(["--config=qmix", "--env-config=football"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: env 'football' needs gfootball (")
    assert "`make football`" in line


@pytest.mark.parametrize(
    "words",
    [
        ["runner=episode"],
        ["runner=parallel", "batch_size_run=2"],
        ["runner=vector", "batch_size_run=2"],
    ],
)
def test_it_trains_under_every_runner(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [*words, "t_max=60", "batch_size=2", "test_nepisode=2", "seed=1"]
    words += ["env_args.n_agents=2", "use_cuda=False"]
    assert main(["--config=qmix", "--env-config=football", "with", *words]) == 0
    told = capsys.readouterr().err
    for name in ("scored", "won", "goal_difference"):
        assert f"test_{name}_mean" in told


def test_the_picture_shows_who_is_where():
    image = pitch.picture(seen_with(left_agent_controlled_player=[1]))
    assert image.shape == (pitch.HEIGHT, pitch.WIDTH, 3) and image.dtype == np.uint8

    def at(x, y):
        row = (y / pitch.MARGIN * pitch.WIDTH / pitch.HEIGHT + 1) / 2 * pitch.HEIGHT
        return tuple(image[int(row), int((x / pitch.MARGIN + 1) / 2 * pitch.WIDTH)])

    assert at(0.2, 0.0) == pitch.BALL
    assert at(0.2, 0.020) == pitch.OURS and at(0.2, 0.031) == pitch.CONTROLLED
    assert at(0.9, 0.1) == pitch.THEIRS
    assert at(0.5, 0.3) == pitch.GRASS and at(0.997, 0.3) == pitch.LINE


def test_replay_makes_these_pictures_a_gif(tmp_path, monkeypatch):
    image_of = pytest.importorskip("PIL.Image")
    from wqmix.analysis.watching import replay

    monkeypatch.chdir(tmp_path)
    saved(tmp_path, "football", "qmix", env_args={"n_agents": 2, "time_limit": 3})
    assert replay.main([str(tmp_path / "run"), "--out", "goal.gif"]) == 0
    with image_of.open("goal.gif") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(100000)}
    near = [np.abs(np.array(list(colours)) - each).sum(axis=1).min() for each in DRAWN]
    assert max(near) < 40, "a GIF's palette may shift a colour"
