"""The published learner out of a checkout given by path, beside ours: same weights.

A checkout's modules have top-level names (`learners`, `modules`, ...); they are
imported under those names and then taken out of `sys.modules` again, so that several
checkouts can be loaded one after another in one process.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple
from unittest import mock

import numpy as np
import torch
import yaml

import wqmix
import wqmix.config
from wqmix.learners import WQMixLearner
from wqmix.settings import HostSettings, TargetUpdate

TOP_LEVEL = ("components", "controllers", "envs", "learners", "modules", "utils")
# Imported by some checkouts, used by nothing that is compared, absent from PyPI or from
# the checkout itself.
ABSENT = (
    "modules.mixers.qmix_ablations",
    "envs.matrix_game.matrix_game",
    "envs.starcraft",
    "smac",
    "smac.env",
    "pygame",
    "pysc2",
    "absl",
    "s2clientprotocol",
    "smaclite",
)


@contextlib.contextmanager
def imported(checkout: Path) -> Iterator[Callable[[str], Any]]:
    """Yield an importer of the modules of `checkout/src`."""
    saved = {name: sys.modules.pop(name) for name in _loaded()}
    source = str(Path(checkout) / "src")
    sys.path.insert(0, source)
    for name in ABSENT:
        sys.modules.setdefault(name, mock.MagicMock())
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(source)
        for name in (*_loaded(), *ABSENT):
            sys.modules.pop(name, None)
        sys.modules.update(saved)


def _loaded() -> List[str]:
    return [name for name in sys.modules if name.split(".")[0] in TOP_LEVEL]


@dataclass(frozen=True)
class Shape:
    """Sizes of a task and of a training batch.

    `padded`: only the first episode is as long as the batch, the others are of any
    length, so that about half of the slots is padding.
    """

    n_agents: int
    n_actions: int
    obs_shape: int
    state_shape: int
    slots: int
    episodes: int = 32
    padded: bool = False


@dataclass(frozen=True)
class Dialect:
    """How a published learner differs from others; each has a key of ours.

    Attributes:
        host: whose it is.
        optimizer: `optimizer` of the host's qmix.yaml.
        td_lambda: `td_lambda` there, None for one-step targets.
        central_factor: hidden in its loss of Q̂*; ours is `central_loss`.
    """

    host: str
    optimizer: str = "rmsprop"
    td_lambda: Optional[float] = None
    central_factor: float = 1.0


OXWHIRL = Dialect("oxwhirl/wqmix")
PYMARL2 = Dialect("PyMARL2", "adam", td_lambda=0.6, central_factor=0.5)


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.stats: Dict[str, List[Tuple[int, Any]]] = {}
        self.console_logger = logging.getLogger("benchmark")

    def log_stat(self, key: str, value: Any, t: int) -> None:
        """Keep one value."""
        self.stats.setdefault(key, []).append((t, value))


def arguments(shape: Shape, **changes: Any) -> SimpleNamespace:
    """Arguments that both learners understand; the published defaults."""
    values = dict(
        n_agents=shape.n_agents,
        n_actions=shape.n_actions,
        obs_shape=shape.obs_shape,
        state_shape=shape.state_shape,
        mixer="qmix",
        mixing_embed_dim=32,
        hypernet_layers=2,
        hypernet_embed=64,
        central_mixer="ff",
        central_mixing_embed_dim=256,
        central_action_embed=1,
        central_mac="basic_central_mac",
        central_agent="central_rnn",
        central_rnn_hidden_dim=64,
        central_loss=1,
        qmix_loss=1,
        w=0.1,
        hysteretic_qmix=False,
        double_q=True,
        gamma=0.99,
        lr=5e-4,
        optim_alpha=0.99,
        optim_eps=1e-5,
        grad_norm_clip=10,
        target_update_interval=200,
        learner_log_interval=0,
        agent="rnn",
        rnn_hidden_dim=64,
        gated=False,
        obs_last_action=True,
        obs_agent_id=True,
        agent_output_type="q",
        action_selector="epsilon_greedy",
        epsilon_start=1.0,
        epsilon_finish=0.05,
        epsilon_anneal_time=50000,
        use_cuda=False,
    )
    return SimpleNamespace(**{**values, **changes})


def ours_arguments(
    args: SimpleNamespace, mixer_of: Callable, dialect: Dialect
) -> SimpleNamespace:
    """The same arguments with our keys and the facts of the checkout's host."""
    host = HostSettings(
        name=dialect.host,
        lr=args.lr,
        optimizer=dialect.optimizer,
        optim_alpha=args.optim_alpha,
        optim_eps=args.optim_eps,
        weight_decay=0.0,
        grad_norm_clip=args.grad_norm_clip,
        gamma=args.gamma,
        loss_factor=1.0,
        double_q=True,
        td_lambda=dialect.td_lambda,
        target_update=TargetUpdate("episodes", args.target_update_interval),
        standardise_rewards=False,
        standardise_returns=False,
        build_mixer=lambda _: mixer_of(args),
        prepare_mac=lambda mac, device: None,
        train_returns=lambda td_error, mask: None,
    )
    yaml_file = Path(wqmix.config.__file__).parent / "algs" / "cw_qmix.yaml"
    ours = yaml.safe_load(yaml_file.read_text(encoding="utf-8"))
    changes = dict(
        weighting="ow" if args.hysteretic_qmix else "cw",
        alpha=args.w,
        central_loss=dialect.central_factor * args.central_loss,
        central_hypernet_embed=args.hypernet_embed,
        wqmix_host=host,
    )
    return SimpleNamespace(**{**ours, **vars(args), **changes})


def random_batch(batch_of: Callable, shape: Shape, seed: int) -> Any:
    """A batch of random episodes."""
    g = torch.Generator().manual_seed(seed)
    batch = batch_of()
    n, u = shape.n_agents, shape.n_actions
    for i in range(shape.episodes):
        whole = shape.slots - 1
        shortest = min(2, whole)
        length = (
            whole
            if i == 0 or not shape.padded
            else int(torch.randint(shortest, shape.slots, (), generator=g))
        )
        avail = (torch.rand(length + 1, n, u, generator=g) < 0.7).int()
        avail[..., 0] = 1
        before = {
            "state": torch.randn(length + 1, shape.state_shape, generator=g),
            "obs": torch.randn(length + 1, n, shape.obs_shape, generator=g),
            "avail_actions": avail,
        }
        batch.update(before, bs=i, ts=slice(0, length + 1))
        chosen = torch.multinomial(avail[:-1].flatten(0, 1).float(), 1, generator=g)
        terminated = torch.zeros(length, 1)
        terminated[-1] = 1 if i else 0
        after = {
            "actions": chosen.reshape(length, n, 1),
            "reward": torch.randn(length, 1, generator=g),
            "terminated": terminated,
        }
        batch.update(after, bs=i, ts=slice(0, length))
    return batch


def new_batches(load: Callable, shape: Shape, count: int) -> List[Any]:
    """Random batches of a checkout's own EpisodeBatch.

    Args:
        load: imports a module of the checkout, as `imported` yields it.
    """
    onehot = load("components.transforms").OneHot(out_dim=shape.n_actions)
    preprocess = {"actions": ("actions_onehot", [onehot])}
    new_batch = load("components.episode_buffer").EpisodeBatch
    groups, sizes = {"agents": shape.n_agents}, (shape.episodes, shape.slots)

    def batch_of() -> Any:
        return new_batch(_scheme(shape), groups, *sizes, preprocess=preprocess)

    return [random_batch(batch_of, shape, seed) for seed in range(count)]


def build_pair(
    checkout: Path,
    shape: Shape,
    n_batches: int,
    dialect: Dialect = OXWHIRL,
    **changes: Any,
) -> Tuple[Any, WQMixLearner, List[Any]]:
    """Return (published learner, ours, batches): equal weights, targets included."""
    args = arguments(shape, td_lambda=dialect.td_lambda, **changes)
    groups = {"agents": shape.n_agents}
    torch.manual_seed(0)
    with imported(checkout) as load:
        batches = new_batches(load, shape, n_batches)
        scheme = batches[0].scheme
        mac_of = load("controllers").REGISTRY["basic_mac"]
        macs = [mac_of(scheme, groups, args) for _ in range(2)]
        mixer_of = load("modules.mixers.qmix").QMixer
        published_of = load("learners.max_q_learner").MAXQLearner
        published = published_of(macs[0], scheme, Log(), args)
    macs[1].load_state(macs[0])
    ours = WQMixLearner(macs[1], scheme, Log(), ours_arguments(args, mixer_of, dialect))
    ours.mixer.load_state_dict(published.mixer.state_dict())
    ours.central_agent.load_state_dict(published.central_mac.agent.state_dict())
    ours.central_mixer.load_state_dict(published.central_mixer.state_dict())
    ours.target_networks.copy_all()
    return published, ours, batches


class PublishedRun:
    """The published code on its own predator-prey: rollouts, buffer and learner."""

    def __init__(self, checkout: Path, seed: int = 0) -> None:
        source = Path(checkout) / "src" / "config" / "envs" / "pred_prey_punish.yaml"
        env = yaml.safe_load(source.read_text(encoding="utf-8"))
        shape = Shape(8, 6, 75, 300, 201)
        args = arguments(
            shape,
            env=env["env"],
            env_args={**env["env_args"], "seed": seed},
            batch_size_run=1,
            device="cpu",
            test_nepisode=1,
            runner_log_interval=10**9,
            learner_log_interval=10**9,
        )
        np.random.seed(seed)
        torch.manual_seed(seed)
        scheme, groups = _scheme(shape), {"agents": shape.n_agents}
        with imported(checkout) as load:
            onehot = load("components.transforms").OneHot(out_dim=shape.n_actions)
            preprocess = {"actions": ("actions_onehot", [onehot])}
            self.runner = load("runners").REGISTRY["episode"](args, Log())
            self.buffer = load("components.episode_buffer").ReplayBuffer(
                scheme, groups, 500, shape.slots, preprocess=preprocess, device="cpu"
            )
            mac_of = load("controllers").REGISTRY["basic_mac"]
            mac = mac_of(self.buffer.scheme, groups, args)
            learner_of = load("learners.max_q_learner").MAXQLearner
            self.learner = learner_of(mac, self.buffer.scheme, Log(), args)
        self.runner.setup(scheme, groups, preprocess, mac)
        self.episodes = 0

    def play(self, episodes: int, train: bool) -> int:
        """Play episodes, updating after each if asked to; return the steps made."""
        before = self.runner.t_env
        for _ in range(episodes):
            batch = self.runner.run(test_mode=False)
            if train:
                self.buffer.insert_episode_batch(batch)
                self._update()
            self.episodes += 1
        return self.runner.t_env - before

    def load(self, folder: Path) -> None:
        """Go on with the networks of a checkpoint of ours, and at its step."""
        learner = self.learner
        nets = {
            "agent": learner.mac.agent,
            "mixer": learner.mixer,
            "central_agent": learner.central_mac.agent,
            "central_mixer": learner.central_mixer,
        }
        for name, net in nets.items():
            state = torch.load(folder / f"{name}.th", weights_only=True)
            net.load_state_dict(state)
        learner._update_targets()
        self.runner.t_env = int(folder.name)

    def _update(self) -> None:
        if self.buffer.can_sample(32):
            sample = self.buffer.sample(32)
            sample = sample[:, : sample.max_t_filled()]
            self.learner.train(sample, self.runner.t_env, self.episodes)


class OurRun:
    """Ours on the same predator-prey, in the embedded host with its vector runner."""

    def __init__(self, copies: int, seed: int = 0) -> None:
        quiet = 10**9
        self.session = wqmix.get_runner(
            "cw_qmix",
            "predator_prey",
            seed=seed,
            runner="vector",
            batch_size_run=copies,
            buffer_size=500,
            use_cuda=False,
            runner_log_interval=quiet,
            learner_log_interval=quiet,
        )

    def play(self, episodes: int, train: bool) -> int:
        """As `PublishedRun.play`; `episodes` is a multiple of the copies."""
        return self.session.play(episodes, train)

    def load(self, folder: Path) -> None:
        """As `PublishedRun.load`."""
        self.session.load(folder)


def _scheme(shape: Shape) -> Dict[str, Any]:
    agents = {"group": "agents"}
    return {
        "state": {"vshape": shape.state_shape},
        "obs": {"vshape": shape.obs_shape, **agents},
        "actions": {"vshape": (1,), "dtype": torch.long, **agents},
        "avail_actions": {"vshape": (shape.n_actions,), "dtype": torch.int, **agents},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
