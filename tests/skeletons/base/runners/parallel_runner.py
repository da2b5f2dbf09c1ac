from functools import partial
from multiprocessing import Pipe, Process

from .episode_runner import EpisodeRunner


class ParallelRunner(EpisodeRunner):
    def make_envs(self, env_fn):
        copies = range(self.args.batch_size_run)
        return [RemoteEnv(partial(env_fn, **self.args.env_args)) for _ in copies]

    def close_env(self):
        for env in self.envs:
            env.call("close")


class RemoteEnv:
    """An environment in a process of its own."""

    def __init__(self, make):
        self.remote, other = Pipe()
        self.process = Process(target=env_worker, args=(other, make))
        self.process.daemon = True
        self.process.start()

    def call(self, name, *args):
        self.remote.send((name, args))
        return self.remote.recv()

    def __getattr__(self, name):
        return partial(self.call, name)


def env_worker(remote, make):
    env = make()
    while True:
        name, args = remote.recv()
        remote.send(getattr(env, name)(*args))
        if name == "close":
            break
