"""What the learners share: PyMARL's interface, one checked step, checkpoints.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions,
`S` state size.
"""

from __future__ import annotations

import copy
import math
import warnings
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Type,
    cast,
)

import torch
from torch import Tensor, nn

from .. import checkpoints, targets
from ..errors import ConfigError, NonFiniteError, OutOfMemoryError
from ..guard import FiniteGuard, Snapshot, Statistics, is_read_at_once
from ..inputs import flat_size
from ..mixing import scale_mixer
from ..optim import FlatOptimiser, build_optimiser, grad_norm
from ..recurrence import full_precision
from ..running_moments import RunningMoments
from ..settings import HostSettings, LearnerSettings, TargetUpdate
from ..slots import Slots, used_slots
from ..state_norm import StateNorm
from ..storage.memory import is_out_of_memory
from ..storage.value_check import ValueCheck
from ..target_networks import TargetNetworks
from ..unroll import Unroll
from ..weightings import WeightingInputs, find, weigh

EVIDENCE_FIELDS = "state obs actions avail_actions reward terminated filled".split()
DIVISIONS_BY_AGENTS = ("q_taken_mean", "target_mean")  # as the hosts' baselines log


class Transitions(NamedTuple):
    """A host's batch, as the update reads it; slots 0…T, transitions 0…T−1."""

    batch: Any  # the host's EpisodeBatch
    state: Tensor  # [B, T+1, S]
    actions: Tensor  # [B, T, A, 1]
    avail_actions: Tensor  # [B, T+1, A, U]
    reward: Tensor  # [B, T, 1]
    terminated: Tensor  # [B, T, 1]
    mask: Tensor  # [B, T, 1]
    scale: Tensor  # what makes Σ m x a mean: 1 / Σ m, or more (`mean`)
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
            batch=batch,
            state=batch["state"].flatten(2),
            actions=batch["actions"][:, :-1],
            avail_actions=batch["avail_actions"],
            reward=reward,
            terminated=terminated[:, :-1],
            mask=mask,
            scale=mask.sum().clamp(min=1).reciprocal(),
            slots=slots,
            steps=steps,
        )

    def mean(self, x: Tensor) -> Tensor:
        """Σ m x / Σ m over the real transitions of x [B, T, 1].

        Times the host's factor of its losses, and each episode times its importance
        weight of prioritised replay.
        """
        return (self.scale * self.mask * x).sum()

    def mix(self, mixer: Any, q: Tensor) -> Tensor:
        """Mix what was chosen in the transitions, [B, T, A, …] → [B, T, 1]."""
        return self.steps.each(mixer, q, self.state[:, :-1])


class Networks(NamedTuple):
    """What a learner is made of besides the controller."""

    nets: Dict[str, nn.Module]  # by the stem of their files
    parts: Dict[str, List[nn.Parameter]]  # what is trained, in the optimiser's order
    followed: Dict[str, Any]  # online networks that have a target network
    groups: Optional[List[Dict[str, Any]]] = None  # of the optimiser, if not one
    optimisers: Dict[
        str, FlatOptimiser
    ] = {}  # further ones, by the stem of their files
    target_update: Optional[TargetUpdate] = None  # if not the host's


class Loss(NamedTuple):
    """What `loss` gives.

    Attributes:
        terms: name → (coefficient, mean []); what is minimised is their sum.
        values: with `q_tot`, `target`, `greedy`, `greedy_value` at least, void in
            padding.
        weights: w [B, T, 1].
        logged: called on log steps: what is logged as its mean over the real
            transitions, all [B, T, 1].
        more: what else must be finite and is logged, [] each.
    """

    terms: Dict[str, Tuple[float, Tensor]]
    values: Any
    weights: Tensor
    logged: Callable[[], Dict[str, Tensor]] = dict
    more: Dict[str, Tensor] = {}


class Learner:
    """A learner with PyMARL's interface over a host's utilities and monotonic mixer.

    A subclass names its `settings_class`, makes its networks in `_build` and computes
    `loss`; it may choose its own `weights`.

    Args:
        mac: the host's multi-agent controller, a black box that gives utilities.
        scheme: the host's replay scheme (`obs`, `state` with their `vshape`).
        logger: the host's logger (`log_stat`, `console_logger`).
        args: the host's arguments with the keys of our YAML, and `args.wqmix_host`,
            the host's facts, set by its adapter.

    Raises:
        ConfigError: a setting that cannot be right, or what this learner cannot do.
    """

    settings_class: ClassVar[Type[LearnerSettings]] = LearnerSettings
    settings: LearnerSettings

    def __init__(self, mac: Any, scheme: Any, logger: Any, args: Any) -> None:
        self.args, self.logger, self.mac = args, logger, mac
        self.settings = self.settings_class.from_config(vars(args), "configuration")
        self.host = _host_settings(args)
        self.weighting = find(self.settings.weighting)
        self.mixer = self.host.build_mixer(args)
        scale_mixer(self.mixer, self.settings.mixer_init_scale)
        self.networks = self._build(scheme)
        followed = self.networks.followed
        self.target_networks = TargetNetworks(
            self.networks.target_update or self.host.target_update,
            {name: (net, copy.deepcopy(net)) for name, net in followed.items()},
        )
        self.params = [p for part in self.networks.parts.values() for p in part]
        self.optimiser = build_optimiser(self.networks.groups or self.params, self.host)
        self.reward_moments = RunningMoments()
        self.return_moments = RunningMoments()
        self.state_norm = StateNorm(flat_size(args.state_shape))
        self.value_check = ValueCheck(logger.console_logger.warning)
        self.unroll = Unroll(self.settings.unroll, args, logger.console_logger.info)
        self.guard = FiniteGuard()
        self.last_log_t: int = -args.learner_log_interval - 1

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
            with full_precision():
                return self._update(batch, t_env, episode_num, per_weight)
        except NonFiniteError as error:
            is_of_this = error.t_env == t_env  # else, on a GPU, the batch is gone
            raise self._with_evidence(
                error, episode_num, batch if is_of_this else None
            ) from None
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Here, where the error no longer keeps the tensors of its frames.
        raise OutOfMemoryError(self._what_would_fit(batch, t_env))

    def _update(self, batch: Any, t_env: int, episode_num: int, per_weight: Any) -> Any:
        before = Snapshot(self._changed_early())
        data, loss, terms = self._backward(batch, t_env, per_weight)
        is_log_step = self._is_log_step(t_env)
        stats = self._stats(data, loss) if is_log_step else {}
        norm = self.optimiser.clip_grad_norm(self.host.grad_norm_clip)
        terms = {"grad_norm": norm, **terms}
        stats.update(terms)
        is_good = self.guard.judge(terms, t_env)
        is_read = is_log_step or is_read_at_once(is_good.device)
        if not (is_read and is_good):
            before.restore(unless=is_good)
        if is_read:
            self._check_finite(t_env)
        if self.settings.lr_anneal_time > 0:
            share = self.settings.lr_at(t_env, self.host.lr) / self.host.lr
            self.optimiser.scale_rates(share)
        self.optimiser.step(None if is_read else is_good)

        self.target_networks.after_train_step(episode_num, None if is_read else is_good)
        if is_log_step:
            self.last_log_t = t_env
            self._log(stats, t_env)
        return self.host.train_returns(td_error(data, loss), data.mask)

    def _backward(
        self, batch: Any, t_env: int, per_weight: Any = None
    ) -> Tuple[Transitions, Loss, Dict[str, Tensor]]:
        """A batch, its loss, what is logged of it; the gradients are in place."""
        data = self._seen(Transitions.of(batch), per_weight)
        self.host.prepare_mac(self.mac, data.state.device)
        loss = self.loss(data, t_env)
        parts = [coefficient * term for coefficient, term in loss.terms.values()]
        total = cast(Tensor, sum(parts))  # there is one at least
        self.optimiser.zero_grad()
        total.backward()
        terms = {name: term for name, (_, term) in loss.terms.items()}
        return data, loss, {"loss": total, **terms, **loss.more}

    def loss(self, data: Transitions, t_env: int) -> Loss:
        """The loss of a batch, with all that led to it."""
        raise NotImplementedError

    def _seen(self, data: Transitions, per_weight: Any = None) -> Transitions:
        """The batch as mixers and losses see it."""
        if not self._is_standardised():
            self.value_check.see(data.reward, data.mask)
        if self.settings.state_norm:
            self.state_norm.update(data.state[:, :-1], data.mask)
        scale = self.host.loss_factor * data.scale
        if per_weight is not None:
            per_weight = torch.as_tensor(per_weight, dtype=scale.dtype)
            scale = scale * per_weight.to(scale.device).reshape(-1, 1, 1)
        return data._replace(state=self.seen_by_mixers(data.state), scale=scale)

    def seen_by_mixers(self, state: Tensor) -> Tensor:
        """Return the state [..., S] as mixers see it."""
        return self.state_norm(state) if self.settings.state_norm else state

    def _is_standardised(self) -> bool:
        return self.host.standardise_rewards or self.host.standardise_returns

    @torch.no_grad()
    def weights(
        self, data: Transitions, values: Any, t_env: int, **judges: Callable[[], Tensor]
    ) -> Tensor:
        """w(s, u) of the actions taken [B, T, 1].

        Args:
            values: with `q_tot`, `target`, `greedy`, `greedy_value`.
            judges: what else a weighting may ask, as `WeightingInputs` names it.
        """
        is_greedy = data.actions == values.greedy[:, :-1]
        x = WeightingInputs(
            q_tot=values.q_tot.detach(),
            target=values.target,
            greedy_value=values.greedy_value,
            is_greedy_joint=is_greedy.all(dim=2),
            alpha=self.settings.alpha_at(t_env),
            temperature=self.settings.weighting_temperature,
            t_env=t_env,
            **judges,
        )
        is_read = is_read_at_once(x.target.device) or self._is_log_step(t_env)
        return weigh(self.settings.weighting, self.weighting, x, data.mask, is_read)

    def _is_log_step(self, t_env: int) -> bool:
        interval: int = self.args.learner_log_interval
        return t_env - self.last_log_t >= interval

    def _greedy(
        self, data: Transitions, q: Tensor, inputs: Tensor
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """û [B, T+1, A, 1], and target utilities [B, T+1, A, U] if there are any.

        Args:
            q: the online utilities, from which û is taken with `double_q`.
            inputs: of the utility network, as `Unroll` takes them.
        """
        target_mac, target_q = self.target_networks.mac, None
        if target_mac is not None:
            self.host.prepare_mac(target_mac, data.state.device)
            target_q = self.unroll(target_mac, data.batch, inputs, data.slots)
        greedy_from = q if self.host.double_q else target_q
        assert greedy_from is not None  # without double_q there is a target MAC
        return targets.greedy_actions(greedy_from, data.avail_actions), target_q

    def td_targets(self, data: Transitions, value: Tensor) -> Tensor:
        """Targets y [B, T, 1] (Eq. 8) of v [B, T+1, 1].

        With EPyMARL's running standardisation where the host has it.

        As there, padding counts among the rewards. It does not among the returns: what
        lies after an episode's end has no value here.
        """
        host, reward = self.host, data.reward
        if host.standardise_rewards:
            self.reward_moments.update(reward)
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

    def _changed_early(self) -> List[Any]:
        """What changes before an update's losses are known, as `Snapshot` takes it."""
        statistics = Statistics(self.networks.nets.values())
        moments = [self.reward_moments, self.return_moments, self.state_norm]
        return [*moments, statistics, *self.networks.optimisers.values()]

    # What a subclass makes

    def _build(self, scheme: Any) -> Networks:
        """Make the networks."""
        raise NotImplementedError

    def cuda(self) -> None:
        """Move all networks to the GPU."""
        # A cell's weights do not lie as cuDNN's own; to copy them costs little.
        warnings.filterwarnings("ignore", "RNN module weights are not part of single")
        self.mac.cuda()
        for net in self.networks.nets.values():
            net.cuda()
        self.target_networks.cuda()

    # Checks and logging

    def _check_finite(self, t_env: Optional[int] = None) -> None:
        """Stop if this update's losses or gradient are not finite, or an earlier one's.

        On a GPU this waits for the device, so there it is done on log steps only, and
        before a checkpoint; until then `guard` has kept everything as it was.
        """
        bad = self.guard.first_bad()
        if bad is None:
            return
        names = [name for name, x in bad.terms.items() if not math.isfinite(x)]
        found = "" if t_env is None else f" (found at the log step of {t_env})"
        found = "" if bad.t_env == t_env else found
        raise NonFiniteError(
            f"not finite at t_env={bad.t_env}{found}: {', '.join(names)}; training "
            "stopped before this update",
            bad.terms,
            bad.t_env,
        )

    def _with_evidence(
        self, error: NonFiniteError, episode_num: int, batch: Any
    ) -> NonFiniteError:
        """Save the networks with the batch, if any, and the terms; say where."""
        path = checkpoints.last_good_path(self.args, error.t_env)
        facts = {"t_env": error.t_env, "episode": episode_num, "terms": error.terms}
        saved = "the networks until then"
        if batch is not None:
            facts["batch"] = {key: batch[key].cpu() for key in EVIDENCE_FIELDS}
            saved += " and the batch"
        try:
            self._save(path, {checkpoints.EVIDENCE_STEM: facts})
            where = f"{saved} are saved in {path}"
        except OSError as problem:
            where = f"{saved} could not be saved in {path} ({problem})"
        return NonFiniteError(f"{error}; {where}", error.terms, error.t_env)

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

    def _stats(self, data: Transitions, loss: Loss) -> Dict[str, Tensor]:
        """What is logged besides the losses: norms of the gradient, masked means."""
        parts = {name: part for name, part in self.networks.parts.items() if part}
        stats = {f"{name}_norm": grad_norm(part) for name, part in parts.items()}
        count = data.mask.sum().clamp(min=1)
        means = {
            "td_error_abs": td_error(data, loss).abs(),
            "q_taken_mean": loss.values.q_tot,
            "target_mean": loss.values.target,
            "w_to_use": loss.weights,
            **loss.logged(),
        }
        for key, x in means.items():
            stats[key] = (x.detach() * data.mask).sum() / count
        for key in DIVISIONS_BY_AGENTS:
            stats[key] = stats[key] / self.args.n_agents
        if not self._is_standardised():
            size = (loss.values.q_tot.detach().abs() * data.mask).sum() / count
            self.value_check.judge(size.item())
        return stats

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

        Raises:
            NonFiniteError: on a GPU, where it is found only now: an earlier update was
                not finite.
        """
        try:
            self._check_finite()
        except NonFiniteError as error:
            episode = self.target_networks.last_episode
            raise self._with_evidence(error, episode, None) from None
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
        modules = {**self.networks.nets, "learner_opt": self.optimiser}
        modules.update(self.networks.optimisers)
        for name, net in self.target_networks.nets().items():
            modules[f"target_{name}"] = getattr(net, "agent", net)
        return modules

    def _state(self) -> Dict[str, Any]:
        return {
            "targets": self.target_networks.counters(),
            "reward_moments": self.reward_moments.state_dict(),
            "return_moments": self.return_moments.state_dict(),
            "last_log_t": self.last_log_t,
            "state_norm": self.state_norm.state_dict(),
        }

    def _load_state(self, state: Dict[str, Any]) -> None:
        self.target_networks.load_counters(state["targets"])
        self.reward_moments.load_state_dict(state["reward_moments"])
        self.return_moments.load_state_dict(state["return_moments"])
        self.last_log_t = state["last_log_t"]
        if "state_norm" in state:
            self.state_norm.load_state_dict(state["state_norm"])


def parameters(*nets: nn.Module) -> List[nn.Parameter]:
    """Return the parameters of several networks, in order."""
    return [p for net in nets for p in net.parameters()]


def td_error(data: Transitions, loss: Loss) -> Tensor:
    """m (Q_tot − y) [B, T, 1], without gradient."""
    error: Tensor = loss.values.q_tot.detach() - loss.values.target
    return error * data.mask


def _host_settings(args: Any) -> HostSettings:
    settings: Optional[HostSettings] = getattr(args, "wqmix_host", None)
    if settings is None:
        raise ConfigError(
            "the learner was built without the facts of its host: run the host "
            "through `python -m wqmix`, or call `wqmix.plugin.register()` in its main"
        )
    return settings
