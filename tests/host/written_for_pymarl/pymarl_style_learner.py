"""A learner as one would write it for PyMARL: top-level imports, its conventions.

It descends from QLearner and counts its updates, and holds every import that a
value-based learner of PyMARL's makes.
"""

import torch as th
from components.action_selectors import REGISTRY as action_REGISTRY
from components.episode_buffer import EpisodeBatch
from components.epsilon_schedules import DecayThenFlatSchedule
from controllers.basic_controller import BasicMAC
from envs.multiagentenv import MultiAgentEnv
from learners.q_learner import QLearner
from modules.agents.rnn_agent import RNNAgent
from modules.mixers.qmix import QMixer
from modules.mixers.vdn import VDNMixer
from runners import REGISTRY as runner_REGISTRY
from utils.logging import Logger

IMPORTED = (
    BasicMAC,
    DecayThenFlatSchedule,
    EpisodeBatch,
    Logger,
    MultiAgentEnv,
    RNNAgent,
    VDNMixer,
    action_REGISTRY,
    QMixer,
    runner_REGISTRY,
)


class CountingLearner(QLearner):
    def __init__(self, mac, scheme, logger, args):
        super().__init__(mac, scheme, logger, args)
        self.n_updates = 0

    def train(self, batch: EpisodeBatch, t_env: int, episode_num: int):
        super().train(batch, t_env, episode_num)
        self.n_updates += 1
        # A tensor, as PyMARL's learners log some.
        self.logger.log_stat("n_updates", th.tensor(float(self.n_updates)), t_env)
