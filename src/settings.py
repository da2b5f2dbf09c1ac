"""What the learner is told: our own YAML keys, and the facts of the host.

`WQMixSettings` holds the keys of `config/algs/cw_qmix.yaml`, its relatives those of
other learners; `HostSettings` holds all in which hosts differ, settled once by the
host's adapter. None has a default value: the YAML files are the only place where a
value comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Callable, ClassVar, FrozenSet, Mapping, Optional, Type, TypeVar

from . import weightings
from .errors import ConfigError, nearest
from .modules.agents import CENTRAL_AGENTS
from .modules.mixers import CENTRAL_MIXERS
from .omegas import OMEGAS
from .schedules import SCHEDULES, scheduled

UNROLLS = ("auto", "step")
PROJECTED = ("state", "state_action")
VALUES_OF_OMEGA = ("sampled", "network")
CENTRAL_INPUTS = ("obs", "state")
MIXINGS = ("host", "free")
BOOTSTRAPS = ("greedy", "taken")
TARGET_UPDATE_UNITS = ("episodes", "steps", "soft")


Settings = TypeVar("Settings", bound="LearnerSettings")


@dataclass(frozen=True)
class LearnerSettings:
    """The keys of every learner of ours (symbols: the paper's).

    Attributes:
        weighting: name of w(s, u), see `wqmix.weightings` (`cw`: Eq. 12, `ow`: Eq. 13).
        alpha: α in (0, 1], the weight of the other joint actions; with a schedule, its
            value at the start.
        alpha_schedule: `constant`, `linear` or `exponential` over environment steps.
        alpha_finish: α from `alpha_anneal_time` on (not if constant).
        alpha_anneal_time: environment steps.
        weighting_temperature: τ of the softened weightings, in units of the return.
        lr_anneal_time: environment steps in which the learning rate goes, in a line,
            from the host's to `lr_finish`; 0: it stays.
        mixer_init_scale: the last layers of the host's mixer are multiplied by it at
            the start (1: as the host draws them).
        state_norm: mixers see the state normalised by its running mean and variance.
        unroll: `auto` (whole sequences at once where verified) or `step`.
    """

    weighting: str
    alpha: float
    alpha_schedule: str
    alpha_finish: float
    alpha_anneal_time: int
    weighting_temperature: float
    lr_anneal_time: int
    lr_finish: float
    mixer_init_scale: float
    state_norm: bool
    unroll: str

    # What the learner can tell a weighting (fields of `WeightingInputs`).
    judges: ClassVar[FrozenSet[str]] = frozenset()
    # Whole numbers are positive but these.
    zero_or_more: ClassVar[FrozenSet[str]] = frozenset({"lr_anneal_time"})

    @classmethod
    def from_config(
        cls: Type[Settings], config: Mapping[str, Any], source: str
    ) -> Settings:
        """Read and check our keys.

        Args:
            config: the merged configuration (more keys than ours are ignored).
            source: where it came from, named in error messages.

        Raises:
            ConfigError: a key is missing, of the wrong type or out of range.
        """
        values = {}
        for field in fields(cls):
            if field.name not in config:
                hint = nearest(field.name, config)
                raise ConfigError(f"{source}: key {field.name!r} is missing{hint}")
            values[field.name] = _typed(config[field.name], field, source)
        settings = cls(**values)
        settings._check(source)
        return settings

    def alpha_at(self, t_env: int) -> float:
        """Return α after `t_env` environment steps."""
        return scheduled(
            self.alpha_schedule,
            self.alpha,
            self.alpha_finish,
            t_env,
            self.alpha_anneal_time,
        )

    def lr_at(self, t_env: int, lr: float) -> float:
        """Return the annealed learning rate after `t_env` steps from `lr`."""
        return scheduled("linear", lr, self.lr_finish, t_env, self.lr_anneal_time)

    def _check(self, source: str) -> None:
        check_choice("weighting", self.weighting, weightings.names(), source)
        check_choice("alpha_schedule", self.alpha_schedule, SCHEDULES, source)
        check_choice("unroll", self.unroll, UNROLLS, source)
        needed = weightings.NEEDS.get(self.weighting)
        if needed is not None and needed not in self.judges:
            remedy = weightings.LEARNERS_OF[needed]
            raise ConfigError(f"{source}: weighting={self.weighting!r} needs {remedy}")
        may_be_zero = self.weighting in weightings.ALPHA_MAY_BE_ZERO
        may_be_zero = may_be_zero and self.alpha_schedule != "exponential"
        for key in ("alpha", "alpha_finish"):
            value = getattr(self, key)
            if not (0.0 < value <= 1.0 or (may_be_zero and value == 0.0)):
                interval = "[0, 1]" if may_be_zero else "(0, 1]"
                raise ConfigError(f"{source}: {key}={value} is outside {interval}")
        for key in ("weighting_temperature", "mixer_init_scale"):
            check_above_zero(key, getattr(self, key), source)
        check_not_negative("lr_finish", self.lr_finish, source)
        for field in fields(self):
            if field.type != "int":
                continue
            value = getattr(self, field.name)
            if field.name in self.zero_or_more:
                check_not_negative(field.name, value, source)
            elif value < 1:
                raise ConfigError(f"{source}: {field.name}={value} is not positive")


@dataclass(frozen=True)
class WQMixSettings(LearnerSettings):
    """The keys that Weighted QMIX adds to a QMIX configuration.

    Attributes:
        qmix_loss: coefficient of the weighted QMIX loss (Eq. 10).
        central_loss: coefficient of the loss of Q̂* (Eq. 11); 0: no Q̂*, the targets
            bootstrap from the target Q_tot (an ablation).
        central_mixer: the unrestricted mixer of Q̂*, `ff` or `atten`.
        central_mixing_embed_dim: width of its hidden layers.
        central_hypernet_embed: width of the hidden layer of the attention network.
        central_mixer_init_scale: its output layers are multiplied by it at the start.
        central_agent: per-agent network of Q̂*.
        central_rnn_hidden_dim: its hidden size H.
        central_action_embed: E, outputs per action.
        central_inputs: `obs` or `state`, what that network sees.
        mixing: `host`, its own monotonic mixer; `free`, the same networks without the
            absolute values.
        monotonicity_loss: coefficient of the penalty on negative ∂Q_tot/∂Q_i; 0: none.
        monotonicity_power: the power of the negative part in it, 1 or 2.
        bootstrap: targets value the next state at û (`greedy`), or at the joint action
            that was taken there (`taken`, SARSA).
        ideal_max_joint_actions: `weighting: ideal` refuses more joint actions.
        diagnostics: log the share of greedy steps, Q̂* − Q_tot and more.
        diagnostics_joint_actions: joint actions per state that this looks at: all, if
            there are no more, else so many drawn at random.
    """

    qmix_loss: float
    central_loss: float
    central_mixer: str
    central_mixing_embed_dim: int
    central_hypernet_embed: int
    central_mixer_init_scale: float
    central_agent: str
    central_rnn_hidden_dim: int
    central_action_embed: int
    central_inputs: str
    mixing: str
    monotonicity_loss: float
    monotonicity_power: int
    bootstrap: str
    ideal_max_joint_actions: int
    diagnostics: bool
    diagnostics_joint_actions: int

    judges: ClassVar[FrozenSet[str]] = frozenset({"is_optimal_joint"})

    def _check(self, source: str) -> None:
        super()._check(source)
        choices = {
            "central_mixer": CENTRAL_MIXERS,
            "central_agent": CENTRAL_AGENTS,
            "central_inputs": CENTRAL_INPUTS,
            "mixing": MIXINGS,
            "monotonicity_power": (1, 2),
            "bootstrap": BOOTSTRAPS,
        }
        for key, accepted in choices.items():
            check_choice(key, getattr(self, key), accepted, source)
        for key in ("qmix_loss", "central_loss", "monotonicity_loss"):
            check_not_negative(key, getattr(self, key), source)
        scale = self.central_mixer_init_scale
        check_above_zero("central_mixer_init_scale", scale, source)


@dataclass(frozen=True)
class PowQMixSettings(WQMixSettings):
    """The keys that POW-QMIX adds (symbols: Huang et al. 2026).

    Attributes:
        pow_threshold: C, u is potentially optimal where |A_r(s, u)| < C.
        pow_updates: steps of the recogniser for each update of the other networks.
        pow_warmup_steps: environment steps during which all weights are 1.
        pow_embed_dim, pow_hypernet_embed: sizes of λ's hypernetworks.
        pow_value_embed: width of V(s) in the recogniser.
    """

    pow_threshold: float
    pow_updates: int
    pow_warmup_steps: int
    pow_embed_dim: int
    pow_hypernet_embed: int
    pow_value_embed: int

    judges: ClassVar[FrozenSet[str]] = frozenset(
        {"is_optimal_joint", "is_potentially_optimal"}
    )
    zero_or_more = LearnerSettings.zero_or_more | {"pow_warmup_steps"}

    def _check(self, source: str) -> None:
        super()._check(source)
        check_above_zero("pow_threshold", self.pow_threshold, source)


@dataclass(frozen=True)
class ProjQMixSettings(LearnerSettings):
    """The keys of the projector variant: Q_tot = Q_mono + ω Q_proj.

    Attributes:
        omega: form of ω, see `wqmix.omegas`.
        omega_max, omega_anneal_steps: of `constant` and `annealed`.
        omega_embed_dim: width of the networks of `learned` and `advantage`.
        advantage_value: `sampled` or `network`, V(s) of `advantage`.
        advantage_samples: joint actions drawn for it.
        projector_inputs: `state` or `state_action`.
        projector_embed_dim, projector_heads: width and number of heads, summed.
        projector_clamp: largest |Q_proj|.
        projector_batch_norm: normalise the heads' hidden layer.
        projector_l2: weight decay of Q_proj.
        projector_lr: learning rate of Q_proj and of ω's networks.
        target_tau: τ of the soft target updates.
    """

    omega: str
    omega_max: float
    omega_anneal_steps: int
    omega_embed_dim: int
    advantage_value: str
    advantage_samples: int
    projector_inputs: str
    projector_embed_dim: int
    projector_heads: int
    projector_clamp: float
    projector_batch_norm: bool
    projector_l2: float
    projector_lr: float
    target_tau: float

    def _check(self, source: str) -> None:
        super()._check(source)
        check_choice("omega", self.omega, OMEGAS, source)
        check_choice("advantage_value", self.advantage_value, VALUES_OF_OMEGA, source)
        check_choice("projector_inputs", self.projector_inputs, PROJECTED, source)
        for key in ("omega_max", "projector_l2"):
            check_not_negative(key, getattr(self, key), source)
        for key in ("projector_clamp", "projector_lr"):
            check_above_zero(key, getattr(self, key), source)
        _check_range("target_tau", self.target_tau, 1.0, source)


@dataclass(frozen=True)
class TargetUpdate:
    """When target networks follow: each `amount` episodes or train steps (a copy), or
    `soft`: θ⁻ ← (1 − amount) θ⁻ + amount θ after each train step."""

    unit: str
    amount: float


@dataclass(frozen=True)
class HostSettings:
    """All in which hosts differ, as its adapter (`wqmix.plugin.hosts`) settled it.

    Attributes:
        name: the host, for messages.
        lr, optimizer, optim_alpha, optim_eps, weight_decay: `rmsprop` or `adam`, as the
            host's own QMIX is optimised (`optim_alpha` and `optim_eps`: RMSprop only).
        grad_norm_clip: largest L2 norm of the gradient over all parameters.
        gamma: discount γ.
        loss_factor: of the whole loss, as in the host's (PyMARL2's is half the square).
        double_q: greedy actions from the online (True) or target utilities.
        td_lambda: λ of TD(λ) targets, None for one-step targets.
        target_update: see `TargetUpdate`.
        standardise_rewards, standardise_returns: EPyMARL's running standardisation.
        build_mixer: `args` → the host's own monotonic mixer.
        prepare_mac: called as `(mac, device)` before each update: train mode, device.
        train_returns: `(td_error, mask)`, both [B, T, 1] → what `train` returns.
    """

    name: str
    lr: float
    optimizer: str
    optim_alpha: float
    optim_eps: float
    weight_decay: float
    grad_norm_clip: float
    gamma: float
    loss_factor: float
    double_q: bool
    td_lambda: Optional[float]
    target_update: TargetUpdate
    standardise_rewards: bool
    standardise_returns: bool
    build_mixer: Callable[[Any], Any]
    prepare_mac: Callable[[Any, Any], None]
    train_returns: Callable[[Any, Any], Any]

    def __post_init__(self) -> None:
        check_choice("optimizer", self.optimizer, ("adam", "rmsprop"), self.name)
        unit, amount = self.target_update.unit, self.target_update.amount
        check_choice("target update unit", unit, TARGET_UPDATE_UNITS, self.name)
        most = 1.0 if unit == "soft" else float("inf")
        _check_range("target update", amount, most, self.name)
        _check_range("lr", self.lr, float("inf"), self.name)
        _check_range("grad_norm_clip", self.grad_norm_clip, float("inf"), self.name)
        for key, value in (("gamma", self.gamma), ("td_lambda", self.td_lambda)):
            if value is not None and not 0.0 <= value <= 1.0:
                raise ConfigError(f"{self.name}: {key}={value} is outside [0, 1]")


def check_choice(key: str, value: Any, accepted: Any, source: str) -> None:
    """Raise ConfigError unless `value` is among the `accepted` names."""
    if value not in accepted:
        names = ", ".join(sorted(map(str, accepted)))
        hint = nearest(value, accepted)
        raise ConfigError(f"{source}: {key}={value!r} is not one of {names}{hint}")


def check_not_negative(key: str, value: float, source: str) -> None:
    """Raise ConfigError unless a number is zero or more."""
    if not 0.0 <= value < float("inf"):
        raise ConfigError(f"{source}: {key}={value} is not zero or more")


def check_above_zero(key: str, value: float, source: str) -> None:
    """Raise ConfigError unless a number is more than zero."""
    if not 0.0 < value < float("inf"):
        raise ConfigError(f"{source}: {key}={value} is not more than zero")


def _check_range(key: str, value: float, most: float, source: str) -> None:
    if not 0.0 < value <= most:
        raise ConfigError(f"{source}: {key}={value} is outside (0, {most}]")


def _typed(value: Any, field: Any, source: str) -> Any:
    """Return `value` as the field's type, or raise ConfigError."""
    kinds = {"str": str, "int": int, "float": (int, float), "bool": bool}[field.type]
    is_number_from_bool = isinstance(value, bool) and field.type != "bool"
    if not isinstance(value, kinds) or is_number_from_bool:
        wanted = {"str": "a name", "int": "a whole number", "float": "a number"}
        kind = wanted.get(field.type, "True or False")
        raise ConfigError(f"{source}: {field.name}={value!r} is not {kind}")
    return float(value) if field.type == "float" else value
