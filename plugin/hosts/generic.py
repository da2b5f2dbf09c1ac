"""Forks that no other adapter knows: the same facts, worked out by looking.

The learner that the fork's own qmix.yaml names is read as text: which mixers it builds,
which optimiser, which targets, what it counts target updates in, what it returns. The
MAC is asked for its modes when it is there.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from ...errors import ConfigError
from ..notes import note
from .base import (
    Config,
    HostAdapter,
    Mixer,
    adam_or_rmsprop,
    adam_weight_decay,
    each_episodes,
    each_steps_or_soft,
    nothing,
    read_text,
)
from .pymarl import SMAC_REMEDY
from .pymarl2 import empty, lambda_if_any, refuse_q_lambda, td_errors_abs

OR_TAU = "target_update_interval_or_tau"


class Generic(HostAdapter):
    name = "generic"
    title = "this fork"
    about = "any other fork with PyMARL's layout: its facts are worked out by looking"
    present = (
        "learners/__init__.py",
        "controllers/__init__.py",
        "config/default.yaml",
    )
    text = (("learners/__init__.py", "REGISTRY"),)
    fallbacks = {"double_q": True}
    stand_ins = {"smac": SMAC_REMEDY, "smac.env": SMAC_REMEDY}
    learner = ""  # the source of the fork's own QMIX learner

    def at(self, root: Path) -> HostAdapter:
        """Return an adapter with what the fork in `root` says of itself.

        Raises:
            ConfigError: `root` holds no such fork, or its QMIX learner is not found.
        """
        lacks = self.missing(root)
        if lacks:
            raise ConfigError(
                f"{root} holds no PyMARL-family host: looked for "
                f"{', '.join(self.present)}; missing: {', '.join(lacks)}"
            )
        found = copy.copy(self)
        found.package = package_of(root)
        if not found.base_file(root).is_file():
            found.mixers = {}
            return found  # its own algorithms run; ours will say what they miss
        learner = qmix_learner(root, found.base_file(root))
        found.learner = read_text(learner)
        found.mixers = mixers_of(found.learner, found.package)
        note(f"an unknown fork; found in {learner.name}: {', '.join(found.findings())}")
        return found

    def base_file(self, root: Path) -> Path:
        """Return the configuration that our algorithms inherit."""
        name = self.aliases.get("qmix", "qmix")
        return self.config_dir(root) / "algs" / f"{name}.yaml"

    def findings(self) -> List[str]:
        """Return what was found, for the log."""
        counted = "train steps or soft" if OR_TAU in self.learner else "episodes"
        return [
            f"package {self.package or 'none'}",
            f"mixers {' '.join(sorted(self.mixers))}",
            f"optimiser {self.optimizer({'optimizer': 'adam'})}",
            "TD(lambda)" if self._has_lambda() else "one-step targets",
            f"target updates by {counted}",
        ]

    def check(self, config: Config) -> None:
        """Refuse Q(λ) targets."""
        refuse_q_lambda(self, config)

    def optimizer(self, config: Config) -> str:
        """Adam where it is the only one, or the configuration's choice."""
        if "RMSprop(" not in self.learner:
            return "adam"
        chooses = "Adam(" in self.learner
        return adam_or_rmsprop(self, config) if chooses else "rmsprop"

    def weight_decay(self, config: Config) -> float:
        """Only where the learner reads it."""
        reads = "weight_decay" in self.learner
        return adam_weight_decay(self, config) if reads else 0.0

    def td_lambda(self, config: Config) -> Optional[float]:
        """λ, where the learner has such targets."""
        return lambda_if_any(self, config) if self._has_lambda() else None

    def target_update(self, config: Config) -> Any:
        """Counted as the learner counts."""
        by_steps = OR_TAU in self.learner
        return (each_steps_or_soft if by_steps else each_episodes)(self, config)

    def train_returns(self, config: Config) -> Callable[[Any, Any], Any]:
        """PyMARL2's dictionary where the learner returns one."""
        if "td_errors_abs" not in self.learner:
            return nothing
        return td_errors_abs if config.get("use_per") else empty

    def prepare_mac(self, mac: Any, device: Any) -> None:
        """Training mode and device, by whatever the MAC offers for them."""
        if str(device).startswith("cuda") and hasattr(mac, "get_device"):
            mac.cuda()
        if hasattr(mac, "set_train_mode"):
            mac.set_train_mode()
        elif hasattr(getattr(mac, "agent", None), "train"):
            mac.agent.train()

    def _has_lambda(self) -> bool:
        return "td_lambda" in self.learner


def qmix_learner(root: Path, base: Path) -> Path:
    """Return the file of the learner that the configuration `base` names."""
    config = read_text(base)
    named = re.search(r"^learner:\s*['\"]?(\w+)", config, re.MULTILINE)
    registry = read_text(root / "learners" / "__init__.py")
    key = named.group(1) if named else "q_learner"
    entry = re.search(rf"['\"]{key}['\"]\]?\s*[=:]\s*(\w+)", registry)
    imported = entry and re.search(
        rf"from\s+\.?(?:[\w.]*learners\.)?(\w+)\s+import\s+.*\b{entry.group(1)}\b",
        registry,
    )
    path = root / "learners" / f"{imported.group(1) if imported else key}.py"
    if not path.is_file():
        raise ConfigError(
            f"{root}: config/algs/{base.name} names the learner {key!r}, which is not "
            "found in learners/__init__.py"
        )
    return path


def package_of(root: Path) -> str:
    """Return the package that the fork's run file imports its learners from."""
    for name in ("run.py", "run/run.py", "main.py"):
        text = read_text(root / name) if (root / name).is_file() else ""
        found = re.search(r"^from\s+([\w.]*?)\.?learners\s+import", text, re.MULTILINE)
        if found:
            return found.group(1).strip(".")
    return ""


def mixers_of(learner: str, package: str) -> Dict[str, Mixer]:
    """Return the mixers that a learner builds for each `args.mixer`.

    Only those known to be monotonic: QMIX's and VDN's.
    """
    mixers = {}
    for name in ("qmix", "vdn"):
        built = re.search(
            rf"mixer\s*==\s*['\"]{name}['\"].*?self\.mixer\s*=\s*(\w+)\((\w*)",
            learner,
            re.DOTALL,
        )
        prefix = rf"(?:{re.escape(package)}\.)?" if package else ""
        source = built and re.search(
            rf"^from\s+{prefix}([\w.]+)\s+import\s+.*\b{built.group(1)}\b",
            learner,
            re.MULTILINE,
        )
        if built and source:
            takes_args = built.group(2) == "args"
            mixers[name] = Mixer(source.group(1), built.group(1), takes_args)
    return mixers
