"""Many environments, each in a worker process, stepped together."""

import multiprocessing
import signal
import traceback
from functools import partial

import numpy as np
import torch as th

from ..envs import REGISTRY as env_REGISTRY
from ..errors import WorkerError
from .base import Runner

_SECONDS_TO_CLOSE = 5


class ParallelRunner(Runner):
    """Plays `batch_size_run` episodes at once, one in each worker.

    Workers get seeds of their own, derived from `env_args.seed`. They end when they are
    told to, and when this process is gone, however it ended.
    """

    def __init__(self, args, logger):
        super().__init__(args, logger)
        self.workers = []
        try:
            for env_args in _seeded(args.env_args, self.batch_size):
                env_fn = partial(env_REGISTRY[args.env], **env_args)
                inherited = [worker.conn for worker in self.workers]
                self.workers.append(_Worker(env_fn, len(self.workers), inherited))
            self.env_info = self.workers[0].call("get_env_info")
        except BaseException:
            self.close_env()
            raise
        self.episode_limit = self.env_info["episode_limit"]

    def get_env_info(self):
        return self.env_info

    def close_env(self):
        for worker in self.workers:
            worker.ask_to_close()
        for worker in self.workers:
            worker.close()
        self.workers = []

    @th.no_grad()
    def run(self, test_mode=False):
        """Play an episode in each worker; returns their EpisodeBatch.

        Its contents are those that the episode runner would write: an episode's last
        filled slot holds its last state and the actions selected there.
        """
        batch = self.new_batch()
        self._reset(batch)
        self.mac.init_hidden(batch_size=self.batch_size)
        lengths = [0] * self.batch_size
        returns = [0.0] * self.batch_size
        infos = [{}] * self.batch_size
        acting = running = list(range(self.batch_size))
        t = 0
        while True:
            actions = self.mac.select_actions(
                batch, t_ep=t, t_env=self.t_env, bs=acting, test_mode=test_mode
            )
            new_actions = {"actions": actions.unsqueeze(1)}
            batch.update(new_actions, bs=acting, ts=t, mark_filled=False)
            if not running:
                break
            chosen = dict(zip(acting, actions.cpu().numpy()))
            # An episode that ends now still selects actions in its last state.
            acting = running
            steps = self._step({i: chosen[i] for i in acting})
            self._store(batch, acting, steps, t)
            t += 1
            for i, step in zip(acting, steps):
                lengths[i] = t
                returns[i] += step["reward"]
                infos[i] = step["info"]
            running = [i for i, s in zip(acting, steps) if not s["terminated"]]
        self._finish(returns, lengths, infos, test_mode)
        return batch

    def _reset(self, batch):
        for worker in self.workers:
            worker.send("reset")
        first = [worker.receive() for worker in self.workers]
        batch.update(_gather(first, _OBSERVED), ts=0)

    def _step(self, actions):
        for i, action in actions.items():
            self.workers[i].send("step", action)
        return [self.workers[i].receive() for i in actions]

    @staticmethod
    def _store(batch, bs, steps, t):
        """Write a step's outcome at `t`, and what is then observed at `t` + 1."""
        ended = [s["terminated"] and not s["info"].get("episode_limit") for s in steps]
        outcome = {
            "reward": [(s["reward"],) for s in steps],
            "terminated": [(e,) for e in ended],
        }
        batch.update(outcome, bs=bs, ts=t, mark_filled=False)
        batch.update(_gather(steps, _OBSERVED), bs=bs, ts=t + 1)


_OBSERVED = ("state", "avail_actions", "obs")


def _gather(replies, keys):
    return {key: np.stack([reply[key] for reply in replies]) for key in keys}


def _seeded(env_args, count):
    """`count` copies of `env_args` with distinct seeds."""
    seeds = np.random.SeedSequence(env_args["seed"]).generate_state(count)
    return [{**env_args, "seed": int(seed)} for seed in seeds]


class _Worker:
    """A process that plays one environment, and the line to it."""

    def __init__(self, env_fn, number, inherited):
        # Forked where possible: what was registered in this process is there too.
        methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("fork" if "fork" in methods else None)
        self.number = number
        self.conn, remote = context.Pipe()
        if context.get_start_method() == "fork":
            inherited = [*inherited, self.conn]
        else:
            inherited = []
        self.process = context.Process(
            target=_serve, args=(remote, env_fn, inherited), daemon=True
        )
        self.process.start()
        remote.close()

    def send(self, command, data=None):
        try:
            self.conn.send((command, data))
        except OSError:
            self._died()

    def receive(self):
        """The reply; an exception of the worker's is raised here, with its text."""
        try:
            failed, reply = self.conn.recv()
        except (EOFError, OSError):
            self._died()
        if failed:
            raise WorkerError(
                f"environment worker {self.number} failed:\n{reply.rstrip()}"
            )
        return reply

    def call(self, command):
        self.send(command)
        return self.receive()

    def _died(self):
        self.process.join(timeout=1)
        raise WorkerError(
            f"environment worker {self.number} died "
            f"(exit code {self.process.exitcode})"
        )

    def ask_to_close(self):
        try:
            self.conn.send(("close", None))
        except OSError:
            pass  # it is gone already

    def close(self):
        # Unread replies could block it: a closed line ends it in any case.
        self.conn.close()
        self.process.join(timeout=_SECONDS_TO_CLOSE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(conn, env_fn, inherited):
    """The worker's life: make the environment, answer commands, close it."""
    # The parent decides when to stop; a terminal sends its Ctrl-C to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for other in inherited:  # else a line would stay open after the parent's death
        other.close()
    env = None
    try:
        env = env_fn()
        while True:
            command, data = conn.recv()
            if command == "close":
                break
            conn.send((False, _COMMANDS[command](env, data)))
    except (EOFError, OSError):
        pass  # the parent is gone
    except Exception:
        _report(conn, traceback.format_exc())
    finally:
        if env is not None:
            env.close()
        conn.close()


def _report(conn, text):
    try:
        conn.send((True, text))
    except OSError:
        pass  # nobody is left to be told


def _observe(env):
    return {
        "state": np.asarray(env.get_state(), dtype=np.float32),
        "avail_actions": np.asarray(env.get_avail_actions(), dtype=np.int32),
        "obs": np.asarray(env.get_obs(), dtype=np.float32),
    }


def _reset(env, _):
    env.reset()
    return _observe(env)


def _step(env, actions):
    reward, terminated, info = env.step(actions)
    outcome = {"reward": reward, "terminated": terminated, "info": info}
    return {**outcome, **_observe(env)}


_COMMANDS = {
    "reset": _reset,
    "step": _step,
    "get_env_info": lambda env, _: env.get_env_info(),
}
