"""Every setting of ours: what values it takes, what it means, what others call it.

Default values are in the YAML files beside this one, and nowhere else. Read here by
the learners, the embedded host, the adapters, `wqmix list settings`, the hints of error
messages and docs/all_settings.md (`python tools/write_settings.py`).
"""

from __future__ import annotations

import math
import numbers
import re
from typing import Any, Collection, Dict, Mapping, NamedTuple, Optional, Tuple

_INTERVAL = re.compile(r"([\[(])(\S+), (\S+)([\])])")


class Interval(NamedTuple):
    """Numbers from `low` to `high`, the ends among them or not; written `(0, 1]`."""

    low: float
    high: float
    has_low: bool
    has_high: bool

    @classmethod
    def read(cls, text: str) -> Interval:
        """Read `[0, 1)`, `(0, inf)` and the like."""
        found = _INTERVAL.fullmatch(text)
        assert found is not None, text
        left, low, high, right = found.groups()
        return cls(float(low), float(high), left == "[", right == "]")

    def __contains__(self, value: object) -> bool:
        assert isinstance(value, numbers.Real)
        x: Any = value  # by their types such numbers have no order
        above: bool = x >= self.low if self.has_low else x > self.low
        below: bool = x <= self.high if self.has_high else x < self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'>=' if self.has_low else '>'} {self.low:g}"
        left, right = "(["[self.has_low], ")]"[self.has_high]
        return f"within {left}{self.low:g}, {self.high:.10g}{right}"


class Setting(NamedTuple):
    """One setting.

    Attributes:
        kind: `whole`, `number`, `flag` or `text`.
        meaning: a few words, with the unit.
        interval: of a number.
        choices: of a text; empty: any, or those of a register.
        also: what other hosts and libraries call it.
        nullable: it may be null.
    """

    kind: str
    meaning: str
    interval: Interval = Interval.read("(-inf, inf)")
    choices: Tuple[Any, ...] = ()
    also: Tuple[str, ...] = ()
    nullable: bool = False

    @property
    def needed(self) -> str:
        """What it takes, in words: `a whole number >= 1`."""
        if self.choices:
            *others, last = map(str, self.choices)
            return f"{', '.join(others)} or {last}"
        bounded = self.interval.low > -math.inf
        bounds = f" {self.interval}" if bounded else ""
        words = {"whole": "a whole number", "number": "a number"}
        words.update(flag="True or False", text="a name")
        return words[self.kind] + bounds

    def wrong(self, value: Any) -> str:
        """Return what is needed in place of a value; "" where it can be."""
        if value is None and self.nullable:
            return ""
        is_flag, is_text = isinstance(value, bool), isinstance(value, str)
        if self.choices:
            return "" if value in self.choices else self.needed
        if self.kind in ("flag", "text"):
            is_right = is_flag if self.kind == "flag" else is_text
            return "" if is_right else self.needed
        kind = numbers.Integral if self.kind == "whole" else numbers.Real
        is_right = isinstance(value, kind) and not is_flag and value in self.interval
        return "" if is_right else self.needed


def whole(interval: str, meaning: str, *also: str, nullable: bool = False) -> Setting:
    """A whole number."""
    return Setting("whole", meaning, Interval.read(interval), (), also, nullable)


def number(interval: str, meaning: str, *also: str) -> Setting:
    """A number."""
    return Setting("number", meaning, Interval.read(interval), (), also)


def flag(meaning: str, *also: str) -> Setting:
    """True or False."""
    return Setting("flag", meaning, also=also)


def text(meaning: str, *also: str, nullable: bool = False) -> Setting:
    """A name or a path."""
    return Setting("text", meaning, also=also, nullable=nullable)


def choice(choices: Collection[Any], meaning: str, *also: str) -> Setting:
    """One of a few values."""
    return Setting("text", meaning, choices=tuple(choices), also=also)


COUNT, SHARE, POSITIVE, NOT_NEGATIVE = "[1, inf)", "[0, 1]", "(0, inf)", "[0, inf)"
LARGEST_SEED = 2**32 - 1

EVERY_LEARNER = {
    "weighting": text(
        "w(s, u): cw (Eq. 12), ow (Eq. 13), ideal (Eq. 6), uniform, soft_cw, soft_ow, "
        "greedy, pow, a registered name or path/to/file.py:function",
        "hysteretic_qmix",
    ),
    "alpha": number(SHARE, "α, the weight of what w does not favour", "w"),
    "alpha_schedule": choice(
        ("constant", "linear", "exponential"), "α over environment steps"
    ),
    "alpha_finish": number(SHARE, "α from alpha_anneal_time on, if not constant"),
    "alpha_anneal_time": whole(COUNT, "environment steps from alpha to alpha_finish"),
    "weighting_temperature": number(
        POSITIVE, "τ of soft_cw and soft_ow, in units of the return"
    ),
    "lr_anneal_time": whole(
        NOT_NEGATIVE, "environment steps from lr to lr_finish, in a line; 0: lr stays"
    ),
    "lr_finish": number(NOT_NEGATIVE, "the learning rate from lr_anneal_time on"),
    "mixer_init_scale": number(
        POSITIVE, "the last layers of the host's mixer are multiplied by it at first"
    ),
    "state_norm": flag("mixers see states by their running mean and variance"),
    "unroll": choice(
        ("auto", "step"), "auto: whole sequences at once, where verified to be equal"
    ),
}
WEIGHTED_QMIX = {
    "qmix_loss": number(NOT_NEGATIVE, "coefficient of the weighted loss (Eq. 10)"),
    "central_loss": number(
        NOT_NEGATIVE, "coefficient of Q̂*'s loss (Eq. 11); 0: no Q̂*, targets from Q_tot"
    ),
    "central_mixer": text("mixer of Q̂*: ff, atten, or a registered one"),
    "central_mixing_embed_dim": whole(COUNT, "width of its hidden layers"),
    "central_hypernet_embed": whole(COUNT, "width of atten's attention network"),
    "central_mixer_init_scale": number(
        POSITIVE, "its output layers are multiplied by it at first"
    ),
    "central_agent": text(
        "per-agent network of Q̂*: central_rnn, central_rnn_ns, central_ff, or a "
        "registered one"
    ),
    "central_rnn_hidden_dim": whole(COUNT, "its hidden size H"),
    "central_action_embed": whole(COUNT, "E, its outputs for each action"),
    "central_inputs": choice(("obs", "state"), "what it sees"),
    "mixing": choice(
        ("host", "free"),
        "host: its own monotonic mixer; free: QMIX's without absolute values",
    ),
    "monotonicity_loss": number(
        NOT_NEGATIVE, "coefficient of the penalty on negative ∂Q_tot/∂Q_i"
    ),
    "monotonicity_power": choice((1, 2), "the power of the negative part in it"),
    "bootstrap": choice(
        ("greedy", "taken"), "targets value û, or the joint action taken (SARSA)"
    ),
    "ideal_max_joint_actions": whole(COUNT, "weighting: ideal refuses more"),
    "diagnostics": flag("log the share of greedy steps, Q̂* − Q_tot and more"),
    "diagnostics_joint_actions": whole(
        COUNT, "of each state that this looks at: all, or so many drawn"
    ),
}
POW = {
    "pow_threshold": number(
        POSITIVE, "C: u is potentially optimal where |A_r(s, u)| < C"
    ),
    "pow_updates": whole(COUNT, "steps of the recogniser for each update"),
    "pow_warmup_steps": whole(NOT_NEGATIVE, "environment steps with all weights 1"),
    "pow_embed_dim": whole(COUNT, "width of λ's hypernetworks' output"),
    "pow_hypernet_embed": whole(COUNT, "width of their hidden layers"),
    "pow_value_embed": whole(COUNT, "width of V(s) in the recogniser"),
}
PROJECTOR = {
    "omega": text("form of ω: constant, annealed, learned, advantage"),
    "omega_max": number(NOT_NEGATIVE, "ω of constant, and annealed's in the end"),
    "omega_anneal_steps": whole(COUNT, "environment steps of annealed"),
    "omega_embed_dim": whole(COUNT, "width of learned's and advantage's networks"),
    "advantage_value": choice(("sampled", "network"), "V(s) of advantage"),
    "advantage_samples": whole(COUNT, "joint actions drawn for it"),
    "projector_inputs": choice(("state", "state_action"), "what Q_proj sees"),
    "projector_embed_dim": whole(COUNT, "width of a head"),
    "projector_heads": whole(COUNT, "heads, which are summed"),
    "projector_clamp": number(POSITIVE, "largest |Q_proj|"),
    "projector_batch_norm": flag("normalise the heads' hidden layer"),
    "projector_l2": number(NOT_NEGATIVE, "weight decay of Q_proj"),
    "projector_lr": number(POSITIVE, "learning rate of Q_proj and ω's networks"),
    "target_tau": number(
        "(0, 1]", "targets move by this share after each update; 1: a copy"
    ),
}
PARITY = {
    "parity": choice(
        ("auto", "check", "warn", "off"),
        "the host's own update beside ours, before training (docs/hosts.md)",
    ),
    "base_learner": text(
        "the host's own learner: found by the launcher", nullable=True
    ),
    "monotonic_mixer": text(
        "a mixer of the host's that you know to be monotonic", nullable=True
    ),
}
# Of hosts, as the embedded one has them; adapters read some of them in others.
EXPERIMENT = {
    "name": text("names the folders of models and TensorBoard logs"),
    "seed": whole(
        f"[0, {LARGEST_SEED}]", "null: one is drawn, and recorded", nullable=True
    ),
    "label": text("recorded, otherwise unused", nullable=True),
}
ROLLOUTS = {
    "env": text("set by --env-config"),
    "runner": text("episode, parallel (processes) or vector (many in one process)"),
    "batch_size_run": whole(
        COUNT,
        "episodes for each rollout",
        *("num_envs", "n_envs", "n_rollout_threads", "parallel_envs"),
    ),
    "worker_timeout": number(POSITIVE, "seconds until a silent process is replaced"),
    "worker_restarts": whole(NOT_NEGATIVE, "at most so many in ten minutes"),
    "mac": text("the controller"),
    "action_selector": text("epsilon_greedy"),
    "epsilon_start": number(SHARE, "ε at t = 0", "eps_start", "epsilon_initial"),
    "epsilon_finish": number(
        SHARE,
        "ε from epsilon_anneal_time on",
        *("eps_finish", "eps_end", "epsilon_end", "epsilon_min"),
    ),
    "epsilon_anneal_time": whole(
        COUNT,
        "environment steps between both",
        *("epsilon_decay", "epsilon_anneal", "eps_decay"),
    ),
}
SCHEDULE = {
    "t_max": whole(
        NOT_NEGATIVE,
        "environment steps of training",
        *("total_timesteps", "total_steps", "max_steps"),
    ),
    "test_interval": whole(
        COUNT,
        "environment steps between two tests",
        *("eval_interval", "evaluate_freq"),
    ),
    "test_nepisode": whole(
        COUNT,
        "episodes of a test",
        *("eval_episodes", "test_episodes", "num_test_episodes"),
    ),
    "own_test_env": flag("tests play in an environment of their own"),
    "test_greedy": flag("False: tests explore as training does"),
    "log_interval": whole(COUNT, "environment steps between summaries on the console"),
    "runner_log_interval": whole(COUNT, "… between training returns"),
    "learner_log_interval": whole(COUNT, "… between losses"),
    "training_iters": whole(COUNT, "updates after each rollout"),
    "episodes_per_update": whole(COUNT, "above 1: fewer updates than episodes"),
}
DEVICE = {
    "use_cuda": flag("the GPU, where there is one", "device"),
    "cpu_inference": flag("act on the CPU and learn on the GPU"),
    "buffer_cpu_only": flag("keep the replay buffer in main memory"),
}
RESULTS = {
    "use_tensorboard": flag("write event files; needs tensorboardX"),
    "use_wandb": flag("write a run of Weights & Biases; needs wandb"),
    "wandb_mode": choice(("offline", "online"), "whether it is sent while it runs"),
    "wandb_project": text("its project"),
    "wandb_team": text("whose; null: of who is logged in", nullable=True),
    "local_results_path": text("the folder of everything that is written"),
    "save_model": flag("write checkpoints"),
    "save_model_interval": whole(COUNT, "environment steps between them"),
    "keep_checkpoints": whole(NOT_NEGATIVE, "the last ones, and the best; 0: all"),
    "save_buffer": flag("with the buffer: resumed runs are the same to the last bit"),
    "checkpoint_path": text("a folder with a folder for each saved step"),
    "load_step": whole(NOT_NEGATIVE, "the one nearest to this; 0: the last"),
    "resume": flag("go on exactly where checkpoint_path ended"),
    "auto_resume": flag("the same, from the furthest checkpoint of the same run"),
    "evaluate": flag("test the loaded checkpoint, and end"),
    "save_replay": flag("let the environment write a replay, and end"),
}
LEARNING = {
    "learner": text("a registered name, or path/to/file.py:ClassName"),
    "mixer": text("qmix, vdn; null: each agent on its own", nullable=True),
    "double_q": flag(
        "greedy actions from the online utilities", "use_double_q", "double_dqn"
    ),
    "gamma": number(SHARE, "discount γ", "discount"),
    "batch_size": whole(
        COUNT, "episodes of an update", "minibatch_size", "buffer_batch_size"
    ),
    "buffer_size": whole(
        COUNT, "episodes kept", "replay_size", "buffer_capacity", "memory_size"
    ),
    "use_per": flag("prioritised replay of episodes, as PyMARL2"),
    "per_alpha": number(POSITIVE, "exponent of the priorities"),
    "per_beta": number(SHARE, "exponent of the importance weights; 1 at t_max"),
    "optimizer": choice(
        ("rmsprop", "adam"), "the optimiser", "optim_type", "optimiser"
    ),
    "lr": number(POSITIVE, "learning rate", "learning_rate"),
    "optim_alpha": number(SHARE, "RMSprop's α"),
    "optim_eps": number(POSITIVE, "RMSprop's ε"),
    "grad_norm_clip": number(POSITIVE, "largest norm of the gradient", "max_grad_norm"),
    "td_lambda": number(
        SHARE, "λ of TD(λ) targets, as PyMARL2; 0: one step", "lambda", "gae_lambda"
    ),
    "target_update_interval": whole(
        COUNT,
        "episodes between copies of the target networks",
        *("target_update_interval_or_tau", "target_update_freq"),
    ),
    "target_update_interval_or_tau": number(
        NOT_NEGATIVE,
        "above 1: updates between copies; up to 1: τ of soft ones; 0: see above",
        "tau",
    ),
    "standardise_rewards": flag("by their running mean and variance, as EPyMARL"),
    "standardise_returns": flag("the targets likewise"),
}
NETWORKS = {
    "agent": text("rnn"),
    "agent_output_type": text("q"),
    "rnn_hidden_dim": whole(COUNT, "agents' hidden size", "hidden_dim", "hidden_size"),
    "use_layer_norm": flag("normalise it before the last layer, as PyMARL2"),
    "use_orthogonal": flag("agents and QMIX's mixer start orthogonal, as PyMARL2"),
    "gain": number(POSITIVE, "of the agents' last layer then"),
    "obs_agent_id": flag("an agent sees its own number"),
    "obs_last_action": flag("an agent sees its last action"),
    "mixing_embed_dim": whole(
        COUNT, "width of QMIX's mixer", "mixer_embedding_dim", "mixing_hidden_dim"
    ),
    "hypernet_layers": choice((1, 2), "layers of its hypernetworks"),
    "hypernet_embed": whole(
        COUNT,
        "width of their hidden layers",
        *("mixer_hypernet_hidden_dim", "hypernet_hidden_dim"),
    ),
}
# What the embedded host reads itself, for its baselines too.
HOST = {
    **EXPERIMENT,
    **ROLLOUTS,
    **SCHEDULE,
    **DEVICE,
    **RESULTS,
    **LEARNING,
    **NETWORKS,
}
HOST.update(**LEARNING, **NETWORKS)
HOST.update(
    (key, EVERY_LEARNER[key])
    for key in ("lr_anneal_time", "lr_finish", "mixer_init_scale", "state_norm")
)
SECTIONS: Mapping[str, Mapping[str, Setting]] = {
    "Every learner of ours": EVERY_LEARNER,
    "Weighted QMIX": WEIGHTED_QMIX,
    "POW-QMIX": POW,
    "The projector variant": PROJECTOR,
    "Before training": PARITY,
    "The embedded host: the experiment": EXPERIMENT,
    "The embedded host: environment and rollouts": ROLLOUTS,
    "The embedded host: schedule": SCHEDULE,
    "The embedded host: device": DEVICE,
    "The embedded host: results": RESULTS,
    "The embedded host: learning": LEARNING,
    "The embedded host: networks": NETWORKS,
}
SETTINGS: Dict[str, Setting] = {
    key: setting for section in SECTIONS.values() for key, setting in section.items()
}


def wrong(key: str, value: Any, kind: str = "") -> Optional[str]:
    """Say what is wrong with a setting's value; None where it can be.

    Args:
        kind: of a key that is not ours; empty: it takes any value.
    """
    setting = SETTINGS.get(key, Setting(kind, "") if kind else None)
    needed = "" if setting is None else setting.wrong(value)
    return f"{key} is {shown(value)}: {needed} is needed" if needed else None


def shown(value: Any) -> str:
    """A value as messages show it: one short line."""
    told = repr(value)
    return told if len(told) <= 200 else f"{told[:200]}…"
