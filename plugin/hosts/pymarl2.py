"""PyMARL2 (hijkzzz/pymarl2): n_mac, TD(λ), Adam, prioritised replay."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ...errors import ConfigError
from .base import (
    NMIX_AND_VDN,
    Config,
    HostAdapter,
    Mixer,
    adam_or_rmsprop,
    adam_weight_decay,
)
from .pymarl import SMAC_REMEDY

QATTEN = Mixer("modules.mixers.qatten", "QattenMixer")


class PyMARL2(HostAdapter):
    name = "pymarl2"
    title = "PyMARL2"
    about = "hijkzzz/pymarl2: TD(lambda), Adam, prioritised replay"
    present = ("run/__init__.py", "learners/nq_learner.py", "config/algs/qmix.yaml")
    absent = ("controllers/hpn_controller.py",)
    text = (("run/__init__.py", "REGISTRY"),)
    fallbacks = {"double_q": True}
    mixers = {**NMIX_AND_VDN, "qatten": QATTEN}
    stand_ins = {
        "smac": SMAC_REMEDY,
        "smac.env": SMAC_REMEDY,
        "pysc2": "StarCraft needs it: pip install pysc2",
        "pygame": "its stag_hunt draws with it: pip install pygame",
        "matplotlib": "the host imports it without using it: pip install matplotlib",
        "matplotlib.pyplot": "the host imports it without using it",
    }
    replaced = {"envs.starcraft": ("pysc2", "smac")}
    optimizer = adam_or_rmsprop
    loss_factor = 0.5  # of δ²
    weight_decay = adam_weight_decay

    def check(self, config: Config) -> None:
        """Refuse Q(λ) targets and priorities by return."""
        refuse_q_lambda(self, config)
        if config.get("use_per") and config.get("return_priority"):
            raise ConfigError(
                f"{self.title}: return_priority=True is not supported with Weighted "
                "QMIX; priorities by TD error are: return_priority=False"
            )

    def td_lambda(self, config: Config) -> Optional[float]:
        """λ, where the configuration has one."""
        return lambda_if_any(self, config)

    def train_returns(self, config: Config) -> Callable[[Any, Any], Any]:
        """With prioritised replay, what its runner reads."""
        return td_errors_abs if config.get("use_per") else empty

    def prepare_mac(self, mac: Any, device: Any) -> None:
        """Undo the evaluation mode that testing leaves the agent in."""
        mac.agent.train()


def lambda_if_any(host: HostAdapter, config: Config) -> Optional[float]:
    """`td_lambda`, or None (one-step targets) in a configuration without it."""
    return host.number(config, "td_lambda") if "td_lambda" in config else None


def refuse_q_lambda(host: HostAdapter, config: Config) -> None:
    """Refuse `q_lambda: True`: its targets are not Eq. 8's."""
    if config.get("q_lambda"):
        raise ConfigError(
            f"{host.title}: q_lambda=True is not supported with Weighted QMIX; "
            "set q_lambda=False for TD(lambda)"
        )


def td_errors_abs(td_error: Any, mask: Any) -> Dict[str, Any]:
    """Priorities of episodes: Σ_t |δ_t| / sqrt(steps), [B, 1], on the CPU."""
    steps = mask.sum(1).clamp(min=1.0)
    priorities = (td_error.abs() * mask).sum(1) / steps.sqrt()
    return {"td_errors_abs": priorities.detach().to("cpu")}


def empty(td_error: Any, mask: Any) -> Dict[str, Any]:
    """What its learners return without prioritised replay."""
    return {}
