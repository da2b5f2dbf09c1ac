from functools import partial

import torch as th
from components.episode_buffer import EpisodeBatch
from envs import REGISTRY as env_REGISTRY


class EpisodeRunner:
    def __init__(self, args, logger):
        self.args, self.t_env = args, 0
        self.envs = self.make_envs(env_REGISTRY[args.env])

    def make_envs(self, env_fn):
        return [env_fn(**self.args.env_args)]

    def setup(self, scheme, groups, preprocess, mac):
        slots = self.get_env_info()["episode_limit"] + 1
        self.mac, self.batch_size = mac, self.args.batch_size_run
        self.new_batch = partial(
            EpisodeBatch, scheme, groups, self.batch_size, slots, preprocess=preprocess
        )

    def get_env_info(self):
        return self.envs[0].get_env_info()

    def close_env(self):
        for env in self.envs:
            env.close()

    @th.no_grad()
    def run(self, test_mode=False):
        batch, t, ended = self.new_batch(), 0, False
        for env in self.envs:
            env.reset()
        self.mac.init_hidden(batch_size=self.batch_size)
        while not ended:
            actions = self.act(batch, t, test_mode)
            stepped = [self.step(env, a) for env, a in zip(self.envs, actions)]
            rewards, ends = zip(*stepped)
            ended = all(ends)
            after = {
                "reward": [(reward,) for reward in rewards],
                "terminated": [(end,) for end in ends],
            }
            batch.update(after, ts=t)
            t += 1
        self.act(batch, t, test_mode)
        self.t_env += 0 if test_mode else t * self.batch_size
        return batch

    def act(self, batch, t, test_mode):
        before = {
            "state": [env.get_state() for env in self.envs],
            "avail_actions": [env.get_avail_actions() for env in self.envs],
            "obs": [env.get_obs() for env in self.envs],
        }
        batch.update(before, ts=t)
        actions = self.select(batch, t, test_mode)
        batch.update({"actions": actions}, ts=t)
        return actions.numpy()

    def select(self, batch, t, test_mode):
        return self.mac.select_actions(
            batch, t_ep=t, t_env=self.t_env, test_mode=test_mode
        )

    def step(self, env, actions):
        reward, terminated, _ = env.step(actions)
        return reward, terminated
