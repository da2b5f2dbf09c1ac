"""What the learners share: PyMARL's interface, one checked step, checkpoints.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions,
`S` state size.
"""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .. import checkpoints, targets
from ..errors import ConfigError, NonFiniteError, OutOfMemoryError
from ..optim import FlatOptimiser, build_optimiser, grad_norm, is_out_of_memory
from ..running_moments import RunningMoments
from ..settings import HostSettings, LearnerSettings, TargetUpdate
from ..slots import Slots, used_slots
from ..target_networks import TargetNetworks
from ..unroll import Unroll
from ..weightings import WeightingInputs, find

EVIDENCE_FIELDS = "state obs actions avail_actions reward terminated filled".split()
DIVISIONS_BY_AGENTS = ("q_taken_mean", "target_mean")  # as the hosts' baselines log


class Transitions(NamedTuple):
    """A host's batch, as the update reads it; slots 0…T, transitions 0…T−1."""

    state: Tensor  # [B, T+1, S]
    actions: Tensor  # [B, T, A, 1]
    avail_actions: Tensor  # [B, T+1, A, U]
    reward: Tensor  # [B, T, 1]
    terminated: Tensor  # [B, T, 1]
    mask: Tensor  # [B, T, 1]
    slots: Slots  # that are computed, of T+1
    steps: Slots  # that are computed, of T: with a transition

    @classmethod
    def of(cls, batch: Any) -> Transitions:
        """Read a host's EpisodeBatch."""
        reward = batch["reward"][:, :-1]
        if reward.shape[-1] != 1:
            raise ConfigError(
                f"rewards of {reward.shape[-1]} agents: Weighted QMIX needs one common "
                "reward (common_reward=True)"
            )
        terminated = batch["terminated"].to(reward.dtype)
        mask = targets.transition_mask(batch["filled"], terminated)
        slots, steps = used_slots(mask)
        return cls(
            state=batch["state"].flatten(2),
            actions=batch["actions"][:, :-1],
            avail_actions=batch["avail_actions"],
            reward=reward,
            terminated=terminated[:, :-1],
            mask=mask,
            slots=slots,
            steps=steps,
        )


class Learner:
    """A learner with PyMARL's interface over a host's utilities and monotonic mixer.

    A subclass names its `settings_class`, makes its networks in `_build` and says what
    they are (`_nets`, `_parts`, `_followed`), computes `_values` (at least `q_tot`,
    `target`, `greedy`, `greedy_value`) and `_losses`.

    Args:
        mac: the host's multi-agent controller, a black box that gives utilities.
        scheme: the host's replay scheme (`obs`, `state` with their `vshape`).
        logger: the host's logger (`log_stat`, `console_logger`).
        args: the host's arguments with the keys of our YAML, and `args.wqmix_host`,
            the host's facts, set by its adapter.

    Raises:
        ConfigError: a setting that cannot be right, or what this learner cannot do.
    """

    settings_class = LearnerSettings

    def __init__(self, mac: Any, scheme: Any, logger: Any, args: Any) -> None:
        self.args, self.logger, self.mac = args, logger, mac
        self.settings = self.settings_class.from_config(vars(args), "configuration")
        self.host = _host_settings(args)
        self.weighting = find(self.settings.weighting)
        self.mixer = self.host.build_mixer(args)
        self._build(scheme)
        followed = self._followed()
        self.target_networks = TargetNetworks(
            self._target_update(),
            {name: (net, copy.deepcopy(net)) for name, net in followed.items()},
        )
        self.params = [p for part in self._parts().values() for p in part]
        self.optimiser = self._build_optimiser()
        self.reward_moments = RunningMoments()
        self.return_moments = RunningMoments()
        self.unroll = Unroll(self.settings.unroll, args, logger.console_logger.info)
        self.last_log_t = -args.learner_log_interval - 1

    def train(
        self, batch: Any, t_env: int, episode_num: int, per_weight: Any = None
    ) -> Any:
        """Update all online networks once, and the target networks when it is time.

        Args:
            batch: the host's EpisodeBatch of T + 1 slots.
            t_env: environment steps so far.
            episode_num: episodes so far.
            per_weight: importance weights of prioritised replay [B], if any.

        Returns:
            What the host expects of `train` (`HostSettings.train_returns`).

        Raises:
            NonFiniteError: a loss or the gradient is not finite; nothing was updated.
            OutOfMemoryError: the device has too little memory for such a batch.
        """
        try:
            return self._update(batch, t_env, episode_num, per_weight)
        except NonFiniteError as error:
            where = self._save_evidence(batch, t_env, episode_num, error.terms)
            raise NonFiniteError(f"{error}; {where}", error.terms) from None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Here, where the error no longer keeps the tensors of its frames.
        raise OutOfMemoryError(self._what_would_fit(batch, t_env))

    def _update(self, batch: Any, t_env: int, episode_num: int, per_weight: Any) -> Any:
        data, values, weights, td_error, losses = self._backward(
            batch, t_env, per_weight
        )
        is_log_step = t_env - self.last_log_t >= self.args.learner_log_interval
        stats = self._stats(data, values, weights, td_error) if is_log_step else {}
        stats["grad_norm"] = self.optimiser.clip_grad_norm(self.host.grad_norm_clip)
        stats.update(losses)
        self._check_finite(stats, t_env, is_log_step)
        self.optimiser.step()

        self.target_networks.after_train_step(episode_num)
        if is_log_step:
            self.last_log_t = t_env
            self._log(stats, t_env)
        return self.host.train_returns(td_error.detach(), data.mask)

    def _backward(self, batch: Any, t_env: int, per_weight: Any = None) -> Tuple:
        """Losses and gradients of a batch, and what led to them."""
        data = Transitions.of(batch)
        self.host.prepare_mac(self.mac, data.state.device)
        values = self._values(batch, data, t_env)
        weights = self._weights(data, values, t_env)
        td_error = (values.q_tot - values.target) * data.mask
        scale = _scale(data.mask, per_weight)
        losses = self._losses(values, weights, data.mask, td_error, scale)

        self.optimiser.zero_grad()
        losses["loss"].backward()
        return data, values, weights, td_error, losses

    @torch.no_grad()
    def _weights(self, data: Transitions, values: Any, t_env: int) -> Tensor:
        """w(s, u) of the actions taken [B, T, 1]."""
        is_greedy = data.actions == values.greedy[:, :-1]
        return self.weighting(
            WeightingInputs(
                q_tot=values.q_tot.detach(),
                target=values.target,
                greedy_value=values.greedy_value,
                is_greedy_joint=is_greedy.all(dim=2),
                alpha=self.settings.alpha_at(t_env),
                temperature=self.settings.weighting_temperature,
                t_env=t_env,
                **self._judges(data, values),
            )
        )

    def _greedy(
        self, batch: Any, data: Transitions, q: Tensor, inputs: Tensor
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """û [B, T+1, A, 1], and target utilities [B, T+1, A, U] if there are any.

        Args:
            q: the online utilities, from which û is taken with `double_q`.
            inputs: of the utility network, as `Unroll` takes them.
        """
        target_mac, target_q = self.target_networks.mac, None
        if target_mac is not None:
            self.host.prepare_mac(target_mac, data.state.device)
            target_q = self.unroll(target_mac, batch, inputs, data.slots)
        greedy_from = q if self.host.double_q else target_q
        return targets.greedy_actions(greedy_from, data.avail_actions), target_q

    def _targets(self, data: Transitions, value: Tensor) -> Tensor:
        """Targets y, with the host's running standardisation where it has one."""
        host, reward = self.host, data.reward
        if host.standardise_rewards:
            self.reward_moments.update(reward, data.mask)
            reward = self.reward_moments.standardise(reward)
        if host.standardise_returns:
            value = self.return_moments.unstandardise(value)
        target = targets.td_targets(
            reward, data.terminated, data.mask, value, host.gamma, host.td_lambda
        )
        if host.standardise_returns:
            self.return_moments.update(target, data.mask)
            target = self.return_moments.standardise(target)
        return target

    # What a subclass may say otherwise

    def _judges(self, data: Transitions, values: Any) -> Dict[str, Callable]:
        """What this learner can tell a weighting besides the common inputs."""
        return {}

    def _target_update(self) -> TargetUpdate:
        return self.host.target_update

    def _build_optimiser(self) -> FlatOptimiser:
        return build_optimiser(self.params, self.host)

    def cuda(self) -> None:
        """Move all networks to the GPU."""
        self.mac.cuda()
        for net in self._nets().values():
            net.cuda()
        self.target_networks.cuda()

    # Checks and logging

    def _check_finite(
        self, terms: Dict[str, Tensor], t_env: int, is_log_step: bool
    ) -> None:
        """Stop before the optimiser's step if a loss or the gradient is not finite.

        On a GPU this would wait for the device, so there it is done on log steps only.
        """
        if terms["loss"].is_cuda and not is_log_step:
            return
        bad = [name for name, value in terms.items() if not value.isfinite().item()]
        if bad:
            raise NonFiniteError(
                f"not finite at t_env={t_env}: {', '.join(bad)}; training stopped "
                "before this update",
                {name: value.item() for name, value in terms.items()},
            )

    def _save_evidence(
        self, batch: Any, t_env: int, episode_num: int, terms: Dict[str, float]
    ) -> str:
        """Save the networks with the batch and the terms; say where, or why not."""
        path = checkpoints.last_good_path(self.args, t_env)
        fields = {key: batch[key].cpu() for key in EVIDENCE_FIELDS}
        facts = {"t_env": t_env, "episode": episode_num, "terms": terms}
        try:
            self._save(path, {checkpoints.EVIDENCE_STEM: {**facts, "batch": fields}})
        except OSError as error:
            return f"the networks and the batch could not be saved in {path} ({error})"
        return f"the networks until then and the batch are saved in {path}"

    def _what_would_fit(self, batch: Any, t_env: int) -> str:
        """Try ever fewer episodes; nothing is updated."""
        episodes, slots = batch.batch_size, batch.max_seq_length
        found = f"{episodes} episodes of {slots} slots need more memory than there is"
        while episodes > 1:
            episodes //= 2
            self.optimiser.zero_grad()
            torch.cuda.empty_cache()
            try:
                self._backward(batch[:episodes], t_env)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            else:
                return f"{found}: batch_size={episodes} fits"
        return f"{found}, and so does one: make the networks or the episodes smaller"

    def _stats(
        self, data: Transitions, values: Any, weights: Tensor, td_error: Tensor
    ) -> Dict[str, Tensor]:
        """What is logged besides the losses: norms of the gradient, masked means."""
        parts = self._parts()
        stats = {f"{name}_norm": grad_norm(part) for name, part in parts.items()}
        count = data.mask.sum().clamp(min=1)
        for key, x in self._logged(data, values, weights, td_error).items():
            stats[key] = (x.detach() * data.mask).sum() / count
        for key in DIVISIONS_BY_AGENTS:
            stats[key] = stats[key] / self.args.n_agents
        return stats

    def _logged(
        self, data: Transitions, values: Any, weights: Tensor, td_error: Tensor
    ) -> Dict[str, Tensor]:
        """What is logged as its mean over the real transitions, all [B, T, 1]."""
        return {
            "td_error_abs": td_error.abs(),
            "q_taken_mean": values.q_tot,
            "target_mean": values.target,
            "w_to_use": weights,
        }

    def _log(self, stats: Dict[str, Tensor], t_env: int) -> None:
        """Log python floats, read from the device at once."""
        values = torch.stack([value.detach() for value in stats.values()]).tolist()
        for key, value in zip(stats, values):
            self.logger.log_stat(key, value, t_env)

    # Checkpoints

    def save_models(self, path: str) -> None:
        """Write all networks, target networks, the optimiser and counters to a folder.

        Files: `agent.th`, `mixer.th` and `opt.th` are as the host's own QMIX writes
        them, and loads them; the others are ours. Atomically: the folder is complete or
        as it was.
        """
        self._save(path, {})

    def _save(self, path: str, more: Dict[str, Any]) -> None:
        shared = len([*self.mac.parameters(), *self.mixer.parameters()])
        contents = {
            "learner": self._state(),
            "opt": self.optimiser.state_dict(shared),
            **more,
        }
        config = vars(self.args)
        checkpoints.save(path, self.mac, self._modules(), contents, config)

    def load_models(self, path: str) -> None:
        """Read what `save_models` wrote; tensors only, nothing is executed.

        A checkpoint of the host's own QMIX, or of the published learner, warm-starts
        what it holds, and a warning says what is new.

        Raises:
            CheckpointError: a file is absent, broken or of other networks.
        """
        log = self.logger.console_logger
        state = checkpoints.load(path, self.mac, self._modules(), log)
        if state is None:
            self.target_networks.copy_all()
        else:
            self._load_state(state)

    def _modules(self) -> Dict[str, Any]:
        """Everything with a state dict but the MAC, by the stem of its file."""
        modules: Dict[str, Any] = {**self._nets(), "learner_opt": self.optimiser}
        for name, net in self.target_networks.nets().items():
            modules[f"target_{name}"] = getattr(net, "agent", net)
        return modules

    def _state(self) -> Dict[str, Any]:
        return {
            "targets": self.target_networks.counters(),
            "reward_moments": self.reward_moments.state_dict(),
            "return_moments": self.return_moments.state_dict(),
            "last_log_t": self.last_log_t,
        }

    def _load_state(self, state: Dict[str, Any]) -> None:
        self.target_networks.load_counters(state["targets"])
        self.reward_moments.load_state_dict(state["reward_moments"])
        self.return_moments.load_state_dict(state["return_moments"])
        self.last_log_t = state["last_log_t"]


def parameters(*nets: nn.Module) -> List[nn.Parameter]:
    """Return the parameters of several networks, in order."""
    return [p for net in nets for p in net.parameters()]


def _scale(mask: Tensor, per_weight: Any) -> Tensor:
    """1 / Σ m, times each episode's importance weight of prioritised replay."""
    scale = mask.sum().clamp(min=1).reciprocal()
    if per_weight is None:
        return scale
    per_weight = torch.as_tensor(per_weight, dtype=mask.dtype)
    return scale * per_weight.to(mask.device).reshape(-1, 1, 1)


def _host_settings(args: Any) -> HostSettings:
    settings = getattr(args, "wqmix_host", None)
    if settings is None:
        raise ConfigError(
            "the learner was built without the facts of its host: run the host "
            "through `python -m wqmix`, or call `wqmix.plugin.register()` in its main"
        )
    return settings
