"""A small host for the learner's tests: batch, controller, mixer, logger, arguments."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import torch
from torch import nn

from wqmix.learners import LEARNERS
from wqmix.settings import HostSettings, TargetUpdate

OURS = dict(
    weighting="cw",
    alpha=0.25,
    alpha_schedule="constant",
    alpha_finish=0.25,
    alpha_anneal_time=100,
    weighting_temperature=1.0,
    qmix_loss=1.0,
    central_loss=1.0,
    central_mixer="ff",
    central_mixing_embed_dim=8,
    central_hypernet_embed=6,
    central_agent="central_rnn",
    central_rnn_hidden_dim=7,
    central_action_embed=1,
    central_inputs="obs",
    ideal_max_joint_actions=1000,
    lr_anneal_time=0,
    lr_finish=0.0,
    mixer_init_scale=1.0,
    state_norm=False,
    mixing="host",
    monotonicity_loss=0.0,
    monotonicity_power=1,
    bootstrap="greedy",
    central_mixer_init_scale=1.0,
    unroll="auto",
    diagnostics=False,
    diagnostics_joint_actions=64,
)
POW = dict(
    weighting="pow",
    alpha=0.0,
    alpha_finish=0.0,
    pow_threshold=0.3,
    pow_updates=2,
    pow_warmup_steps=0,
    pow_embed_dim=4,
    pow_hypernet_embed=5,
    pow_value_embed=6,
)
PROJ = dict(
    weighting="uniform",
    omega="constant",
    omega_max=0.7,
    omega_anneal_steps=50,
    omega_embed_dim=5,
    advantage_value="sampled",
    advantage_samples=3,
    projector_inputs="state",
    projector_embed_dim=6,
    projector_heads=2,
    projector_clamp=10.0,
    projector_batch_norm=False,
    projector_l2=0.0,
    projector_lr=0.002,
    target_tau=0.1,
)
KEYS_OF = {"wqmix_learner": {}, "pow_qmix_learner": POW, "proj_qmix_learner": PROJ}
SIZES = dict(n_agents=3, n_actions=4, state_shape=5, obs_shape=6)


class Batch:
    """A host's EpisodeBatch, as far as a learner looks at it."""

    def __init__(self, data: dict) -> None:
        self.data = data
        self.batch_size, self.max_seq_length = data["reward"].shape[:2]
        self.device = data["reward"].device

    def __getitem__(self, item):
        if isinstance(item, slice):
            return Batch({key: value[item] for key, value in self.data.items()})
        return self.data[item]


class RNN(nn.Module):
    """PyMARL's utility network: Linear, ReLU, GRUCell, Linear."""

    def __init__(self, input_size: int, hidden: int, n_actions: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden)
        self.rnn = nn.GRUCell(hidden, hidden)
        self.fc2 = nn.Linear(hidden, n_actions)

    def forward(self, x, h):
        h = self.rnn(torch.relu(self.fc1(x)), h)
        return self.fc2(h), h


class Mac:
    """PyMARL's parameter-sharing controller over observation, last action and id."""

    def __init__(self, args, dtype) -> None:
        self.args = args
        size = args.obs_shape + args.n_actions + args.n_agents
        self.agent = RNN(size, 5, args.n_actions).to(dtype)
        self.unrolls = 0

    def init_hidden(self, batch_size):
        self.unrolls += 1
        weight = self.agent.fc1.weight
        self.hidden = weight.new_zeros(batch_size * self.args.n_agents, 5)

    def forward(self, batch, t):
        obs, onehot = batch["obs"][:, t], batch["actions_onehot"]
        last = onehot[:, t - 1] if t > 0 else torch.zeros_like(onehot[:, 0])
        ids = torch.eye(self.args.n_agents).to(obs).expand(len(obs), -1, -1)
        x = torch.cat([obs, last.to(obs), ids], dim=2).flatten(0, 1)
        q, self.hidden = self.agent(x, self.hidden)
        return q.unflatten(0, (len(obs), -1))

    def parameters(self):
        return self.agent.parameters()

    def cuda(self):
        self.agent.cuda()

    def load_state(self, other):
        self.agent.load_state_dict(other.agent.state_dict())

    def save_models(self, path):
        torch.save(self.agent.state_dict(), f"{path}/agent.th")

    def load_models(self, path):
        self.agent.load_state_dict(torch.load(f"{path}/agent.th"))


class Mixer(nn.Module):
    """A monotonic mixer: Σ_i |w_i(s)| q_i + b(s)."""

    def __init__(self, args, dtype) -> None:
        super().__init__()
        self.w = nn.Linear(args.state_shape, args.n_agents).to(dtype)
        self.b = nn.Linear(args.state_shape, 1).to(dtype)

    def forward(self, q, state):
        return (self.w(state).abs() * q).sum(-1, keepdim=True) + self.b(state)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.stats = {}
        self.console_logger = logging.getLogger("test")

    def log_stat(self, key, value, t):
        self.stats.setdefault(key, []).append((t, value))


def make_args(**changes) -> SimpleNamespace:
    """Arguments as a host would hand them over; changes to ours or to the host's."""
    host = dict(
        name="test host",
        lr=0.01,
        optimizer="rmsprop",
        optim_alpha=0.99,
        optim_eps=1e-5,
        weight_decay=0.0,
        grad_norm_clip=10.0,
        gamma=0.9,
        loss_factor=1.0,
        double_q=True,
        td_lambda=None,
        target_update=TargetUpdate("episodes", 200),
        standardise_rewards=False,
        standardise_returns=False,
        build_mixer=lambda args: Mixer(args, args.dtype),
        prepare_mac=lambda mac, device: None,
        train_returns=lambda td_error, mask: None,
    )
    host.update({key: changes.pop(key) for key in list(changes) if key in host})
    values = {**OURS, **SIZES, "obs_last_action": True, "obs_agent_id": True}
    values.update({"dtype": torch.float64, "learner_log_interval": 0, **changes})
    return SimpleNamespace(**values, wqmix_host=HostSettings(**host))


def make_learner(seed: int = 0, learner: str = "wqmix_learner", **changes):
    """A learner of random networks; targets differ from the online networks."""
    args = make_args(**{**KEYS_OF[learner], **changes})
    torch.manual_seed(seed)
    scheme = {"obs": {"vshape": args.obs_shape}, "state": {"vshape": args.state_shape}}
    built = LEARNERS[learner](Mac(args, args.dtype), scheme, Log(), args)
    for module in built.networks.nets.values():
        module.to(args.dtype)
    for target in built.target_networks.nets().values():
        getattr(target, "agent", target).to(args.dtype)
        with torch.no_grad():
            for p in target.parameters():
                p.copy_(torch.randn_like(p) * 0.4)
    return built


def make_batch(seed: int = 0, lengths=(6, 4, 3, 5), dtype=torch.float64) -> Batch:
    """Random episodes of up to 6 transitions (7 slots).

    The first runs to the last slot without terminating; the second terminates early;
    the third is cut short without `terminated`; the fourth terminates early. Some
    actions are unavailable; agent 0 of episode 0 has equal best utilities nowhere by
    chance, ties are made by the tests that need them.
    """
    g = torch.Generator().manual_seed(seed)
    b, slots = len(lengths), max(lengths) + 1
    a, u = SIZES["n_agents"], SIZES["n_actions"]
    avail = (torch.rand(b, slots, a, u, generator=g) < 0.7).int()
    avail[..., 0] = 1
    actions = torch.multinomial(avail.flatten(0, 2).float(), 1, generator=g)
    actions = actions.reshape(b, slots, a, 1)
    onehot = torch.zeros(b, slots, a, u).scatter_(3, actions, 1.0)
    filled = torch.zeros(b, slots, 1, dtype=torch.long)
    terminated = torch.zeros(b, slots, 1, dtype=torch.uint8)
    for i, length in enumerate(lengths):
        filled[i, : length + 1] = 1
        if i % 2 == 1:
            terminated[i, length - 1] = 1
    data = dict(
        state=torch.randn(b, slots, SIZES["state_shape"], generator=g, dtype=dtype),
        obs=torch.randn(b, slots, a, SIZES["obs_shape"], generator=g, dtype=dtype),
        reward=torch.randn(b, slots, 1, generator=g, dtype=dtype),
        actions=actions,
        actions_onehot=onehot,
        avail_actions=avail,
        filled=filled,
        terminated=terminated,
    )
    for key, value in data.items():  # padding is zero, as a host leaves it
        shape = (b, slots) + (1,) * (value.dim() - 2)
        if key in ("state", "obs", "avail_actions"):
            data[key] = value * filled.reshape(shape).to(value.dtype)
        elif key not in ("filled", "terminated"):
            taken = filled.clone()
            taken[:, :-1] = filled[:, 1:]
            taken[:, -1] = 0
            data[key] = value * taken.reshape(shape).to(value.dtype)
    return Batch(data)
