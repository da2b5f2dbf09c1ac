"""EPyMARL (uoe-agents/epymarl): Adam, targets by train steps, standardisation."""

from __future__ import annotations

from .base import HostAdapter, each_steps_or_soft
from .pymarl import SMAC_REMEDY


class EPyMARL(HostAdapter):
    name = "epymarl"
    title = "EPyMARL"
    about = "uoe-agents/epymarl: gymnasium environments, standardised rewards"
    present = (
        "run.py",
        "components/standarize_stream.py",
        "config/algs/qmix.yaml",
    )
    absent = ("run/__init__.py", "components/episodic_memory_buffer.py")
    text = (("run.py", "from learners import"), ("learners/q_learner.py", "Adam"))
    stand_ins = {
        "smaclite": "env=smaclite needs it: https://github.com/uoe-agents/smaclite",
        "smac": SMAC_REMEDY,
        "smac.env": SMAC_REMEDY,
    }
    steps_as_gymnasium = True
    passed_to_envs = ("common_reward", "reward_scalarisation")
    target_update = each_steps_or_soft

    def optimizer(self, config: object) -> str:
        """Its learners know Adam alone."""
        return "adam"
