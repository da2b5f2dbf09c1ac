"""Q-learning of decomposed joint values: IQL, VDN and QMIX."""

from __future__ import annotations

import copy
import os
from types import SimpleNamespace
from typing import Any, Dict, Optional

import numpy as np
import torch as th
from torch.optim import Adam, RMSprop

from ...storage.value_check import ValueCheck
from ..components.episode_buffer import EpisodeBatch, Scheme
from ..components.running_moments import RunningMoments
from ..components.state_norm import StateNorm
from ..errors import CheckpointError, NonFiniteError
from ..modules.mixers import REGISTRY as mixer_REGISTRY
from ..utils.checkpoints import load_tensors, same_networks
from ..utils.logging import Logger
from .targets import td_targets

TARGET = "target"  # the folder of what PyMARL's checkpoints leave out
COUNTERS = ("last_target_update_episode", "last_episode", "log_stats_t")
NEWER = ("train_steps", "last_target_update_step")  # counters that older runs lack


class QLearner:
    """(Double) Q-learning with a target network that follows.

    `mixer: null` trains each agent's utility on its own (IQL), "vdn" their sum and
    "qmix" their monotonic mix. The target network is copied every
    `target_update_interval` episodes; or, as in EPyMARL, with
    `target_update_interval_or_tau` above 1 every so many updates, and with one up to 1
    it moves by that share after each.

        y = r + gamma (1 - terminated) q_tot^-(s', u')      u' = argmax q (double_q)
        loss = sum m (q_tot - y)^2 / sum m                        or argmax q^-

    With `td_lambda` above 0 the targets y are those of TD(lambda), see `td_targets`.
    `standardise_rewards` and `standardise_returns` are EPyMARL's, `use_per` PyMARL2's;
    with `state_norm` mixers see the state by its running mean and variance.
    With `lr_anneal_time` above 0 the learning rate goes from `lr` to `lr_finish` in so
    many environment steps, and stays there.
    """

    def __init__(
        self, mac: Any, scheme: Scheme, logger: Logger, args: SimpleNamespace
    ) -> None:
        self.args = args
        self.mac = mac
        self.logger = logger
        self.params = list(mac.parameters())
        self.mixer: Optional[th.nn.Module] = None
        self.target_mixer: Any = None  # where there is a mixer
        if args.mixer is not None:
            self.mixer = mixer_REGISTRY[args.mixer](args)
            self.params += list(self.mixer.parameters())
            self.target_mixer = copy.deepcopy(self.mixer)
        self.target_mac = copy.deepcopy(mac)
        self.optimiser: th.optim.Optimizer
        if args.optimizer == "adam":
            self.optimiser = Adam(self.params, lr=args.lr)
        else:
            self.optimiser = RMSprop(
                self.params, lr=args.lr, alpha=args.optim_alpha, eps=args.optim_eps
            )
        self.last_target_update_episode = self.last_episode = 0
        self.train_steps = self.last_target_update_step = 0
        width = args.n_agents if args.mixer is None else 1
        self.moments: Dict[str, Any] = {
            "rewards": RunningMoments.at_start(1),
            "returns": RunningMoments.at_start(width),
            "states": StateNorm.at_start(int(np.prod(args.state_shape))),
        }
        is_raw = not (args.standardise_rewards or args.standardise_returns)
        warn = logger.console_logger.warning
        self.value_check = ValueCheck(warn) if is_raw else None
        self.log_stats_t = -args.learner_log_interval - 1

    def train(
        self, batch: EpisodeBatch, t_env: int, episode_num: int, per_weight: Any = None
    ) -> Optional[Dict[str, th.Tensor]]:
        """One update on a batch of episodes.

        Args:
            batch: of `[B, T+1]` time slots.
            t_env: environment steps so far.
            episode_num: episodes so far.
            per_weight: importance weights of prioritised replay `[B]`.

        Returns:
            With `use_per` the episodes' priorities, `{"td_errors_abs": [B, 1]}`.

        Raises:
            NonFiniteError: the loss or its gradient is not finite; nothing was updated.
        """
        moments = dict(self.moments)
        utilities = self._unroll(self.mac, batch)
        chosen = utilities[:, :-1].gather(3, batch["actions"][:, :-1]).squeeze(3)
        mask, states = self._mask(batch), batch["state"]
        if self.value_check is not None:
            self.value_check.see(batch["reward"][:, :-1], mask)
        if self.args.state_norm:
            states = states.flatten(2)
            self.moments["states"] = self.moments["states"].merged(states[:, :-1], mask)
        states = self.seen_by_mixers(states)
        if self.mixer is not None:
            chosen = self.mixer(chosen, states[:, :-1])
        mask = mask.expand_as(chosen)
        targets = self._targets(batch, utilities.detach(), mask, states)
        td_error = (chosen - targets) * mask
        weights: Any = 1
        if per_weight is not None:
            weights = th.as_tensor(per_weight).to(mask).reshape(-1, 1, 1)
        loss = (weights * td_error**2).sum() / mask.sum()

        self.optimiser.zero_grad()
        loss.backward()
        clip = self.args.grad_norm_clip
        grad_norm = th.nn.utils.clip_grad_norm_(self.params, clip)
        try:
            self._check_finite(loss, grad_norm, t_env)
        except NonFiniteError:
            self.moments = moments
            raise
        self._set_learning_rate(t_env)
        self.optimiser.step()
        self._let_targets_follow(episode_num)
        if t_env - self.log_stats_t >= self.args.learner_log_interval:
            self._log(t_env, loss, grad_norm, td_error, chosen, targets, mask)
            self.log_stats_t = t_env
        if self.args.use_per:
            return {"td_errors_abs": _priorities(td_error.detach(), mask)}
        return None

    def _set_learning_rate(self, t_env: int) -> None:
        time, first = self.args.lr_anneal_time, self.args.lr
        if time > 0:
            share = min(t_env / time, 1)
            for group in self.optimiser.param_groups:
                group["lr"] = first + (self.args.lr_finish - first) * share

    def _let_targets_follow(self, episode_num: int) -> None:
        self.train_steps += 1
        if episode_num < self.last_episode:  # counted anew since a checkpoint
            self.last_target_update_episode -= self.last_episode - episode_num
        self.last_episode = episode_num
        interval_or_tau = self.args.target_update_interval_or_tau
        if interval_or_tau == 0:
            interval = self.args.target_update_interval
            is_due = episode_num - self.last_target_update_episode >= interval
        else:
            since_update = self.train_steps - self.last_target_update_step
            is_due = 1 < interval_or_tau <= since_update
        if is_due:
            self._update_targets()
            self.last_target_update_episode = episode_num
            self.last_target_update_step = self.train_steps
        elif 0 < interval_or_tau <= 1:
            self._blend_targets(interval_or_tau)

    @staticmethod
    def _unroll(mac: Any, batch: EpisodeBatch) -> th.Tensor:
        """The controller's utilities over whole episodes, `[B, T+1, A, U]`."""
        mac.init_hidden(batch.batch_size)
        steps = [mac.forward(batch, t=t) for t in range(batch.max_seq_length)]
        return th.stack(steps, dim=1)

    @th.no_grad()
    def _targets(
        self,
        batch: EpisodeBatch,
        utilities: th.Tensor,
        mask: th.Tensor,
        states: th.Tensor,
    ) -> th.Tensor:
        """Targets: `[B, T, 1]`, or `[B, T, A]` without a mixer."""
        target_utilities = self._unroll(self.target_mac, batch)
        judge = utilities if self.args.double_q else target_utilities
        judge = judge.masked_fill(batch["avail_actions"] == 0, -float("inf"))
        greedy = judge.argmax(dim=3, keepdim=True)
        values = target_utilities.gather(3, greedy).squeeze(3)[:, 1:]
        if self.target_mixer is not None:
            values = self.target_mixer(values, states[:, 1:])
        rewards = self._rewards(batch)
        terminated = batch["terminated"][:, :-1].float()
        discount = self.args.gamma * (1 - terminated)
        if self.args.standardise_returns:
            values = self.moments["returns"].unstandardise(values)
        targets = td_targets(rewards, discount, mask, values, self.args.td_lambda)
        if self.args.standardise_returns:
            # Not padding's, as EPyMARL does: nothing there has a value.
            returns = targets[mask[..., 0] > 0]
            self.moments["returns"] = self.moments["returns"].merged(returns)
            targets = self.moments["returns"].standardise(targets)
        return targets

    def seen_by_mixers(self, states: th.Tensor) -> th.Tensor:
        """The states [..., S] as mixers see them."""
        return (
            self.moments["states"].normalise(states) if self.args.state_norm else states
        )

    def _rewards(self, batch: EpisodeBatch) -> th.Tensor:
        rewards = batch["reward"][:, :-1]
        if self.args.standardise_rewards:
            self.moments["rewards"] = self.moments["rewards"].merged(rewards)
            rewards = self.moments["rewards"].standardise(rewards)
        return rewards

    @staticmethod
    def _mask(batch: EpisodeBatch) -> th.Tensor:
        """1 for the transitions that happened, `[B, T, 1]`: those that led to a state.

        PyMARL asks instead that no earlier step terminated: the same, but for an
        episode that is cut before the time limit. There it would learn from a slot
        that holds nothing.
        """
        return batch["filled"][:, 1:].float()

    @staticmethod
    def _check_finite(loss: th.Tensor, grad_norm: th.Tensor, t_env: int) -> None:
        if th.isfinite(loss.detach() + grad_norm):
            return
        term, value = ("gradient norm", grad_norm)
        if not th.isfinite(loss):
            term, value = ("loss", loss)
        raise NonFiniteError(term, value.item(), t_env)

    def _log(
        self,
        t_env: int,
        loss: th.Tensor,
        grad_norm: th.Tensor,
        td_error: th.Tensor,
        chosen: th.Tensor,
        targets: th.Tensor,
        mask: th.Tensor,
    ) -> None:
        count = mask.sum().item()
        per_agent = count * self.args.n_agents
        stats = {
            "loss": loss.item(),
            "grad_norm": float(grad_norm),
            "td_error_abs": td_error.abs().sum().item() / count,
            "q_taken_mean": (chosen * mask).sum().item() / per_agent,
            "target_mean": (targets * mask).sum().item() / per_agent,
        }
        if self.value_check is not None:
            self.value_check.judge((chosen.abs() * mask).sum().item() / count)
        for key, value in stats.items():
            self.logger.log_stat(key, value, t_env)

    def _update_targets(self) -> None:
        self.target_mac.load_state(self.mac)
        if self.mixer is not None:
            self.target_mixer.load_state_dict(self.mixer.state_dict())
        self.logger.console_logger.debug("Updated target network")

    @th.no_grad()
    def _blend_targets(self, tau: float) -> None:
        pairs = list(zip(self.mac.parameters(), self.target_mac.parameters()))
        if self.mixer is not None:
            pairs += zip(self.mixer.parameters(), self.target_mixer.parameters())
        for new, old in pairs:
            old.lerp_(new, tau)

    def cuda(self) -> None:
        self.mac.cuda()
        self.target_mac.cuda()
        if self.mixer is not None:
            self.mixer.cuda()
            self.target_mixer.cuda()

    def save_models(self, path: str) -> None:
        """Write PyMARL's files, and what makes a resumed run exact."""
        self.mac.save_models(path)
        if self.mixer is not None:
            th.save(self.mixer.state_dict(), f"{path}/mixer.th")
        th.save(self.optimiser.state_dict(), f"{path}/opt.th")
        os.makedirs(f"{path}/{TARGET}")
        self.target_mac.save_models(f"{path}/{TARGET}")
        state = {key: getattr(self, key) for key in (*COUNTERS, *NEWER)}
        state["moments"] = {key: tuple(each) for key, each in self.moments.items()}
        if self.mixer is not None:
            state["target_mixer"] = self.target_mixer.state_dict()
        th.save(state, f"{path}/{TARGET}/q_learner.th")

    def load_models(self, path: str) -> None:
        """Read what `save_models` wrote.

        Of another's checkpoint (PyMARL's QMIX, Weighted QMIX), which has no such target
        networks, they become copies of the networks.

        Raises:
            CheckpointError: a file is absent, damaged or of other networks.
        """
        with same_networks(path):
            self._load(path)

    def _load(self, path: str) -> None:
        state = load_tensors(f"{path}/opt.th")
        is_adam = "betas" in self.optimiser.param_groups[0]
        if any(("betas" in group) != is_adam for group in state["param_groups"]):
            name = type(self.optimiser).__name__
            raise CheckpointError(f"{path}/opt.th: the state is not that of {name}")
        self.mac.load_models(path)
        self.target_mac.load_state(self.mac)
        if self.mixer is not None:
            self.mixer.load_state_dict(load_tensors(f"{path}/mixer.th"))
            self.target_mixer.load_state_dict(self.mixer.state_dict())
        self.optimiser.load_state_dict(state)
        if os.path.isdir(f"{path}/{TARGET}"):
            self._load_targets(f"{path}/{TARGET}")

    def _load_targets(self, path: str) -> None:
        self.target_mac.load_models(path)
        state = load_tensors(f"{path}/q_learner.th")
        if self.mixer is not None:
            self.target_mixer.load_state_dict(state["target_mixer"])
        for key in COUNTERS:
            setattr(self, key, state[key])
        for key in NEWER:
            setattr(self, key, state.get(key, 0))
        for key, moments in state.get("moments", {}).items():
            self.moments[key] = type(self.moments[key])(*moments)


def _priorities(td_error: th.Tensor, mask: th.Tensor) -> th.Tensor:
    """Sum of |error| over the steps, by the root of their number, `[B, 1]` (PyMARL2).

    Without a mixer the mean over the agents.
    """
    steps = mask.sum(1).clamp(min=1)
    return (td_error.abs().sum(1) / steps.sqrt()).mean(1, keepdim=True).cpu()
