"""Skirmish: the batch contract, the rules by hand, and battles that SMAClite played.

`python -m tests.host.envs.smaclite_twin` recorded the latter; with `WQMIX_SMACLITE`, a
folder that holds a clone of uoe-agents/smaclite, it plays along at every step instead.
"""

import numpy as np
import pytest

from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.envs.skirmish import maps, picture, scenario
from wqmix.host.errors import HostError

from .smaclite_twin import GAP, RECORDED, Twin, gaps, read

pytest.importorskip("numba")
# One worker: the first test there compiles the kernel for all.
pytestmark = pytest.mark.xdist_group("skirmish")
NOOP, STOP, NORTH, SOUTH, EAST, WEST, FIRST = range(7)
SIZES = {  # agents, enemies, actions, observation, state, SMAC's limit
    "2s3z": (5, 5, 11, 80, 120, 120),
    "3s5z": (8, 8, 14, 128, 216, 150),
    "1c3s5z": (9, 9, 15, 162, 270, 180),
    "MMM": (10, 10, 16, 160, 290, 150),
    "MMM2": (10, 12, 18, 176, 322, 180),
    "corridor": (6, 24, 30, 156, 282, 400),
}


def make(n_copies=1, **env_args):
    return envs.BATCH_REGISTRY["skirmish"](n_copies, **{"seed": 1, **env_args})


def at_random(seed):
    rng = np.random.default_rng(seed)
    return lambda avail: (rng.random(avail.shape) * avail).argmax(axis=2)


def play(batch, choose):
    """Until all copies are over; rewards by step, and the last info."""
    batch.reset()
    rewards, over, infos = [], np.zeros(batch.n_copies, dtype=bool), {}
    while not over.all():
        playing = ~over
        reward, over, info = batch.step(choose(batch.get_avail_actions()))
        assert not reward[~playing].any(), "an ended copy is paid nothing"
        rewards.append(reward)
        for key, value in info.items():
            infos.setdefault(key, value.copy())[playing] = value[playing]
    return np.array(rewards), infos


# What an environment must do --------------------------------------------------------


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_smac_s(name):
    batch = make(map_name=name)
    enemies = len(batch.field.enemies)
    found = (batch.n_agents, enemies, batch.n_actions, batch.obs_size)
    assert (*found, batch.state_size, batch.episode_limit) == SIZES[name]


def test_the_single_game_passes_the_checker():
    single = lambda: envs.REGISTRY["skirmish"](seed=1)  # noqa: E731
    assert contract.check(single, 1, seconds=0).findings == []


def test_the_seed_decides_and_a_state_carries_over():
    first, second, third = make(3), make(3), make(3, seed=2)
    same = [play(batch, at_random(0))[0] for batch in (first, second, third)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(first._order, third._order)  # all that chance decides
    kept = first.state_dict()
    expected = play(first, at_random(1))[0]
    third.load_state_dict(kept)
    assert np.array_equal(play(third, at_random(1))[0], expected)


def test_copies_are_independent_and_begin_anew_alone():
    batch, rng = make(4), at_random(0)
    batch.reset()
    for _ in range(5):
        batch.step(rng(batch.get_avail_actions()))
    before = batch.units.copy(), batch.get_state().copy()
    batch.reset(np.array([False, True, False, False]))
    kept = [0, 2, 3]
    assert np.array_equal(batch.units[kept], before[0][kept])
    assert np.array_equal(batch.get_state()[kept], before[1][kept])
    assert np.array_equal(batch.units[1], batch._start)


def test_time_ends_a_battle_as_smac_s_does():
    for continuing in (False, True):
        batch = make(time_limit=2, continuing_episode=continuing)
        _, info = play(batch, at_random(0))
        assert not info["battle_won"][0] and info["episode_limit"][0] == continuing


@pytest.mark.parametrize(
    "env_args, part",
    [
        ({"map_name": "2s4z"}, "did you mean '2s3z'?"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"continuing_episode": 1}, "continuing_episode is 1"),
    ],
)
def test_a_mistake_is_one_line(env_args, part):
    with pytest.raises(HostError) as error:
        make(**env_args)
    assert part in str(error.value) and "\n" not in str(error.value)


def test_an_action_that_is_not_available_is_refused():
    batch = make(2)
    batch.reset()
    actions = np.full((2, 5), STOP)
    actions[1, 3] = FIRST
    with pytest.raises(IndexError, match="agent 3 of copy 1: action 6"):
        batch.step(actions)


# The rules, by hand -----------------------------------------------------------------


def test_a_formation_is_a_square_of_touching_rows():
    """Two of radius 0.5 and one of 0.25, 0.05 apart: rows of height 1 and 0.5."""
    places = scenario.formation([0.5, 0.5, 0.25], 10, 20, 1)
    expected = [(9.5, 19.725), (10.55, 19.725), (9.25, 20.525)]
    assert np.allclose(places, expected)
    mirrored = scenario.formation([0.5, 0.5, 0.25], 10, 20, -1)
    assert np.allclose(mirrored, [(20 - x, 40 - y) for x, y in expected])


def test_walls_cover_all_that_is_no_ground():
    for name in maps.read("terrains"):
        ground = maps.ground_named(name)
        covered = np.zeros(ground.shape, dtype=int)
        for x0, y0, x1, y1 in maps.walls_of(ground).astype(int):
            covered[y0:y1, x0:x1] += 1
        assert np.array_equal(covered > 0, ~ground), name


def test_a_move_goes_eight_ticks_at_full_speed():
    """A stalker with nobody near: 8 / 16 s at 4.13 cells a second."""
    batch = make(map_name="2s_vs_1sc")
    batch.reset()
    before = batch.units[0].copy()
    batch.step(np.array([[EAST, STOP]]))
    moved = (batch.units["x"] - before["x"])[0, batch.field.agents]
    assert moved[0] == pytest.approx(4.13 / 2, abs=1e-5) and moved[1] == 0


def test_shields_armour_and_kills_are_paid():
    """13 + 5 by a stalker against a stalker that has 4 shield and 9 health: 4 off the
    shield, 14 - 1 to the rest, of which 9 are there; 10 more for the kill."""
    from wqmix.host.envs.skirmish.kernel import combat

    batch = make()
    batch.reset()
    units, field = batch.units[0], batch.field
    stalker, foe = field.agents[0], field.enemies[0]
    units["shield"][foe], units["health"][foe] = 4, 9
    assert combat.hit(field, units, stalker, foe) == 4 + 9 + 10
    assert units["health"][foe] == 0 and units["shield_wait"][foe] == 10
    assert combat.hit(field, units, stalker, foe) == 0
    units["health"][stalker] = 80
    assert combat.hit(field, units, foe, stalker) == 0  # agents' pain is not paid
    assert units["shield"][stalker] == 80 - 18


def test_all_that_is_paid_in_a_battle_won_is_20():
    """Marines that cannot die, among marines: no shield wins anything back."""
    batch = make(map_name="10m_vs_11m")
    batch.reset()
    field, units = batch.field, batch.units[0]
    units["x"][field.enemies] -= 9
    paid, over = 0.0, [False]
    units["health"][field.agents] = 1e6
    while not over[0]:
        avail = batch.get_avail_actions()
        targets = avail[..., FIRST:].argmax(axis=2) + FIRST
        actions = np.where(avail[..., FIRST:].any(axis=2), targets, STOP)
        reward, over, info = batch.step(actions)
        paid += reward[0]
    assert info["battle_won"][0] and paid == pytest.approx(20, abs=1e-4)


# As SMAClite plays it ---------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_battle(name):
    record = read(name)
    batch = make(map_name=name)
    batch.reset()
    found = [gaps(record, 0, batch)]
    for t, actions in enumerate(record["actions"], start=1):
        batch._chance = Twin.order_of(record["orders"][t - 1])
        reward, _, _ = batch.step(actions[None])
        assert abs(reward[0] - record["reward"][t - 1]) < GAP
        found.append(gaps(record, t, batch))
    worst = {key: max(gap[key] for gap in found) for key in found[0]}
    assert max(worst.values()) < GAP, worst


@pytest.mark.slow
@pytest.mark.parametrize("name", maps.read("maps"))
def test_whole_battles_at_random(name):
    """At every step as SMAClite has it; the episodes end alike."""
    Twin.needed()
    for seed in range(3):
        twin = Twin(name, seed)
        batch = make(map_name=name)
        batch.reset()
        choose, over = at_random(seed), [False]
        while not over[0]:
            assert max(gaps(twin.now(), None, batch).values()) < GAP, name
            actions = choose(batch.get_avail_actions())
            paid, has_ended, has_won = twin.step(actions[0])
            batch._chance = Twin.order_of(twin.orders[-1])
            reward, over, info = batch.step(actions)
            assert abs(reward[0] - paid) < GAP
            assert over[0] == (has_ended or twin.t == batch.episode_limit)
            assert info["battle_won"][0] == has_won


# Its picture ------------------------------------------------------------------------


def colours_at(image, field, unit):
    """The colour in the middle of a unit: the picture leaves out walls at the sides."""
    open_rows = np.flatnonzero(field.ground.any(axis=1))
    open_columns = np.flatnonzero(field.ground.any(axis=0))
    top = min(open_rows[-1] + 2, field.ground.shape[0])
    left = max(open_columns[0] - 1, 0)
    row, column = (top - unit["y"]) * picture.SCALE, (unit["x"] - left) * picture.SCALE
    return tuple(image[int(row), int(column)])


@pytest.mark.parametrize("name", ("2s3z", "corridor", "2s_vs_1sc"))
def test_picture_shows_each_unit_where_it_stands(name):
    batch = make(map_name=name)
    batch.reset()
    image = batch.render()
    for kind, unit in zip(batch.field.kinds, batch.units[0]):
        side = picture.THEIRS if kind["is_enemy"] else picture.OURS
        assert colours_at(image, batch.field, unit) == side
    batch.units["is_there"][0, 0] = False
    gone = colours_at(batch.render(), batch.field, batch.units[0, 0])
    assert gone == picture.GROUND


def test_picture_shows_what_is_left_and_who_shoots():
    batch = make(map_name="MMM")
    batch.reset()

    def has(colour):
        return (batch.render() == colour).all(axis=2).any()

    shots = picture.SHOTS[picture.SINGLE]
    assert not has(picture.LOST) and not has(shots)
    batch.units["health"][0, 1] /= 2
    assert has(picture.LOST)
    marine, enemy = batch.units[0, 1], batch.units[0, 12]
    enemy["x"], enemy["y"] = marine["x"] - 4, marine["y"] - 3  # 5 off, radii 0.75
    marine["target"] = 12
    assert has(shots)
    enemy["y"] -= 2
    assert not has(shots)
