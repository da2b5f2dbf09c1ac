"""PyMARL3 (tjuHaoXiaotian/pymarl3): PyMARL2 with HPN, UPDeT and more agents."""

from __future__ import annotations

from typing import Any, Optional

from ...errors import ConfigError
from .base import (
    NMIX_AND_VDN,
    Config,
    HostAdapter,
    adam_or_rmsprop,
    adam_weight_decay,
)
from .pymarl import SMAC_REMEDY
from .pymarl2 import QATTEN, lambda_if_any, refuse_q_lambda


class PyMARL3(HostAdapter):
    name = "pymarl3"
    title = "PyMARL3"
    about = "tjuHaoXiaotian/pymarl3: HPN, UPDeT, DeepSet, GNN agents"
    present = (
        "run/__init__.py",
        "learners/nq_learner.py",
        "controllers/hpn_controller.py",
        "config/algs/qmix.yaml",
    )
    text = (("run/__init__.py", "REGISTRY"),)
    stand_ins = {
        "smac": SMAC_REMEDY,
        "pysc2": "StarCraft needs it: pip install pysc2",
    }
    replaced = {"envs.smac_v1": ("pysc2", "smac"), "envs.smac_v2": ("pysc2", "smac")}
    mixers = {**NMIX_AND_VDN, "qatten": QATTEN}
    models_named_by = ("local_results_path", "log_model_dir", "unique_token")
    optimizer = adam_or_rmsprop
    loss_factor = 0.5  # of δ²
    weight_decay = adam_weight_decay

    def check(self, config: Config) -> None:
        """Refuse Q(λ) targets, and data augmentation, which is a learner's own."""
        refuse_q_lambda(self, config)
        if config.get("enable_data_augmentation"):
            raise ConfigError(
                f"{self.title}: enable_data_augmentation=True is what its own learner "
                "does with a batch, not supported with Weighted QMIX: set "
                "enable_data_augmentation=False"
            )

    def td_lambda(self, config: Config) -> Optional[float]:
        """λ, where the configuration has one."""
        return lambda_if_any(self, config)

    def prepare_mac(self, mac: Any, device: Any) -> None:
        """Back from the CPU (`cpu_inference`) and from evaluation mode."""
        if str(device).startswith("cuda") and str(mac.get_device()) == "cpu":
            mac.cuda()
        mac.set_train_mode()
