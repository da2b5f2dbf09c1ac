"""A countable game, a logger that remembers, and small arguments."""

import logging
from types import SimpleNamespace

import numpy as np
import torch as th

from wqmix.host.components.episode_buffer import EpisodeBatch
from wqmix.host.components.transforms import OneHot
from wqmix.host.envs.multiagentenv import MultiAgentEnv

N_AGENTS, N_ACTIONS, STATE, OBS = 2, 3, 4, 5


class CountingEnv(MultiAgentEnv):
    """Episode k of a seed has a known length; every value tells where it came from.

    Lengths repeat 1, 2, 3, 4, beginning at seed modulo 4; the fourth is cut by the time
    limit. The reward of step t (from 0) is t + 1, so that a length L returns
    L (L + 1) / 2. Action 0 is never available at odd steps.
    """

    n_agents, episode_limit = N_AGENTS, 4

    def __init__(self, seed, fail_at=None):
        self._seed = seed
        self.fail_at = fail_at
        self.episode = seed % 4 - 1
        self.closed = False

    def reset(self):
        self.episode += 1
        self.t = 0

    @property
    def length(self):
        return self.episode % 4 + 1

    def step(self, actions):
        avail = self.get_avail_actions()
        assert all(avail[agent][action] for agent, action in enumerate(actions))
        if self.t == self.fail_at:
            raise FileNotFoundError("the counting game lost its map")
        self.t += 1
        over = self.t == self.length
        info = {"limits": 1, "name": "counting"}
        if over:
            info["episode_limit"] = self.t == self.episode_limit
        return self.t, over, info

    def get_state(self):
        return np.full(STATE, 10 * self.episode + self.t, dtype=np.float32)

    def get_obs(self):
        return [np.full(OBS, self.t + agent, np.float32) for agent in range(N_AGENTS)]

    def get_avail_actions(self):
        return [[1 - self.t % 2, 1, 1]] * N_AGENTS

    def get_state_size(self):
        return STATE

    def get_obs_size(self):
        return OBS

    def get_total_actions(self):
        return N_ACTIONS

    def close(self):
        self.closed = True


class MemoryLogger:
    """Keeps (key, t) -> value."""

    def __init__(self):
        self.stats = {}
        self.console_logger = logging.getLogger("tests.host")

    def log_stat(self, key, value, t, to_sacred=True):
        self.stats[key, t] = value


def make_args(**changes):
    """The arguments of a small QMIX on the counting game."""
    args = dict(
        action_selector="epsilon_greedy",
        agent="rnn",
        agent_output_type="q",
        batch_size_run=1,
        device="cpu",
        cpu_inference=False,
        double_q=True,
        env="counting",
        env_args={"seed": 0},
        epsilon_anneal_time=100,
        epsilon_finish=0.1,
        epsilon_start=1.0,
        evaluate=False,
        gain=0.01,
        gamma=0.9,
        grad_norm_clip=10,
        hypernet_embed=6,
        hypernet_layers=2,
        learner_log_interval=1,
        lr=0.01,
        lr_anneal_time=0,
        lr_finish=0,
        mixer="qmix",
        mixer_init_scale=1,
        mixing_embed_dim=3,
        n_actions=N_ACTIONS,
        n_agents=N_AGENTS,
        obs_agent_id=True,
        obs_last_action=True,
        optimizer="rmsprop",
        own_test_env=True,
        optim_alpha=0.99,
        optim_eps=1e-5,
        rnn_hidden_dim=7,
        save_replay=False,
        seed=0,
        runner_log_interval=1,
        standardise_returns=False,
        standardise_rewards=False,
        state_norm=False,
        state_shape=STATE,
        target_update_interval=200,
        target_update_interval_or_tau=0,
        td_lambda=0,
        test_greedy=True,
        test_nepisode=4,
        use_layer_norm=False,
        use_orthogonal=False,
        use_per=False,
        worker_restarts=3,
        worker_timeout=60,
    )
    return SimpleNamespace(**{**args, **changes})


def make_scheme():
    scheme = {
        "state": {"vshape": STATE},
        "obs": {"vshape": OBS, "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": th.long},
        "avail_actions": {"vshape": (N_ACTIONS,), "group": "agents", "dtype": th.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": th.uint8},
    }
    preprocess = {"actions": ("actions_onehot", [OneHot(out_dim=N_ACTIONS)])}
    return scheme, {"agents": N_AGENTS}, preprocess


def make_batch(batch_size=3, slots=5, **changes):
    scheme, groups, preprocess = make_scheme()
    return EpisodeBatch(
        scheme, groups, batch_size, slots, preprocess=preprocess, **changes
    )


def random_batch(generator):
    """Three episodes of 5 slots: one full, one that ends early, one cut by time."""
    batch = make_batch(3, 5)
    for episode, length in enumerate((4, 2, 3)):
        slots = length + 1
        avail = generator.integers(0, 2, (1, slots, N_AGENTS, N_ACTIONS))
        avail[..., 1] = 1
        shape = (1, slots, N_AGENTS, 1)
        ended = np.zeros((1, slots, 1))
        ended[0, length - 1] = episode != 2
        values = {
            "state": generator.normal(size=(1, slots, STATE)),
            "obs": generator.normal(size=(1, slots, N_AGENTS, OBS)),
            "avail_actions": avail,
            "actions": generator.integers(0, N_ACTIONS, shape),
            "reward": generator.normal(size=(1, slots, 1)),
            "terminated": ended,
        }
        batch.update(values, bs=episode, ts=slice(0, slots))
    return batch
