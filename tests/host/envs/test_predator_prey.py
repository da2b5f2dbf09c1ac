"""Predator-prey's rules, each on a drawn position with outcomes counted by hand.

Drawings: letters are agents a, b, c ..., digits prey 1, 2 ..., dots free cells.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wqmix.host.envs import BATCH_REGISTRY, REGISTRY
from wqmix.host.envs.predator_prey import CATCH, DOWN, LEFT, RIGHT, STAY, UP
from wqmix.host.errors import HostError

ONLY_STAY = [0, 0, 0, 0, 1, 0]


def game(drawing, n_copies=1, **env_args):
    """Copies that all start as drawn; the drawing gives all sizes."""
    rows = drawing.split()
    cells = "".join(rows)
    agents = [cells.index(name) for name in sorted(filter(str.isalpha, cells))]
    prey = [cells.index(name) for name in sorted(filter(str.isdigit, cells))]
    env_args = {"agent_obs": [1, 1], "seed": 5, **env_args}
    env = BATCH_REGISTRY["predator_prey"](
        n_copies,
        world_shape=[len(rows), len(rows[0])],
        n_agents=len(agents),
        n_prey=len(prey),
        **env_args,
    )
    copies = np.arange(n_copies)
    env.place(copies, np.tile(agents, (n_copies, 1)), np.tile(prey, (n_copies, 1)))
    return env


def drawings(env):
    """Each copy as text: A for any agent, o for any prey."""
    return [env.render(copy).replace("\n", " ") for copy in range(env.n_copies)]


def step(env, *actions):
    return env.step(np.tile(actions, (env.n_copies, 1)))


def outcomes(drawing, *actions, n_copies=200, **env_args):
    """Every (drawing, reward) that occurs after one step."""
    env = game(drawing, n_copies, **env_args)
    reward, _, _ = step(env, *actions)
    return set(zip(drawings(env), reward.tolist()))


# The prey in the corner is walled in by standing agents, so it stays.
@pytest.mark.parametrize(
    "action, after",
    [(RIGHT, "...A"), (DOWN, "..A."), (LEFT, ".A.."), (UP, "..A."), (STAY, "..A.")],
)
def test_moves(action, after):
    second_row = "..A." if action == DOWN else "...."
    first_row = after if action != DOWN else "...."
    expected = f"{first_row} {second_row} A... oA.."
    assert outcomes("..a. .... c... 1d..", action, STAY, STAY) == {(expected, 0)}


def test_an_occupied_cell_blocks_whoever_is_there():
    # a runs into standing b, c into the prey, d off the grid; the prey has one way out.
    assert outcomes("ab. d.. c1e .f.", RIGHT, STAY, RIGHT, LEFT, STAY, STAY) == {
        ("AA. Ao. A.A .A.", 0)
    }


def test_agents_cannot_swap_and_the_order_of_moves_is_random():
    assert outcomes("ab.. .... c... 1d..", RIGHT, LEFT, STAY, STAY) == {
        ("AA.. .... A... oA..", 0)
    }
    # a follows b only if b moves first.
    assert outcomes("ab.. .... c... 1d..", RIGHT, RIGHT, STAY, STAY) == {
        (".AA. .... A... oA..", 0),
        ("A.A. .... A... oA..", 0),
    }


def test_one_of_two_gets_a_cell_each_as_often():
    env = game("a.b ... c.. 1d.", n_copies=2000)
    step(env, RIGHT, LEFT, STAY, STAY)
    after = drawings(env)
    left_first = after.count(".AA ... A.. oA.")
    assert left_first + after.count("AA. ... A.. oA.") == 2000
    assert abs(left_first - 1000) < 5 * np.sqrt(2000 / 4)


def test_two_catchers_capture_and_leave_with_the_prey():
    env = game("a1b ..c ..2")
    reward, terminated, info = step(env, CATCH, CATCH, STAY)
    assert (reward[0], terminated[0], info["prey_caught"][0]) == (10, False, 1)
    # Only c is left, and the prey below it, which had one free cell to go to.
    assert drawings(env) == ["... ..A .o."]
    assert env.get_avail_actions()[0].tolist() == [
        ONLY_STAY,
        ONLY_STAY,
        [0, 1, 1, 1, 1, 0],
    ]
    assert not env.get_obs()[0, :2].any()
    # What they choose now has no effect.
    reward, _, _ = step(env, CATCH, RIGHT, STAY)
    assert reward[0] == 0 and drawings(env)[0].count("A") == 1


def test_cells_of_those_who_left_are_free():
    env = game("a1bc ...d ..e2")
    step(env, CATCH, CATCH, STAY, STAY, STAY)
    assert drawings(env) == ["...A ...A ..Ao"]
    step(env, STAY, STAY, LEFT, STAY, STAY)
    assert drawings(env) == ["..A. ...A ..Ao"]
    assert env.get_avail_actions()[0, 2].tolist() == [1, 1, 1, 0, 1, 0]


@pytest.mark.parametrize("punishment", [-2, 0, -1.5])
def test_one_catcher_is_punished_and_nobody_leaves(punishment):
    env = game("a1b c.. ...", miscapture_punishment=punishment)
    reward, terminated, info = step(env, CATCH, STAY, STAY)
    assert (reward[0], terminated[0]) == (punishment, False)
    assert (info["prey_caught"][0], info["miscaptures"][0]) == (0, 1)
    # The prey ran to its only free cell.
    assert drawings(env) == ["A.A Ao. ..."]


def test_one_catcher_between_two_prey_pays_for_each():
    assert {reward for _, reward in outcomes("1a2 ... ...", CATCH)} == {-4}


def test_a_catch_beside_no_prey_costs_nothing():
    assert {reward for _, reward in outcomes("a.. ... ..1", CATCH)} == {0}


def test_all_catchers_beside_the_prey_leave_the_idle_one_stays():
    assert outcomes(".a. b1c .d.", CATCH, CATCH, CATCH, STAY) == {("... ... .A.", 10)}
    assert outcomes("a1b .c. ...", CATCH, CATCH, STAY) == {("... .A. ...", 10)}


def test_a_catcher_counts_once_for_whichever_prey_acts_first():
    # b serves a and c alike: the first prey takes it, and the second pays.
    # That one may run where b was, or down.
    assert outcomes("a1b2c .....", CATCH, CATCH, CATCH) == {
        ("..o.A .....", 8),
        ("....A ...o.", 8),
        ("A.o.. .....", 8),
        ("A.... .o...", 8),
    }


def test_diagonal_agents_do_not_catch():
    assert outcomes("a.b .1. c.d", *[CATCH] * 4) == {
        ("AoA ... A.A", 0),
        ("A.A o.. A.A", 0),
        ("A.A ..o A.A", 0),
        ("A.A ... AoA", 0),
    }


def test_prey_takes_each_free_cell_as_often_and_never_stays():
    env = game("... a1. ...", n_copies=3000)
    step(env, STAY)
    after = drawings(env)
    counts = [after.count(c) for c in (".o. A.. ...", "... A.o ...", "... A.. .o.")]
    assert sum(counts) == 3000
    assert all(abs(count - 1000) < 5 * np.sqrt(3000 * 2 / 9) for count in counts)


def test_prey_without_a_free_cell_stays():
    assert outcomes("1a. b.. ...", STAY, STAY) == {("oA. A.. ...", 0)}


def test_the_number_needed_and_the_rewards_are_settings():
    of_three = {"capture_agents": 3, "capture_reward": 7, "step_reward": -0.5}
    three = outcomes(".a. b1c ...", CATCH, CATCH, CATCH, **of_three)
    two = outcomes(".a. b1c ...", CATCH, CATCH, STAY, **of_three)
    assert three == {("... ... ...", 6.5)}
    assert two == {(".A. A.A .o.", -2.5)}


def test_available_actions():
    #           right down left up stay catch
    assert game("a..b ..1c d..e").get_avail_actions()[0].tolist() == [
        [1, 1, 0, 0, 1, 0],
        [0, 1, 1, 0, 1, 0],  # down although c is there
        [0, 1, 1, 1, 1, 1],  # left although the prey is there
        [1, 0, 0, 1, 1, 0],
        [0, 0, 1, 1, 1, 0],
    ]


def test_state_is_row_column_plane():
    state = game("a.1 .2b").get_state()[0]
    agent, prey, free = [1, 0, 0], [0, 1, 0], [0, 0, 0]
    assert state.tolist() == agent + free + prey + free + prey + agent


def test_observation_in_a_corner():
    env = game("a1.. b.2. ....")
    agent, prey, free, beyond = [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]
    assert env.get_obs()[0, 0].tolist() == (
        beyond * 3 + beyond + agent + prey + beyond + agent + free
    )
    assert env.get_obs()[0, 1].tolist() == (
        beyond + agent + prey + beyond + agent + free + beyond + free + free
    )


def test_observation_reaches_as_far_as_it_says():
    env = game("..1 a.. ..b 2..", agent_obs=[0, 2])
    agent, prey, free = [1, 0, 0], [0, 1, 0], [0, 0, 0]
    assert env.get_obs()[0, 0].tolist() == free + free + agent + free + free
    env = game("..1 a.. ..b 2..", agent_obs=[2, 0])
    assert env.get_obs()[0, 0].tolist() == free + free + agent + free + prey
    assert env.obs_size == 15


def test_a_torus_goes_on_over_the_edges():
    env = game("a.. ... b.. c.1", toroidal=True)
    # Right of the prey is c; above a is c, left of a the free corner.
    agent, prey, free = [1, 0, 0], [0, 1, 0], [0, 0, 0]
    assert env.get_obs()[0, 0].tolist() == (
        prey + agent + free + free + agent + free + free * 3
    )
    assert env.get_avail_actions()[0].tolist() == [
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1],
    ]
    reward, _, _ = step(env, LEFT, STAY, CATCH)  # a goes to the corner above the prey
    assert reward[0] == -2
    assert drawings(env)[0].startswith("..A")
    alone = {"toroidal": True, "capture_agents": 1}
    assert outcomes("a.. ... .b. 1..", CATCH, STAY, **alone) == {
        ("... ... .A. ...", 10)
    }


def test_the_end_by_capture_by_leaving_and_by_time():
    _, terminated, info = step(game("a1b c.."), CATCH, CATCH, STAY)
    assert terminated[0] and not info["episode_limit"][0], "no prey is left"
    _, terminated, info = step(game("a1b ... ..2"), CATCH, CATCH)
    assert terminated[0] and not info["episode_limit"][0], "no agent is left"
    env = game("a.. ... ..1", episode_limit=2)
    ends = [step(env, STAY) for _ in range(2)]
    assert [end[1][0] for end in ends] == [False, True]
    assert [end[2]["episode_limit"][0] for end in ends] == [False, True]
    _, terminated, info = step(game("a1b ..2", episode_limit=1), CATCH, CATCH)
    assert terminated[0] and info["episode_limit"][0], "both at once count as time"


def test_an_ended_copy_pays_nothing_until_it_is_reset():
    env = game("a1b ... ..2", n_copies=3, step_reward=-1)
    env.step(np.array([[CATCH, CATCH], [STAY, STAY], [STAY, STAY]]))
    reward, terminated, _ = step(env, STAY, STAY)
    assert reward.tolist() == [0, -1, -1] and terminated.tolist() == [1, 0, 0]
    before = env.get_state().copy()
    env.reset(terminated)
    reward, terminated, _ = step(env, STAY, STAY)
    assert reward.tolist() == [-1, -1, -1] and not terminated.any()
    env.reset(np.array([0]))
    assert not np.array_equal(env.get_state()[0], before[0])


def test_a_reset_touches_only_the_named_copies():
    env = BATCH_REGISTRY["predator_prey"](4, seed=3)
    before = env.get_state().copy()
    env.reset(np.array([False, True, False, False]))
    same = (env.get_state() == before).all(axis=1)
    assert same.tolist() == [True, False, True, True]


def test_everybody_starts_on_a_cell_of_their_own_anywhere():
    env = BATCH_REGISTRY["predator_prey"](
        3000, world_shape=[2, 3], n_agents=1, n_prey=2, seed=0
    )
    planes = env.get_state().reshape(3000, 6, 3)
    assert (planes.sum(axis=1) == [1, 2, 0]).all() and planes.sum(axis=2).max() == 1
    spread = 5 * np.sqrt(3000 * 5 / 36)
    assert (np.abs(planes[..., 0].sum(axis=0) - 500) < spread).all()
    assert (np.abs(planes[..., 1].sum(axis=0) - 1000) < 2 * spread).all()


def rollout(seed, n_steps=30):
    env = BATCH_REGISTRY["predator_prey"](3, seed=seed)
    rng = np.random.default_rng(1)
    states = [env.get_state().copy()]
    for _ in range(n_steps):
        env.step(rng.integers(6, size=(3, 8)))
        states.append(env.get_state().copy())
    return np.stack(states)


def test_the_seed_decides_everything_and_numpy_s_own_state_nothing():
    np.random.seed(0)
    first = rollout(7)
    known = np.random.get_state()[1].copy()
    second = rollout(7)
    assert np.array_equal(first, second)
    assert np.array_equal(np.random.get_state()[1], known)
    assert not np.array_equal(first, rollout(8))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 10**6))
def test_play_conserves_what_the_rules_conserve(data, seed):
    """Whatever is played: nobody vanishes, doubles or is paid but by the rules."""
    shape = [data.draw(st.integers(1, 5)), data.draw(st.integers(2, 5))]
    n_agents = data.draw(st.integers(1, shape[0] * shape[1] - 1))
    n_prey = data.draw(st.integers(1, shape[0] * shape[1] - n_agents))
    env = BATCH_REGISTRY["predator_prey"](
        5, world_shape=shape, n_agents=n_agents, n_prey=n_prey, seed=seed
    )
    rng = np.random.default_rng(seed)
    ended, total = np.zeros(5, dtype=bool), np.zeros(5)
    for _ in range(20):
        avail = env.get_avail_actions()
        reward, terminated, info = env.step((rng.random(avail.shape) * avail).argmax(2))
        total[~ended] += reward[~ended]
        live, ended = ~ended, terminated
        planes = env.get_state().reshape(5, -1, 3)[live]
        caught, missed = info["prey_caught"][live], info["miscaptures"][live]
        assert planes.sum(axis=2).max() <= 1 and not planes[..., 2].any()
        assert (planes[..., 1].sum(axis=1) == n_prey - caught).all()
        agents_here = planes[..., 0].sum(axis=1)
        assert (agents_here <= n_agents - 2 * caught).all()
        assert (agents_here >= n_agents - 4 * caught).all()
        assert (total[live] == 10 * caught - 2 * missed).all()
        only_stay = (env.get_avail_actions()[live] == ONLY_STAY).all(axis=2).sum(axis=1)
        assert (only_stay >= n_agents - agents_here).all()
        if terminated.all():
            return


@pytest.mark.parametrize(
    "env_args, message",
    [
        ({"n_agents": -3}, "n_agents is -3"),
        ({"n_prey": 0}, "n_prey is 0"),
        ({"n_agents": 2.5}, "n_agents is 2.5"),
        ({"n_agents": True}, "n_agents is True"),
        ({"world_shape": [10]}, "world_shape is [10]"),
        ({"world_shape": [3, -4]}, "world_shape[1] is -4"),
        ({"world_shape": [3, 5]}, "15 cells"),
        ({"world_shape": [2, 20], "toroidal": True}, "3 rows"),
        ({"toroidal": 1}, "toroidal is 1"),
        ({"agent_obs": [-1, 2]}, "agent_obs[0] is -1"),
        ({"episode_limit": "200"}, "episode_limit is '200'"),
        ({"capture_agents": 0}, "capture_agents is 0"),
        ({"capture_reward": float("nan")}, "capture_reward is nan"),
        ({"miscapture_punishment": "-2"}, "miscapture_punishment is '-2'"),
        ({"seed": -1}, "seed is -1"),
        ({"n_agnts": 3}, "did you mean 'n_agents'?"),
    ],
)
def test_impossible_settings_are_one_clear_line(env_args, message):
    with pytest.raises(HostError) as error:
        REGISTRY["predator_prey"](**env_args)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("action", [-1, 6])
def test_an_action_that_does_not_exist_is_refused(action):
    with pytest.raises(IndexError):
        step(game("a.. ..1"), action)
