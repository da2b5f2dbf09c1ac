"""Weighted QMIX (Rashid et al., NeurIPS 2020), for any PyMARL-family host.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions,
`S` state size, `E = central_action_embed`.
"""

from __future__ import annotations

import copy
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .. import central, checkpoints, targets
from ..errors import ConfigError, NonFiniteError
from ..inputs import agent_inputs
from ..optim import build_optimiser, clip_grad_norm, grad_norm
from ..running_moments import RunningMoments
from ..settings import HostSettings, WQMixSettings
from ..target_networks import TargetNetworks
from ..unroll import Unroll
from ..weightings import WEIGHTINGS, WeightingInputs

DIVISIONS_BY_AGENTS = ("q_taken_mean", "target_mean")  # as the hosts' baselines log


class Transitions(NamedTuple):
    """A host's batch, as the update reads it; slots 0…T, transitions 0…T−1."""

    state: Tensor  # [B, T+1, S]
    actions: Tensor  # [B, T, A, 1]
    avail_actions: Tensor  # [B, T+1, A, U]
    reward: Tensor  # [B, T, 1]
    terminated: Tensor  # [B, T, 1]
    mask: Tensor  # [B, T, 1]

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
        return cls(
            state=batch["state"].flatten(2),
            actions=batch["actions"][:, :-1],
            avail_actions=batch["avail_actions"],
            reward=reward,
            terminated=terminated[:, :-1],
            mask=targets.transition_mask(batch["filled"], terminated),
        )


class Inputs(NamedTuple):
    """What the per-agent networks see, [B, T+1, A, ·]."""

    utility: Tensor
    central: Tensor


class Values(NamedTuple):
    """What one update computes before its losses; all [B, T, 1] but `q_star`."""

    q_tot: Tensor
    q_star: Optional[Tensor]
    target: Tensor
    weights: Tensor


class WQMixLearner:
    """Learner of CW-QMIX, OW-QMIX and their relatives, with PyMARL's interface.

    Args:
        mac: the host's multi-agent controller, a black box that gives utilities.
        scheme: the host's replay scheme (`obs`, `state` with their `vshape`).
        logger: the host's logger (`log_stat`, `console_logger`).
        args: the host's arguments with the keys of `config/algs/cw_qmix.yaml`, and
            `args.wqmix_host`, the host's facts, set by its adapter.

    Raises:
        ConfigError: a setting that cannot be right, or what this learner cannot do.
    """

    def __init__(self, mac: Any, scheme: Any, logger: Any, args: Any) -> None:
        self.args, self.logger, self.mac = args, logger, mac
        self.settings = WQMixSettings.from_config(vars(args), "configuration")
        self.host = _host_settings(args)
        self.weighting = WEIGHTINGS[self.settings.weighting]
        self.mixer = self.host.build_mixer(args)
        self.central_agent, self.central_mixer = self._build_central(scheme)
        self.target_networks = TargetNetworks(
            self.host.target_update, self._build_targets()
        )
        self.params = self._parameters()
        self.optimiser = build_optimiser(self.params, self.host)
        self.reward_moments = RunningMoments()
        self.return_moments = RunningMoments()
        self.unroll = Unroll(
            self.settings.unroll, args.n_actions, logger.console_logger.info
        )
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
        """
        data = Transitions.of(batch)
        self.host.prepare_mac(self.mac, data.state.device)
        values = self._values(batch, data, t_env)
        td_error = (values.q_tot - values.target) * data.mask
        losses = self._losses(values, data.mask, td_error, per_weight)

        self.optimiser.zero_grad()
        losses["loss"].backward()
        is_log_step = t_env - self.last_log_t >= self.args.learner_log_interval
        norms = self._part_norms() if is_log_step else {}
        norms["grad_norm"] = clip_grad_norm(self.params, self.host.grad_norm_clip)
        self._check_finite({**losses, **norms}, t_env, is_log_step)
        self.optimiser.step()

        self.target_networks.after_train_step(episode_num)
        if is_log_step:
            self.last_log_t = t_env
            self._log({**losses, **norms, **self._means(values, data, td_error)}, t_env)
        return self.host.train_returns(td_error.detach(), data.mask)

    def _values(self, batch: Any, data: Transitions, t_env: int) -> Values:
        """Q_tot, Q̂*, the targets y (Eq. 8) and the weights (Eqs. 6, 12, 13)."""
        inputs = self._inputs(batch)
        q = self.unroll(self.mac, batch, inputs.utility)
        q_tot = self.mixer(central.take(q[:, :-1], data.actions), data.state[:, :-1])
        q_star_i = q_star = None
        if self.central_agent is not None:
            q_star_i = self.central_agent(inputs.central)
            q_star = self.central_mixer(
                central.take(q_star_i[:, :-1], data.actions), data.state[:, :-1]
            )
        with torch.no_grad():
            greedy, value = self._greedy_value(batch, data, q.detach(), inputs)
            target = self._targets(data, value)
            weights = self.weighting(
                WeightingInputs(
                    q_tot=q_tot.detach(),
                    target=target,
                    greedy_value=value[:, :-1],
                    is_greedy_joint=(data.actions == greedy[:, :-1]).all(dim=2),
                    is_optimal_joint=lambda: self._is_optimal_joint(data, q_star_i),
                    alpha=self.settings.alpha,
                    t_env=t_env,
                )
            )
        return Values(q_tot, q_star, target, weights)

    def _inputs(self, batch: Any) -> Inputs:
        utility = agent_inputs(batch, self.args)
        if self.settings.central_inputs == "obs":
            return Inputs(utility, utility)
        return Inputs(utility, agent_inputs(batch, self.args, "state"))

    def _greedy_value(
        self, batch: Any, data: Transitions, q: Tensor, inputs: Inputs
    ) -> Tuple[Tensor, Tensor]:
        """û [B, T+1, A, 1] and v = Q̂*⁻(s, û) [B, T+1, 1].

        Where there is no Q̂* (`central_loss: 0`), v is the target Q_tot.
        """
        nets = self.target_networks
        if nets.mac is not None:
            self.host.prepare_mac(nets.mac, data.state.device)
            target_q = self.unroll(nets.mac, batch, inputs.utility)
        greedy_from = q if self.host.double_q else target_q
        greedy = targets.greedy_actions(greedy_from, data.avail_actions)
        if self.central_agent is None:
            value = nets["mixer"](central.take(target_q, greedy), data.state)
        else:
            q_star_i = nets["central_agent"](inputs.central)
            value = nets["central_mixer"](central.take(q_star_i, greedy), data.state)
        return greedy, value

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

    def _losses(
        self, values: Values, mask: Tensor, td_error: Tensor, per_weight: Any
    ) -> Dict[str, Tensor]:
        """The two losses (Eqs. 10 and 11) and their sum.

        L = qmix_loss · Σ m w (Q_tot − y)² / Σ m + central_loss · Σ m (Q̂* − y)² / Σ m,
        each episode scaled by its importance weight of prioritised replay.
        """
        scale = mask.sum().clamp(min=1).reciprocal()
        if per_weight is not None:
            per_weight = torch.as_tensor(per_weight, dtype=mask.dtype)
            scale = scale * per_weight.to(mask.device).reshape(-1, 1, 1)
        qmix_loss = (scale * values.weights * td_error.square()).sum()
        losses = {"loss": self.settings.qmix_loss * qmix_loss, "qmix_loss": qmix_loss}
        if values.q_star is not None:
            central_error = (values.q_star - values.target) * mask
            central_loss = (scale * central_error.square()).sum()
            losses["loss"] = losses["loss"] + self.settings.central_loss * central_loss
            losses["central_loss"] = central_loss
        return losses

    def _is_optimal_joint(self, data: Transitions, q_star_i: Tensor) -> Tensor:
        return central.is_optimal_joint(
            self.central_mixer,
            q_star_i[:, :-1].detach(),
            data.state[:, :-1],
            data.actions,
            data.avail_actions[:, :-1],
        )

    # Construction

    def _build_central(
        self, scheme: Any
    ) -> Tuple[Optional[nn.Module], Optional[nn.Module]]:
        settings = self.settings
        if settings.weighting == "ideal":
            limit = settings.ideal_max_joint_actions
            central.check_enumerable(self.args.n_actions, self.args.n_agents, limit)
        if settings.central_loss == 0:
            if settings.weighting == "ideal":
                raise ConfigError("weighting='ideal' needs Q̂*: set central_loss > 0")
            return None, None
        return (
            central.build_central_agent(scheme, self.args, settings),
            central.build_central_mixer(self.args, settings),
        )

    def _build_targets(self) -> Dict[str, Tuple[Any, Any]]:
        """Online networks that have a target network, each with that target."""
        online: Dict[str, Any] = {}
        if self.central_agent is None or not self.host.double_q:
            online["mac"] = self.mac
        if self.central_agent is None:
            online["mixer"] = self.mixer
        else:
            online["central_agent"] = self.central_agent
            online["central_mixer"] = self.central_mixer
        return {name: (net, copy.deepcopy(net)) for name, net in online.items()}

    def _parts(self) -> Dict[str, List[nn.Parameter]]:
        """Parameters by part, in the order of the published learner's optimiser."""
        parts = {
            "agent": list(self.mac.parameters()),
            "mixer": list(self.mixer.parameters()),
        }
        if self.central_agent is not None:
            parts["central"] = [
                *self.central_agent.parameters(),
                *self.central_mixer.parameters(),
            ]
        return parts

    def _parameters(self) -> List[nn.Parameter]:
        return [p for part in self._parts().values() for p in part]

    @property
    def target_central_agent(self) -> Optional[nn.Module]:
        """Q̂*⁻'s per-agent network; None with `central_loss: 0`."""
        return self.target_networks.get("central_agent")

    @property
    def target_central_mixer(self) -> Optional[nn.Module]:
        """Q̂*⁻'s mixer; None with `central_loss: 0`."""
        return self.target_networks.get("central_mixer")

    def cuda(self) -> None:
        """Move all networks to the GPU."""
        self.mac.cuda()
        self.mixer.cuda()
        if self.central_agent is not None:
            self.central_agent.cuda()
            self.central_mixer.cuda()
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
            path = checkpoints.last_good_path(self.args, t_env)
            self.save_models(path)
            raise NonFiniteError(
                f"not finite at t_env={t_env}: {', '.join(bad)}; training stopped "
                f"before this update, the networks until then are saved in {path}"
            )

    def _part_norms(self) -> Dict[str, Tensor]:
        parts = self._parts()
        return {f"{name}_norm": grad_norm(part) for name, part in parts.items()}

    def _means(
        self, values: Values, data: Transitions, td_error: Tensor
    ) -> Dict[str, Tensor]:
        """Means over the real transitions."""
        logged = {
            "td_error_abs": td_error.abs(),
            "q_taken_mean": values.q_tot,
            "target_mean": values.target,
            "w_to_use": values.weights,
        }
        if values.q_star is not None:
            logged["q_star_mean"] = values.q_star
        count = data.mask.sum().clamp(min=1)
        means = {key: (x * data.mask).sum() / count for key, x in logged.items()}
        for key in DIVISIONS_BY_AGENTS:
            means[key] = means[key] / self.args.n_agents
        return means

    def _log(self, stats: Dict[str, Tensor], t_env: int) -> None:
        """Log python floats, read from the device at once."""
        values = torch.stack([value.detach() for value in stats.values()]).tolist()
        for key, value in zip(stats, values):
            self.logger.log_stat(key, value, t_env)

    # Checkpoints

    def save_models(self, path: str) -> None:
        """Write all networks, target networks, the optimiser and counters to a folder.

        Files: the host's `agent.th`, `mixer.th`, `opt.th`, and ours. Atomically: the
        folder is complete or as it was.
        """
        checkpoints.save(path, self.mac, self._modules(), self._state())

    def load_models(self, path: str) -> None:
        """Read what `save_models` wrote; tensors only, nothing is executed.

        A checkpoint of the host's own QMIX warm-starts the utilities and the mixer, and
        a warning says that Q̂* is new.

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
        modules: Dict[str, Any] = {"mixer": self.mixer, "opt": self.optimiser}
        if self.central_agent is not None:
            modules["central_agent"] = self.central_agent
            modules["central_mixer"] = self.central_mixer
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


def _host_settings(args: Any) -> HostSettings:
    settings = getattr(args, "wqmix_host", None)
    if settings is None:
        raise ConfigError(
            "WQMixLearner was built without the facts of its host: run the host "
            "through `python -m wqmix`, or call `wqmix.plugin.register()` in its main"
        )
    return settings
