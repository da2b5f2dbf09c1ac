"""The vector runner against the others: the same play, statistics and updates."""

import logging
import os
import signal

import numpy as np
import pytest
import torch as th

from wqmix.host import envs
from wqmix.host import run as host_run
from wqmix.host.config import load_config, parse_command_line
from wqmix.host.envs import MultiAgentEnv
from wqmix.host.errors import EnvError
from wqmix.host.runners import REGISTRY
from wqmix.host.utils.logging import Logger
from wqmix.host.validation import validate

N_COPIES = 5
# Easily caught, so that episodes end at different times.
SMALL_PREY = [
    "env_args.world_shape=[3,3]",
    "env_args.n_agents=3",
    "env_args.n_prey=2",
    "env_args.capture_agents=1",
    "env_args.episode_limit=9",
]


class Setting:
    """A runner with its networks, as a run would have them."""

    def __init__(self, runner, env, *updates, seed=3):
        command = ["--config=qmix", f"--env-config={env}", "with", f"runner={runner}"]
        command += [f"seed={seed}", "use_cuda=False", "runner_log_interval=1", *updates]
        config = validate(load_config(parse_command_line(command)))
        th.manual_seed(seed)
        np.random.seed(seed)
        self.args = host_run.make_args(config, logging.getLogger("test"), run_id=1)
        self.logger = Logger(logging.getLogger("test"))
        self.runner = REGISTRY[runner](args=self.args, logger=self.logger)
        self.buffer, self.learner = host_run.build(self.args, self.logger, self.runner)

    def rollouts(self, *test_modes):
        """The contents of the batches of some rollouts."""
        contents = []
        th.manual_seed(8)
        for test_mode in test_modes:
            data = self.runner.run(test_mode=test_mode).data.transition_data
            contents.append({key: value.clone() for key, value in data.items()})
        return contents


@pytest.fixture
def setting():
    made = []

    def make(*args, **kwargs):
        made.append(Setting(*args, **kwargs))
        return made[-1]

    yield make
    for each in made:
        each.runner.close_env()


def assert_same_play(one, other, *test_modes):
    for ours, theirs in zip(one.rollouts(*test_modes), other.rollouts(*test_modes)):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert ours[key].dtype == theirs[key].dtype
            assert th.equal(ours[key], theirs[key]), key
    assert one.runner.t_env == other.runner.t_env > 0
    assert one.logger.stats == other.logger.stats


def test_in_workers_it_plays_what_the_parallel_runner_plays(setting, monkeypatch):
    monkeypatch.delitem(envs.BATCH_REGISTRY, "predator_prey")
    many = [*SMALL_PREY, f"batch_size_run={N_COPIES}", "test_nepisode=10"]
    vector = setting("vector", "predator_prey", *many)
    parallel = setting("parallel", "predator_prey", *many)
    assert_same_play(vector, parallel, False, False, True, True, False)
    assert {"return_mean", "test_return_mean", "test_ep_length_mean", "epsilon"} <= set(
        vector.logger.stats
    )
    lengths = vector.rollouts(False)[0]["filled"].sum(dim=1)
    assert len(lengths.unique()) > 1, "the episodes should differ in length"


def test_in_this_process_it_plays_what_the_parallel_runner_plays(setting):
    many = ["env_args.game=climbing", f"batch_size_run={N_COPIES}"]
    vector = setting("vector", "matrix_game", *many)
    parallel = setting("parallel", "matrix_game", *many)
    assert_same_play(vector, parallel, False, False, True, False)


def test_one_copy_plays_what_the_episode_runner_plays(setting):
    vector = setting("vector", "predator_prey", *SMALL_PREY, "batch_size_run=1")
    episode = setting("episode", "predator_prey", *SMALL_PREY)
    assert_same_play(vector, episode, False, True, False)


def test_what_it_writes_is_one_whole_episode_for_each_copy(setting):
    many = [*SMALL_PREY, "batch_size_run=40", "env_args.step_reward=0.25"]
    vector = setting("vector", "predator_prey", *many)
    for _ in range(2):
        (played,) = vector.rollouts(False)
        filled = played["filled"][..., 0]
        lengths = filled.sum(dim=1) - 1
        assert lengths.min() < lengths.max() == 9
        steps = th.arange(10) < lengths[:, None]
        assert th.equal(filled, (th.arange(10) <= lengths[:, None]).long())
        for key in ("state", "avail_actions", "obs", "actions", "actions_onehot"):
            assert not played[key][filled == 0].any()
        for key in ("reward", "terminated"):
            assert not played[key][~steps].any()
        # An agent is on the grid at the start; what was chosen was available.
        assert played["state"][:, 0].sum(dim=1).eq(3 + 2).all()
        available = played["avail_actions"].gather(-1, played["actions"])
        assert available[filled == 1].all()
        ended = played["terminated"][..., 0].sum(dim=1)
        assert th.equal(ended[lengths < 9], th.ones_like(ended[lengths < 9]))
        assert not ended[lengths == 9].any(), "time ended these, not the game"
        assert played["reward"][steps].ge(0.25 - 2 * 2).all()
        means = vector.logger.stats
        assert means["ep_length_mean"][-1][1] == pytest.approx(
            lengths.sum().item() / 40
        )
        assert means["return_mean"][-1][1] == pytest.approx(
            played["reward"].sum().item() / 40, abs=1e-5
        )


def test_the_same_seed_plays_the_same(setting):
    many = [*SMALL_PREY, f"batch_size_run={N_COPIES}"]
    one, same, other = (
        setting("vector", "predator_prey", *many, seed=seed) for seed in (3, 3, 4)
    )
    (first,), (again,), (different,) = (
        each.rollouts(False) for each in (one, same, other)
    )
    assert all(th.equal(first[key], again[key]) for key in first)
    assert not th.equal(first["state"][:, 0], different["state"][:, 0])
    assert len({state.numpy().tobytes() for state in first["state"][:, 0]}) > 1


class RecordingLearner:
    def __init__(self):
        self.calls = []

    def train(self, batch, t_env, episode):
        assert batch.batch_size == 6
        self.calls.append(episode)


@pytest.mark.parametrize("training_iters", [1, 2])
def test_as_many_updates_for_each_episode_as_the_episode_runner(
    setting, training_iters
):
    played = {}
    for runner, copies in (("episode", 1), ("vector", 4), ("parallel", 4)):
        updates = [f"batch_size_run={copies}", f"training_iters={training_iters}"]
        own = setting(runner, "matrix_game", "batch_size=6", "buffer_size=8", *updates)
        learner = RecordingLearner()
        for episode in range(0, 20, copies):
            own.buffer.insert_episode_batch(own.runner.run())
            host_run.update(own.args, own.buffer, learner, own.runner, episode)
        played[runner] = learner.calls
    # The 6th episode, number 5, is the first after which 6 are stored.
    every = [number for number in range(5, 20) for _ in range(training_iters)]
    assert played["episode"] == played["vector"] == every
    # PyMARL's parallel runner: one update for each rollout of 4.
    each_rollout = [n for n in (4, 8, 12, 16) for _ in range(training_iters)]
    assert played["parallel"] == each_rollout


@pytest.mark.parametrize("runner, copies", [("episode", 1), ("vector", 4)])
def test_fewer_updates_than_episodes(setting, runner, copies):
    updates = [f"batch_size_run={copies}", "episodes_per_update=3", "training_iters=2"]
    own = setting(runner, "matrix_game", "batch_size=6", "buffer_size=8", *updates)
    learner = RecordingLearner()
    for episode in range(0, 20, copies):
        own.buffer.insert_episode_batch(own.runner.run())
        host_run.update(own.args, own.buffer, learner, own.runner, episode)
    assert learner.calls == [n for n in (5, 8, 11, 14, 17) for _ in range(2)]


class Diary(MultiAgentEnv):
    """A game that tells of its process and seed, and fails when told to."""

    n_agents, episode_limit = 2, 3

    def __init__(self, seed, fail=False):
        self.own_seed, self.fail = seed, fail

    def reset(self):
        self.t = 0

    def step(self, actions):
        self.t += 1
        if self.fail:
            raise RuntimeError("the game is broken")
        info = {"process": os.getpid(), "actions": float(actions[0] * 10 + actions[1])}
        return 0.5, self.t == 3, info

    def get_obs_agent(self, agent_id):
        return np.array([self.own_seed % 1000, agent_id, self.t])

    def get_state(self):
        return np.array([self.own_seed % 1000, self.t])

    def get_avail_agent_actions(self, agent_id):
        return [0, 1, 1]

    def get_obs_size(self):
        return 3

    def get_state_size(self):
        return 2

    def get_total_actions(self):
        return 3


@pytest.fixture
def shared_diary(monkeypatch):
    from wqmix.host.runners.shared_batch import SharedBatch
    from wqmix.host.runners.worker import Limits

    monkeypatch.setitem(envs.REGISTRY, "diary", Diary)
    made = []

    def make(**env_args):
        log = logging.getLogger("test")
        made.append(SharedBatch(3, "diary", env_args, Limits(60, 3), log))
        return made[-1]

    yield make
    for batch in made:
        batch.close()


def test_any_game_is_shared_through_memory(shared_diary):
    batch = shared_diary(seed=1)
    assert batch.get_env_info() == Diary(1).get_env_info()
    batch.reset()
    assert len(set(batch.get_state()[:, 0])) == 3, "each copy has a seed of its own"
    assert batch.get_obs()[:, :, 1].tolist() == [[0, 1]] * 3
    assert batch.get_avail_actions().tolist() == [[[0, 1, 1]] * 2] * 3
    reward, over, info = batch.step(np.array([[1, 2], [2, 1], [2, 2]]))
    assert reward.tolist() == [0.5] * 3 and not over.any()
    assert info["actions"].tolist() == [12, 21, 22]
    assert len({os.getpid(), *info["process"]}) == 4
    assert not info["episode_limit"].any()
    assert batch.get_state()[:, 1].tolist() == [1, 1, 1]


def test_a_shared_copy_that_ended_waits_for_its_reset(shared_diary):
    batch = shared_diary(seed=1)
    actions = np.ones((3, 2), dtype=int)
    batch.reset()
    batch.step(actions)
    batch.reset(np.array([False, True, False]))
    ends = [batch.step(actions) for _ in range(3)]
    assert [end[1].tolist() for end in ends] == [[0, 0, 0], [1, 0, 1], [1, 1, 1]]
    assert [end[0].tolist() for end in ends] == [[0.5] * 3, [0.5] * 3, [0, 0.5, 0]]
    batch.reset(np.array([2]))
    assert batch.get_state()[:, 1].tolist() == [3, 3, 0]
    assert batch.step(actions)[0].tolist() == [0, 0, 0.5]


def test_a_failing_game_is_reported_and_leaves_no_process(shared_diary):
    batch = shared_diary(seed=1, fail=True)
    processes = [worker.process for worker in batch.team.workers]
    batch.reset()
    with pytest.raises(EnvError, match="diary.: step raised .*the game is broken"):
        batch.step(np.ones((3, 2), dtype=int))
    batch.close()
    assert [process.is_alive() for process in processes] == [False] * 3


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_copy_is_replaced_and_its_rollout_played_anew(
    setting, monkeypatch, name
):
    monkeypatch.delitem(envs.BATCH_REGISTRY, "predator_prey")
    many = [*SMALL_PREY, "batch_size_run=3", "worker_timeout=0.5"]
    vector = setting("vector", "predator_prey", *many)
    vector.rollouts(False)
    team, t_env = vector.runner.env.team, vector.runner.t_env
    os.kill(team.workers[2].process.pid, name)
    (played,) = vector.rollouts(False)
    assert team.n_restarts == [0, 0, 1]
    filled = played["filled"][..., 0]
    lengths = filled.sum(dim=1) - 1
    assert lengths.min() >= 1
    assert th.equal(filled, (th.arange(10) <= lengths[:, None]).long())
    assert vector.runner.t_env == t_env + lengths.sum()
