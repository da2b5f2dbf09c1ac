"""A QMIX learner as a fork might have it: each fact in which hosts differ is a field.

Written from the formulas, step by step and without anything of ours, so that the parity
probe has something independent to measure.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch.optim import RMSprop


class StrangeLearner:
    """One-step QMIX as PyMARL has it; a subclass differs in one field."""

    td_lambda = 0.0
    factor = 1.0
    standardises_rewards = False
    double_q = True
    optimiser_class: Any = RMSprop
    options = {"lr": 0.0005, "alpha": 0.99, "eps": 1e-5}
    clip = 10.0
    unit = "episodes"
    tau = 0.3
    power = 2  # of the TD error in the loss
    masks_ends = True
    returns: Any = None

    def __init__(self, mac: Any, scheme: Any, logger: Any, args: Any) -> None:
        from wqmix.host.modules.mixers.qmix import QMixer

        self.mac, self.logger, self.args = mac, logger, args
        self.mixer = QMixer(args)
        self.target_mac, self.target_mixer = copy.deepcopy((mac, self.mixer))
        self.params = [*mac.parameters(), *self.mixer.parameters()]
        self.optimiser = self.optimiser_class(self.params, **self.options)
        self.last = self.steps = self.seen = 0
        self.mean, self.var = 0.0, 1.0

    def unroll(self, mac: Any, batch: Any) -> torch.Tensor:
        mac.init_hidden(batch.batch_size)
        return torch.stack(
            [mac.forward(batch, t=t) for t in range(batch.max_seq_length)], 1
        )

    def targets(self, batch: Any, q: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        reward, end = batch["reward"][:, :-1], batch["terminated"][:, :-1].float()
        target_q = self.unroll(self.target_mac, batch)
        judge = q.detach() if self.double_q else target_q
        judge = judge.masked_fill(batch["avail_actions"] == 0, -1e7)
        best = judge.argmax(3, keepdim=True)
        value = self.target_mixer(target_q.gather(3, best).squeeze(3), batch["state"])
        if self.standardises_rewards:  # EPyMARL's, padding included, of the first batch
            reward = (reward - reward.mean()) / reward.std(unbiased=False)
        found, following = torch.zeros_like(reward), value[:, -1]
        for t in reversed(range(reward.shape[1])):
            mixed = self.td_lambda * following + (1 - self.td_lambda) * value[:, t + 1]
            y = reward[:, t] + self.args.gamma * (1 - end[:, t]) * mixed
            following = found[:, t] = torch.where(mask[:, t] > 0, y, value[:, t])
        return found.detach()

    def train(self, batch: Any, t_env: int, episode_num: int, per_weight: Any = None):
        mask = batch["filled"][:, :-1].float()
        if self.masks_ends:
            mask[:, 1:] = mask[:, 1:] * (1 - batch["terminated"][:, :-2].float())
        q = self.unroll(self.mac, batch)
        taken = q[:, :-1].gather(3, batch["actions"][:, :-1]).squeeze(3)
        q_tot = self.mixer(taken, batch["state"][:, :-1])
        error = (q_tot - self.targets(batch, q, mask)) * mask
        loss = self.factor * (error.abs() ** self.power).sum() / mask.sum()
        self.optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.params, self.clip)
        self.optimiser.step()
        self.follow(episode_num)
        self.logger.log_stat("loss", loss.item(), t_env)
        self.logger.log_stat("grad_norm", norm.item(), t_env)
        return self.returns

    def follow(self, episode_num: int) -> None:
        self.steps += 1
        pairs = zip(
            [*self.target_mac.parameters(), *self.target_mixer.parameters()],
            self.params,
        )
        share = self.tau if self.unit == "soft" else 1.0
        now = episode_num if self.unit == "episodes" else self.steps
        if self.unit != "soft":
            if now - self.last < self.args.target_update_interval:
                return
            self.last = now
        for target, p in pairs:
            target.data += share * (p.data - target.data)
