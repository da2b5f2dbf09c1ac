"""What the learner is told: our own YAML keys, and the facts of the host.

`WQMixSettings` holds the keys of `config/algs/cw_qmix.yaml`, its relatives those of
other learners; `HostSettings` holds all in which hosts differ, settled once by the
host's adapter. None has a default value: the YAML files are the only place where a
value comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    FrozenSet,
    Mapping,
    Optional,
    Type,
    TypeVar,
)

from . import weightings
from .config import schema
from .config.names import nearest
from .errors import ConfigError
from .modules.agents import CENTRAL_AGENTS
from .modules.mixers import CENTRAL_MIXERS
from .omegas import OMEGAS
from .schedules import scheduled

TARGET_UPDATE_UNITS = ("episodes", "steps", "soft")


Settings = TypeVar("Settings", bound="LearnerSettings")


@dataclass(frozen=True)
class LearnerSettings:
    """The keys of every learner of ours (symbols: the paper's)."""

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
        values: Dict[str, Any] = {}
        for field in fields(cls):
            if field.name not in config:
                hint = nearest(field.name, config)
                raise ConfigError(f"{source}: key {field.name!r} is missing{hint}")
            value = config[field.name]
            check(field.name, value, source)
            values[field.name] = float(value) if field.type == "float" else value
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
        needed = weightings.NEEDS.get(self.weighting)
        if needed is not None and needed not in self.judges:
            remedy = weightings.LEARNERS_OF[needed]
            raise ConfigError(f"{source}: weighting={self.weighting!r} needs {remedy}")
        may_be_zero = self.weighting in weightings.ALPHA_MAY_BE_ZERO
        may_be_zero = may_be_zero and self.alpha_schedule != "exponential"
        for key in ("alpha", "alpha_finish"):
            if getattr(self, key) == 0 and not may_be_zero:
                raise ConfigError(
                    f"{source}: {key} is 0: a number within (0, 1] is needed with "
                    f"weighting={self.weighting}"
                )


@dataclass(frozen=True)
class WQMixSettings(LearnerSettings):
    """The keys that Weighted QMIX adds to a QMIX configuration."""

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
        check_choice("central_mixer", self.central_mixer, CENTRAL_MIXERS, source)
        check_choice("central_agent", self.central_agent, CENTRAL_AGENTS, source)


@dataclass(frozen=True)
class PowQMixSettings(WQMixSettings):
    """The keys that POW-QMIX adds (symbols: Huang et al. 2026)."""

    pow_threshold: float
    pow_updates: int
    pow_warmup_steps: int
    pow_embed_dim: int
    pow_hypernet_embed: int
    pow_value_embed: int

    judges: ClassVar[FrozenSet[str]] = frozenset(
        {"is_optimal_joint", "is_potentially_optimal"}
    )


@dataclass(frozen=True)
class ProjQMixSettings(LearnerSettings):
    """The keys of the projector variant: Q_tot = Q_mono + ω Q_proj."""

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
        for key in ("optimizer", "lr", "grad_norm_clip", "gamma"):
            check(key, getattr(self, key), self.name)
        if self.td_lambda is not None:
            check("td_lambda", self.td_lambda, self.name)
        unit, amount = self.target_update.unit, self.target_update.amount
        check_choice("target update unit", unit, TARGET_UPDATE_UNITS, self.name)
        most = 1.0 if unit == "soft" else float("inf")
        if not 0.0 < amount <= most:
            told = f"target update={amount} is outside (0, {most}]"
            raise ConfigError(f"{self.name}: {told}")


def check(key: str, value: Any, source: str) -> None:
    """Raise ConfigError unless a setting can have a value (`wqmix.config.schema`)."""
    wrong = schema.wrong(key, value)
    if wrong is not None:
        raise ConfigError(f"{source}: {wrong}")


def check_choice(key: str, value: Any, accepted: Any, source: str) -> None:
    """Raise ConfigError unless `value` is among the `accepted` names."""
    if value not in accepted:
        names = ", ".join(sorted(map(str, accepted)))
        hint = nearest(value, accepted)
        raise ConfigError(f"{source}: {key}={value!r} is not one of {names}{hint}")
