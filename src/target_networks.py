"""Target networks: copies that follow the online ones, without gradients."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import torch
from torch import Tensor

from .guard import choose
from .settings import TargetUpdate


class TargetNetworks:
    """The target networks of a learner and the rule by which they follow.

    Args:
        update: when and how they follow.
        pairs: name → (online, target); a network is an `nn.Module`, or a host's MAC
            under the name `mac`.
    """

    def __init__(self, update: TargetUpdate, pairs: Dict[str, Tuple[Any, Any]]) -> None:
        self.update = update
        self.pairs = pairs
        self.train_steps = 0
        self.last_update = 0
        self.last_episode = 0
        for _, target in pairs.values():
            for p in target.parameters():
                p.requires_grad_(False)

    def __getitem__(self, name: str) -> Any:
        return self.pairs[name][1]

    def get(self, name: str) -> Optional[Any]:
        """Return the target network of that name, or None."""
        return self.pairs[name][1] if name in self.pairs else None

    @property
    def mac(self) -> Optional[Any]:
        """The target controller, where there is one."""
        return self.get("mac")

    def nets(self) -> Dict[str, Any]:
        """Return all target networks by name."""
        return {name: target for name, (_, target) in self.pairs.items()}

    def cuda(self) -> None:
        """Move all target networks to the GPU."""
        for target in self.nets().values():
            target.cuda()

    def after_train_step(
        self, episode_num: int, is_good: Optional[Tensor] = None
    ) -> None:
        """Let the targets follow, if it is time.

        Args:
            episode_num: episodes so far.
            is_good: [], on the device; they follow only where it is true.
        """
        self.train_steps += 1
        if episode_num < self.last_episode and self.update.unit == "episodes":
            # Since a checkpoint the host counts its episodes anew.
            self.last_update -= self.last_episode - episode_num
        self.last_episode = episode_num
        if self.update.unit == "soft":
            self._follow(is_good)
            return
        now = episode_num if self.update.unit == "episodes" else self.train_steps
        if now - self.last_update >= self.update.amount:
            self._follow(is_good)
            self.last_update = now

    def _follow(self, is_good: Optional[Tensor]) -> None:
        targets = [p for net in self.nets().values() for p in net.parameters()]
        before = [] if is_good is None else [p.clone() for p in targets]
        if self.update.unit == "soft":
            self._blend(self.update.amount)
        else:
            self.copy_all()
        if is_good is not None:
            choose(is_good, targets, before)

    def copy_all(self) -> None:
        """Make every target equal to its online network."""
        for name, (online, target) in self.pairs.items():
            if name == "mac":
                target.load_state(online)
            else:
                target.load_state_dict(online.state_dict())

    @torch.no_grad()
    def _blend(self, tau: float) -> None:
        for online, target in self.pairs.values():
            for new, old in zip(online.parameters(), target.parameters()):
                old.lerp_(new, tau)

    def counters(self) -> Dict[str, int]:
        """Return what a checkpoint must keep besides the networks."""
        return {
            "train_steps": self.train_steps,
            "last_update": self.last_update,
            "last_episode": self.last_episode,
        }

    def load_counters(self, counters: Dict[str, int]) -> None:
        """Take what `counters` returned."""
        self.train_steps = counters["train_steps"]
        self.last_update = counters["last_update"]
        self.last_episode = counters["last_episode"]
