"""Episode and parallel runner: what they write, count, log and leave behind."""

import gc
import multiprocessing
import os
import signal
from functools import partial

import numpy as np
import pytest
import torch as th

from wqmix.host import envs
from wqmix.host.controllers import BasicMAC
from wqmix.host.controllers.acting import acting_copy
from wqmix.host.errors import WorkerError
from wqmix.host.runners import REGISTRY
from wqmix.host.runners.worker import Team, Worker, seeded

from .doubles import CountingEnv, MemoryLogger, make_args, make_batch, make_scheme

pytestmark = pytest.mark.usefixtures("counting")


@pytest.fixture
def make_runner():
    runners = []

    def make(name, **changes):
        args = make_args(runner=name, **changes)
        runner = REGISTRY[name](args=args, logger=MemoryLogger())
        runners.append(runner)
        scheme, groups, preprocess = make_scheme()
        th.manual_seed(0)
        mac = BasicMAC(make_batch().scheme, groups, args)
        runner.setup(scheme=scheme, groups=groups, preprocess=preprocess, mac=mac)
        return runner

    yield make
    for runner in runners:
        runner.close_env()


def check_episode(batch, row, length, number):
    """One row of a batch against what the counting game does in episode `number`."""

    def column(key):
        return batch[key][row].reshape(5, -1)[:, 0].tolist()

    slots = length + 1
    padding = [0] * (5 - slots)
    assert column("filled") == [1] * slots + padding
    assert column("reward") == [t + 1 for t in range(length)] + [0] + padding
    ends = [0] * (length - 1) + [int(length < 4), 0]  # length 4 is the time limit
    assert column("terminated") == ends + padding
    assert column("state") == [10 * number + t for t in range(slots)] + padding
    assert column("obs") == list(range(slots)) + padding
    assert column("avail_actions") == [1 - t % 2 for t in range(slots)] + padding
    chosen = batch["actions_onehot"][row].sum(dim=(1, 2)).tolist()
    assert (
        chosen == [2] * slots + padding
    )  # one action per agent, in the last state too


def test_episode_runner(make_runner):
    runner = make_runner("episode")
    for number in range(4):
        batch = runner.run()
        assert (batch.batch_size, batch.max_seq_length) == (1, 5)
        check_episode(batch, 0, number + 1, number)
    assert runner.t_env == 1 + 2 + 3 + 4


def test_training_statistics(make_runner):
    runner = make_runner("episode", runner_log_interval=5)
    for _ in range(4):
        runner.run()
    stats = runner.logger.stats
    # The first episode at once; then, at step 6, the second and third.
    assert {t for _, t in stats} == {1, 6}
    assert stats["return_mean", 1] == 1
    assert stats["return_mean", 6] == (3 + 6) / 2
    assert stats["return_std", 6] == 1.5
    assert stats["ep_length_mean", 6] == 2.5
    assert stats["limits_mean", 6] == 1
    assert stats["epsilon", 6] == pytest.approx(1 - 0.9 * 3 / 100)
    assert ("name_mean", 6) not in stats


def test_test_statistics(make_runner):
    runner = make_runner("episode")
    for _ in range(3):
        runner.run(test_mode=True)
    assert runner.logger.stats == {}
    runner.run(test_mode=True)
    stats = runner.logger.stats
    assert runner.t_env == 0
    assert stats["test_return_mean", 0] == (1 + 3 + 6 + 10) / 4
    assert stats["test_ep_length_mean", 0] == 2.5
    assert stats["test_episode_limit_mean", 0] == 0.25
    assert ("epsilon", 0) not in stats


def episode_lengths(seed, count):
    """The lengths that a counting game of this seed plays."""
    return [(seed + number) % 4 + 1 for number in range(count)]


def test_parallel_runner(make_runner):
    runner = make_runner("parallel", batch_size_run=3, test_nepisode=7)
    seeds = [args["seed"] for args in seeded({"seed": 0}, 3)]
    assert len(set(seeds)) == 3
    total = 0
    for number in range(2):
        batch = runner.run()
        lengths = [episode_lengths(seed, 2)[number] for seed in seeds]
        for row, length in enumerate(lengths):
            check_episode(batch, row, length, seeds[row] % 4 + number)
        total += sum(lengths)
        assert runner.t_env == total
        assert runner.logger.stats["ep_length_mean", total] == sum(lengths) / 3
    episodes = []  # of each copy, those of the tests' own environments
    for _ in range(3):  # the third is played for one episode only
        assert ("test_return_mean", total) not in runner.logger.stats
        batch = runner.run(test_mode=True)
        episodes += batch["reward"].sum(dim=(1, 2)).tolist()
    assert runner.logger.stats["test_return_mean", total] == np.mean(episodes[:7])
    assert runner.t_env == total


def test_both_runners_play_the_same(make_runner):
    """One worker, with the seed it derives: the episode runner's very batches."""
    [env_args] = seeded({"seed": 0}, 1)
    parallel = make_runner("parallel")
    episode = make_runner("episode", env_args=env_args)
    episode.mac.load_state(parallel.mac)
    played = []
    for runner in (episode, parallel):
        th.manual_seed(5)
        played.append([runner.run(test_mode=mode) for mode in (False, False, True)])
    for one, other in zip(*played):
        for key in one.scheme:
            assert th.equal(one[key], other[key]), key
    assert episode.logger.stats == parallel.logger.stats


def test_rollouts_build_no_graph(make_runner):
    runner = make_runner("episode")
    runner.run()
    assert not runner.mac.hidden_states.requires_grad


def test_a_workers_exception_arrives_with_its_traceback(make_runner):
    runner = make_runner(
        "parallel", batch_size_run=2, env_args={"seed": 0, "fail_at": 0}
    )
    processes = [worker.process for worker in runner.team.workers]
    with pytest.raises(WorkerError) as error:
        runner.run()
    assert "FileNotFoundError: the counting game lost its map" in str(error.value)
    assert "doubles.py" in str(error.value)
    runner.close_env()
    assert not any(process.is_alive() for process in processes)


def test_an_environment_that_cannot_be_made(make_runner):
    with pytest.raises(WorkerError, match="unexpected keyword argument 'nonsense'"):
        make_runner("parallel", env_args={"seed": 0, "nonsense": 1})


def test_a_failure_is_reported_however_late_it_is_asked_for(make_runner):
    """The worker has failed and gone before the parent's next request."""
    runner = make_runner("parallel", env_args={"seed": 0, "fail_at": 0})
    [worker] = runner.team.workers
    worker.send("reset")
    worker.receive()
    worker.send("step", [1, 1])
    worker.process.join(timeout=10)
    worker.send("reset")
    with pytest.raises(WorkerError, match="lost its map"):
        worker.receive()


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_worker_is_replaced_and_the_rollout_played_anew(
    make_runner, caplog, name
):
    runner = make_runner("parallel", batch_size_run=3, worker_timeout=0.5)
    runner.run()
    before, t_env = list(runner.team.workers), runner.t_env
    os.kill(before[1].process.pid, name)
    batch = runner.run()
    lost = "died (exit code -9)" if name == signal.SIGKILL else "did not answer for 0.5"
    [record] = [r.getMessage() for r in caplog.records if "replaced" in r.getMessage()]
    assert f"environment worker 1 {lost}" in record
    assert before[1].process not in multiprocessing.active_children()
    after = runner.team.workers
    assert (after[0], after[2]) == (before[0], before[2]) and after[1] != before[1]
    # The others had begun their second episode: they play their third, all whole.
    filled = batch["filled"].sum(dim=(1, 2)).tolist()
    seeds = [args["seed"] for args in seeded({"seed": 0}, 3)]
    for row in (0, 2):
        length = episode_lengths(seeds[row], 3)[2]
        check_episode(batch, row, length, seeds[row] % 4 + 2)
    key = [0, 1, 1]  # the run's seed, the worker, its first replacement
    seed = int(np.random.SeedSequence(key).generate_state(1)[0])
    check_episode(batch, 1, episode_lengths(seed, 1)[0], seed % 4)
    assert runner.t_env == t_env + sum(filled) - 3


def test_a_worker_lost_between_rollouts_is_replaced_for_its_state_too(make_runner):
    runner = make_runner("parallel", batch_size_run=2)
    os.kill(runner.team.workers[0].process.pid, signal.SIGKILL)
    assert runner.env_states() == [None, None]
    assert runner.team.n_restarts == [1, 0]


def test_too_many_lost_workers_end_the_run(make_runner):
    runner = make_runner("parallel", batch_size_run=2, worker_restarts=2)
    for _ in range(2):
        os.kill(runner.team.workers[1].process.pid, signal.SIGKILL)
        runner.run()
    os.kill(runner.team.workers[1].process.pid, signal.SIGKILL)
    processes = [worker.process for worker in runner.team.workers]
    with pytest.raises(WorkerError, match="worker_restarts=2 were lost within 10 min"):
        runner.run()
    runner.close_env()
    assert not any(process.is_alive() for process in processes)


def test_replacing_workers_leaks_nothing(make_runner):
    runner = make_runner("parallel", batch_size_run=2, worker_restarts=100)
    held = []
    for _ in range(10):
        os.kill(runner.team.workers[0].process.pid, signal.SIGKILL)
        runner.run()
        gc.collect()  # what other tests left open would close at any moment
        held.append(len(os.listdir("/proc/self/fd")))
    assert len(set(held[1:])) == 1, held  # the first one may open what is kept
    assert len(multiprocessing.active_children()) == 2


def test_workers_end_when_their_line_is_cut(make_runner):
    """As it is when the parent process is killed."""
    runner = make_runner("parallel", batch_size_run=2)
    for worker in runner.team.workers:
        worker.conn.close()
    for worker in runner.team.workers:
        worker.process.join(timeout=10)
        assert worker.process.exitcode == 0


def test_closing_twice_is_harmless(make_runner):
    runner = make_runner("parallel", batch_size_run=2)
    processes = [worker.process for worker in runner.team.workers]
    runner.close_env()
    runner.close_env()
    assert [process.exitcode for process in processes] == [0, 0]


def test_the_episode_runner_plays_one_at_a_time(make_runner):
    with pytest.raises(ValueError, match="batch_size_run"):
        make_runner("episode", batch_size_run=2)


@pytest.mark.parametrize("name", ["episode", "parallel"])
def test_a_copy_that_acts_follows_before_each_rollout(name, make_runner):
    """`cpu_inference`: what is learned is another controller, on a GPU say."""
    plain, other = make_runner(name), make_runner(name)
    learned, other.mac = other.mac, acting_copy(other.mac)
    for step in range(3):
        batches = []
        for runner in (plain, other):
            th.manual_seed(step)
            batches.append(runner.run(test_mode=False))
        for key in ("actions", "obs", "reward", "filled"):
            assert th.equal(batches[0][key], batches[1][key])
        with th.no_grad():
            for p, q in zip(plain.mac.parameters(), learned.parameters()):
                q.copy_(p.add_(th.randn_like(p)))
    pairs = zip(learned.parameters(), other.mac.parameters())
    assert not all(th.equal(p, q) for p, q in pairs)  # not before the next rollout


@pytest.mark.parametrize("runner", ["episode", "parallel", "vector"])
def test_an_environment_s_info_stays_apart(make_runner, monkeypatch, runner):
    """Its `return`, `n_episodes`, `ep_length`; and what is no number."""
    own = {"return": 7, "n_episodes": 5, "ep_length": 9, "map": "x", "none": None}
    own["call"] = lambda: 0  # not even to be sent

    def step(self, actions, of_game=CountingEnv.step):
        reward, over, info = of_game(self, actions)
        return reward, over, {**info, **own}

    monkeypatch.setattr(CountingEnv, "step", step)
    made = make_runner(runner)
    made.run()
    stats = {key: value for (key, _), value in made.logger.stats.items()}
    length = stats["ep_length_mean"]
    assert stats["return_mean"] == length * (length + 1) / 2
    assert stats["env_return_mean"] == 7 and stats["env_ep_length_mean"] == 9
    assert stats["env_n_episodes_mean"] == 5 and "none_mean" not in stats


def test_starting_many_workers_says_how_far_it_is(make_runner, caplog, monkeypatch):
    monkeypatch.setattr("wqmix.host.runners.worker._SECONDS_BETWEEN_LINES", 0)
    with caplog.at_level("INFO"):
        make_runner("parallel", batch_size_run=2)
    told = [text for text in caplog.messages if "workers started" in text]
    assert told == [f"{n} of 2 environment workers started" for n in (1, 2)]


@pytest.mark.parametrize("name", ["parallel", "vector"])
def test_more_workers_than_the_machine_has_room_for(make_runner, monkeypatch, name):
    made = []

    def start(self, number, env_args):
        made.append(number)
        if number == 2:
            raise OSError(24, "Too many open files")
        return Worker(partial(CountingEnv, seed=0), number, [], 5)

    monkeypatch.setattr(Team, "_start", start)
    with pytest.raises(WorkerError) as error:
        make_runner(name, batch_size_run=5)
    assert str(error.value) == (
        "2 of 5 environment workers could be started (Too many open files): "
        "use a smaller batch_size_run"
    )
    assert made == [0, 1, 2] and not multiprocessing.active_children()


class OddlySpokenEnv(CountingEnv):
    """Sizes are numpy's integers, and its infos hold all sorts of things."""

    def get_env_info(self):
        return {k: np.int32(size) for k, size in super().get_env_info().items()}

    def step(self, actions):
        reward, over, info = super().step(actions)
        odd = {"text": "x", "list": [1, 2], "none": None, "code": lambda: 0}
        return reward, over, {**info, **odd, "number": np.float32(2), "flag": np.True_}


@pytest.mark.parametrize("name", ["episode", "parallel", "vector"])
def test_of_infos_the_numbers_alone_are_logged(make_runner, monkeypatch, name):
    monkeypatch.setitem(envs.REGISTRY, "counting", OddlySpokenEnv)
    runner = make_runner(name)
    runner.run()
    means = {key: value for (key, _), value in runner.logger.stats.items()}
    assert (means["number_mean"], means["flag_mean"]) == (2, 1)
    assert not {"text_mean", "list_mean", "none_mean", "code_mean"} & set(means)
