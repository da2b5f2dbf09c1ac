"""Our predator-prey against the published one, step by step, under the same chances.

Needs a checkout of the published Weighted QMIX: a folder in WQMIX_HOSTS that holds it
under the name `wqmix`. Chance is taken from both: each step they are told in which
order agents and prey act and which of its free cells a prey takes.
"""

import importlib.util
import os
import sys
import types

import numpy as np
import pytest
import yaml

from wqmix.host.envs import complete_env_args
from wqmix.host.envs.predator_prey import N_DRAWS, PredatorPreyBatch

ROOT = os.path.join(os.environ.get("WQMIX_HOSTS", ""), "wqmix", "src")
N_COPIES = 8
needs_checkout = pytest.mark.skipif(
    "WQMIX_HOSTS" not in os.environ or not os.path.isdir(ROOT),
    reason="set WQMIX_HOSTS to a folder that holds a checkout named wqmix",
)


class Chance:
    """Stands for `numpy.random` in the published module: says what it was told."""

    def __init__(self):
        self.orders, self.draw = [], 0

    def permutation(self, count):
        order = self.orders.pop(0)
        assert len(order) == count
        return order

    def randint(self, count):
        return self.draw * count // N_DRAWS

    def rand(self):
        return 0.5

    def random_integers(self, low, high, size):
        return np.zeros(size, dtype=int)


class NumpyWith:
    def __init__(self, random):
        self.random = random

    def __getattr__(self, name):
        return getattr(np, name)


def load(monkeypatch, name, *path):
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, *path))
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def published(monkeypatch):
    """The published module, with its chances in our hands."""
    for name in ("envs", "utils", "pygame"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    load(monkeypatch, "envs.multiagentenv", "envs", "multiagentenv.py")
    load(monkeypatch, "utils.dict2namedtuple", "utils", "dict2namedtuple.py")
    module = load(monkeypatch, "stag_hunt", "envs", "stag_hunt", "stag_hunt.py")
    with open(os.path.join(ROOT, "config", "envs", "pred_prey_punish.yaml")) as stream:
        module.settings = yaml.safe_load(stream)["env_args"]
    return module


class Scripted(PredatorPreyBatch):
    """Ours, told the orders and the draws."""

    def _random_order(self, count):
        order = self.orders.pop(0)
        assert order.shape == (self.n_copies, count)
        return (order + np.arange(self.n_copies)[:, None] * count).T.copy()

    def _random_draws(self):
        return np.tile(self.draws, (self.n_prey, 1))


class Theirs:
    """`N_COPIES` published environments that are asked as ours are."""

    def __init__(self, module, settings):
        module.np = np
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                np.random, "random_integers", Chance().random_integers, raising=False
            )
            self.envs = [module.StagHunt(env_args=settings) for _ in range(N_COPIES)]
        self.chance = Chance()
        module.np = NumpyWith(self.chance)

    def place(self, copy, agents, prey):
        env = self.envs[copy]
        columns = env.grid_shape[1]
        env.prey_alive.fill(1)
        env.agents_not_frozen.fill(1)
        env.steps = 0
        env.grid.fill(0)
        for cells, who, plane in ((agents, env.agents, 0), (prey, env.prey, 1)):
            who[:, 0] = np.stack([cells // columns, cells % columns], axis=1)
            env.grid[0, who[:, 0, 0], who[:, 0, 1], plane] = 1

    def step(self, copy, actions, orders, draw):
        self.chance.orders, self.chance.draw = list(orders), draw
        return self.envs[copy].step(actions)


def choose(avail, rng):
    """Available actions, catching as often as not where that is possible."""
    weight = rng.random(avail.shape) * avail
    weight[..., 5] *= 1 + rng.random(avail.shape[:2])
    return weight.argmax(axis=2)


def compare_seen(ours, theirs, copies):
    obs, state, avail = ours.get_obs(), ours.get_state(), ours.get_avail_actions()
    for copy in copies:
        env = theirs.envs[copy]
        np.testing.assert_array_equal(obs[copy], np.stack(env.get_obs()))
        np.testing.assert_array_equal(state[copy], env.get_state())
        np.testing.assert_array_equal(avail[copy], env.get_avail_actions())


def start(ours, theirs, copies, rng):
    area = ours.shape[0] * ours.shape[1]
    for copy in copies:
        cells = rng.permutation(area)[: ours.n_agents + ours.n_prey]
        agents, prey = cells[: ours.n_agents], cells[ours.n_agents :]
        ours.place(np.array([copy]), agents[None], prey[None])
        theirs.place(copy, agents, prey)


GAMES = {
    "paper": (30, {}),
    "no punishment": (10, {"miscapture_punishment": 0}),
    "crowded": (
        60,
        {"world_shape": [4, 4], "n_agents": 5, "n_prey": 4, "episode_limit": 9},
    ),
    "three needed": (
        120,
        {
            "world_shape": [3, 4],
            "n_agents": 6,
            "n_prey": 3,
            "agent_obs": [1, 1],
            "capture_agents": 3,
            "capture_reward": 5,
            "step_reward": -0.25,
            "episode_limit": 14,
        },
    ),
    "one is enough": (
        100,
        {"world_shape": [6, 3], "n_agents": 4, "n_prey": 4, "capture_agents": 1},
    ),
}


def published_settings(module, env_args):
    """Our keys under the published names."""
    return {
        **module.settings,
        "world_shape": env_args["world_shape"],
        "n_agents": env_args["n_agents"],
        "n_stags": env_args["n_prey"],
        "agent_obs": env_args["agent_obs"],
        "episode_limit": env_args["episode_limit"],
        "capture_action_conditions": [env_args["capture_agents"], 1],
        "reward_stag": env_args["capture_reward"],
        "miscapture_punishment": env_args["miscapture_punishment"],
        "reward_time": env_args["step_reward"],
    }


def play(ours, theirs, n_steps, rng):
    """Both through ``n_steps``; how often rewards were positive, negative, the end."""
    start(ours, theirs, range(N_COPIES), rng)
    seen = np.zeros(3, dtype=int)
    everyone = np.arange(N_COPIES)
    for _ in range(n_steps):
        compare_seen(ours, theirs, everyone)
        actions = choose(ours.get_avail_actions(), rng)
        counts = (ours.n_agents, ours.n_prey)
        orders = [
            np.stack([rng.permutation(count) for _ in everyone]) for count in counts
        ]
        ours.orders, ours.draws = list(orders), rng.integers(N_DRAWS, size=N_COPIES)
        rewards, ends, info = ours.step(actions)
        for copy in everyone:
            own_orders = [order[copy] for order in orders]
            reward, end, their_info = theirs.step(
                copy, actions[copy], own_orders, ours.draws[copy]
            )
            assert rewards[copy] == pytest.approx(reward, abs=1e-5)
            assert ends[copy] == end
            assert info["episode_limit"][copy] == their_info["episode_limit"]
        seen += [(rewards > 0).sum(), (rewards < 0).sum(), ends.sum()]
        compare_seen(ours, theirs, np.flatnonzero(ends))
        start(ours, theirs, np.flatnonzero(ends), rng)
    return seen


@needs_checkout
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", GAMES)
def test_every_step_is_the_published_one(published, name, times):
    n_steps, changes = GAMES[name]
    env_args = complete_env_args("predator_prey", {**changes, "seed": 0})
    ours = Scripted(N_COPIES, **env_args)
    theirs = Theirs(published, published_settings(published, env_args))
    captures, punished, ends = play(
        ours, theirs, n_steps * times, np.random.default_rng(times)
    )
    if name not in ("paper", "no punishment"):
        assert captures > 10 and ends > 10, "the play must reach what it compares"
    if name in ("crowded", "three needed"):
        assert punished > 10
    sizes = {"state_shape", "obs_shape", "n_actions", "n_agents", "episode_limit"}
    their_info = theirs.envs[0].get_env_info()
    assert ours.get_env_info() == {key: their_info[key] for key in sizes}


@needs_checkout
def test_defaults_are_the_published_configuration(published):
    ours = complete_env_args("predator_prey", {})
    assert published_settings(published, ours) == published.settings
