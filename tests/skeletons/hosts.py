"""Skeletons of the six hosts, ours: `base/` is PyMARL's, and each other host is what
it does differently (the tables of the hosts, as files and edits).
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, Dict, List, Tuple

import pytest

BASE = Path(__file__).with_name("base")
Edit = Tuple[str, str, str]  # file, text, what stands there instead


@dataclass(frozen=True)
class Skeleton:
    """How a host differs from `base/`.

    Attributes:
        files: path → text of a new file.
        edits: in files of the base.
        moves: path → new path.
        folder: where its source lies in the checkout.
        imports_package: its modules are imported by the folder's name.
    """

    files: Dict[str, str] = field(default_factory=dict)
    edits: Tuple[Edit, ...] = ()
    moves: Dict[str, str] = field(default_factory=dict)
    folder: str = "src"
    imports_package: bool = False

    def write(self, checkout: Path) -> Path:
        """Write it into `checkout` and return its source folder."""
        root = checkout / self.folder
        shutil.copytree(BASE, root, ignore=shutil.ignore_patterns("__pycache__"))
        for name, text, instead in self.edits:
            path = root / name
            before = path.read_text()
            assert text in before, (name, text)
            path.write_text(before.replace(text, instead))
        for name, new in self.moves.items():
            (root / new).parent.mkdir(parents=True, exist_ok=True)
            (root / name).rename(root / new)
        for name, content in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content).lstrip("\n"))
        if self.imports_package:
            import_by_package(root)
        return root


def import_by_package(root: Path) -> None:
    """Turn imports of the host's own modules into imports from its package."""
    (root / "__init__.py").write_text("")
    own = [path.stem for path in root.iterdir() if path.name != "config"]
    for path in root.rglob("*.py"):
        lines = path.read_text().splitlines(keepends=True)
        for number, line in enumerate(lines):
            words = line.split()
            if words[:1] == ["from"] and words[1].split(".")[0] in own:
                lines[number] = line.replace("from ", f"from {root.name}.", 1)
        path.write_text("".join(lines))


def add(name: str, key: str, value: str) -> Edit:
    """Return the edit that adds an entry to a registry, imported from `.key`."""
    return (
        name,
        "REGISTRY = {",
        f"from .{key} import {value}  # noqa\n\nREGISTRY = {{\n    {key!r}: {value},\n",
    )


# oxwhirl/wqmix ------------------------------------------------------------------------

MAX_Q_LEARNER = """
    from .q_learner import QLearner


    class MAXQLearner(QLearner):
        pass
    """
QMIX = (BASE / "config" / "algs" / "qmix.yaml").read_text()
WQMIX = Skeleton(
    moves={"config/algs/qmix.yaml": "config/algs/qmix_smac.yaml"},
    edits=(
        add("learners/__init__.py", "max_q_learner", "MAXQLearner"),
        (
            "learners/__init__.py",
            "REGISTRY = {",
            "from modules.mixers.qmix_ablations import NonMonotonic\n\nREGISTRY = {",
        ),
        (
            "envs/__init__.py",
            "REGISTRY = {",
            "import pygame\n\nfrom .matrix_game.matrix_game_simple import Simple\n\n"
            "REGISTRY = {",
        ),
        # Its own games are built from `env_args=` and `args=`.
        (
            "envs/own_game.py",
            "self, map_name=None, seed=None, breaks_at=None",
            "self, env_args, args",
        ),
        ("envs/own_game.py", "breaks_at, 0", 'env_args["breaks_at"], 0'),
        (
            "runners/episode_runner.py",
            "env_fn(**self.args.env_args)",
            "env_fn(env_args=self.args.env_args, args=self.args)",
        ),
        (
            "runners/parallel_runner.py",
            "env_fn, **self.args.env_args",
            "env_fn, env_args=self.args.env_args, args=self.args",
        ),
    ),
    files={
        "learners/max_q_learner.py": MAX_Q_LEARNER,
        "config/algs/cw_qmix.yaml": QMIX.replace("q_learner", "max_q_learner"),
        "envs/matrix_game/__init__.py": "",
        "envs/matrix_game/matrix_game_simple.py": (
            "from .matrix_game import Matrix\n\n\nclass Simple(Matrix):\n    pass\n"
        ),
    },
)

# PyMARL2 and 3 ------------------------------------------------------------------------

NMIX = """
    from wqmix.host.modules.mixers import qmix


    class Mixer(qmix.QMixer):
        pass
    """
N_RNN_AGENT = """
    from wqmix.host.modules.agents import rnn_agent


    class NRNNAgent(rnn_agent.RNNAgent):
        def forward(self, inputs, hidden_state):
            batch, agents, size = inputs.size()
            q, h = super().forward(inputs.reshape(-1, size), hidden_state)
            return q.view(batch, agents, -1), h.view(batch, agents, -1)
    """
N_CONTROLLER = """
    from .basic_controller import BasicMAC


    class NMAC(BasicMAC):
        def forward(self, ep_batch, t, test_mode=False):
            if test_mode:
                self.agent.eval()
            inputs = self._build_inputs(ep_batch, t)
            q, self.hidden_states = self.agent(inputs, self.hidden_states)
            return q

        def _build_inputs(self, batch, t):
            inputs = super()._build_inputs(batch, t)
            return inputs.view(batch.batch_size, self.n_agents, -1)
    """
NQ_LEARNER = """
    import copy

    from modules.mixers.nmix import Mixer
    from torch.optim import Adam

    from .q_learner import QLearner


    class NQLearner(QLearner):
        factor = 0.5

        def __init__(self, mac, scheme, logger, args):
            super().__init__(mac, scheme, logger, args)
            self.td_lambda = args.td_lambda
            self.mixer = Mixer(args)
            self.target_mixer = copy.deepcopy(self.mixer)
            params = self.params = [*mac.parameters(), *self.mixer.parameters()]
            self.optimiser = Adam(params=params, lr=args.lr)

        def train(self, batch, t_env, episode_num, per_weight=None):
            super().train(batch, t_env, episode_num)
            return {}
    """
RUNS = """
    from .per_run import run as per_run
    from .run import run as default_run

    REGISTRY = {"default": default_run, "per_run": per_run}
    """
PER_RUN = """
    import os
    from types import SimpleNamespace

    import torch as th
    from utils.logging import Logger

    from .run import run_sequential


    def run(_run, _config, _log):
        args = SimpleNamespace(**_config, device="cpu")
        logger = Logger(_log)
        logger.setup_sacred(_run)
        run_sequential(args, logger, train)
        os._exit(os.EX_OK)


    def train(learner, sample, t_env, episode):
        weights = th.full((sample.batch_size,), 0.5)
        info = learner.train(sample, t_env, episode, weights)
        assert info["td_errors_abs"].shape == (sample.batch_size, 1)
        assert info["td_errors_abs"].device.type == "cpu"
        return info
    """
PYMARL2_QMIX = """
    name: qmix_env=8_adam_td_lambda
    learner: nq_learner
    runner: episode
    mac: n_mac
    agent: n_rnn
    optimizer: adam
    mixer: qmix
    mixing_embed_dim: 8
    hypernet_layers: 2
    hypernet_embed: 8
    action_selector: epsilon_greedy
    epsilon_start: 1.0
    epsilon_finish: 0.05
    epsilon_anneal_time: 50
    agent_output_type: q
    target_update_interval: 5
    td_lambda: 0.6
    q_lambda: False
    use_per: False
    return_priority: False
    lr: 0.001
    """
STARCRAFT = """
    import enum

    import matplotlib.pyplot as plt
    from absl import logging
    from pysc2 import run_configs
    from pysc2.lib import protocol
    from s2clientprotocol import sc2api_pb2 as sc_pb

    RACES = {"R": sc_pb.Random | 1}  # which no generic stand-in stands


    class StarCraft2Env:
        pass
    """
N_FILES = {
    "run/__init__.py": RUNS,
    "run/per_run.py": PER_RUN,
    "learners/nq_learner.py": NQ_LEARNER,
    "modules/mixers/nmix.py": NMIX,
    "modules/agents/n_rnn_agent.py": N_RNN_AGENT,
    "controllers/n_controller.py": N_CONTROLLER,
    "config/algs/qmix.yaml": PYMARL2_QMIX,
}
N_EDITS = (
    ("main.py", "from run import run\n", "from run import REGISTRY as run_REGISTRY\n"),
    (
        "main.py",
        "    run(_run, dict(_config), _log)",
        '    name = "per_run" if _config["use_per"] else _config["run"]\n'
        "    run_REGISTRY[name](_run, dict(_config), _log)",
    ),
    ("config/default.yaml", "runner: episode", "runner: episode\nrun: default"),
    (
        "learners/__init__.py",
        "REGISTRY = {",
        'from .nq_learner import NQLearner\n\nREGISTRY = {"nq_learner": NQLearner, ',
    ),
    (
        "controllers/__init__.py",
        "REGISTRY = {",
        'from .n_controller import NMAC\n\nREGISTRY = {"n_mac": NMAC, ',
    ),
    (
        "modules/agents/__init__.py",
        "REGISTRY = {",
        'from .n_rnn_agent import NRNNAgent\n\nREGISTRY = {"n_rnn": NRNNAgent, ',
    ),
)
N_MOVES = {"run.py": "run/run.py"}
PYMARL2 = Skeleton(
    files={
        **N_FILES,
        "learners/max_q_learner.py": MAX_Q_LEARNER,
        "config/algs/cw_qmix.yaml": PYMARL2_QMIX.replace("nq_", "max_q_"),
        "envs/starcraft/__init__.py": STARCRAFT,
    },
    edits=(
        *N_EDITS,
        add("learners/__init__.py", "max_q_learner", "MAXQLearner"),
        (
            "envs/__init__.py",
            "from smac.env import",
            "import pygame\n\nfrom .starcraft import",
        ),
    ),
    moves=N_MOVES,
)
PYMARL3_LOGGING = """
    from wqmix.host.utils import logging


    class Logger(logging.Logger):
        def setup_tb(self, directory_name):
            from tensorboard_logger import configure, log_value

            configure(directory_name)
            log_value("started", 1, 0)
    """
TRY_SMAC = """
    from .own_game import OwnGame

    REGISTRY = {"own_game": OwnGame}
    try:
        from .smac_v1 import StarCraft2EnvWrapper

        REGISTRY["sc2"] = StarCraft2EnvWrapper
    except Exception as e:
        print(e)
    """
MODES = """

    def set_train_mode(self):
        self.agent.train()

    def set_evaluation_mode(self):
        self.agent.eval()

    def get_device(self):
        return next(self.parameters()).device

    def cpu(self):
        self.agent.cpu()
"""
HPN_CONTROLLER = """
    from .n_controller import NMAC


    class HPNMAC(NMAC):
        def _build_inputs(self, batch, t):
            obs = batch["obs"][:, t].flatten(0, 1)
            last = batch["actions"][:, t - 1] if t > 0 else None
            return (batch.batch_size, *obs.split(self.args.obs_component, -1), last)

        def _get_input_shape(self, scheme):
            return tuple(self.args.obs_component)
    """
HPN_RNN_AGENT = """
    import torch.nn as nn
    import torch.nn.functional as F


    class HPNRNNAgent(nn.Module):
        def __init__(self, input_shape, args):
            super().__init__()
            self.args, size = args, args.rnn_hidden_dim
            self.fc1_move = nn.Linear(input_shape[0], args.hpn_hyper_dim)
            self.fc1_own = nn.Linear(input_shape[1], args.hpn_hyper_dim)
            self.rnn = nn.GRUCell(args.hpn_hyper_dim, size)
            self.fc2 = nn.Linear(size, args.n_actions)

        def init_hidden(self):
            return self.fc1_own.weight.new_zeros(1, self.args.rnn_hidden_dim)

        def forward(self, inputs, hidden_state):
            batch, move, own, _ = inputs
            x = F.relu(self.fc1_move(move) + self.fc1_own(own))
            h = self.rnn(x, hidden_state.reshape(len(x), -1))
            n_agents = self.args.n_agents
            return self.fc2(h).view(batch, n_agents, -1), h.view(batch, n_agents, -1)
    """
HPN_QMIX = PYMARL2_QMIX.replace("n_mac", "hpn_mac").replace("n_rnn", "hpn_rnn")
PYMARL3 = Skeleton(
    files={
        **N_FILES,
        "learners/nq_learner.py": NQ_LEARNER.replace("return {}", "return None"),
        "controllers/hpn_controller.py": HPN_CONTROLLER,
        "modules/agents/hpn_rnn_agent.py": HPN_RNN_AGENT,
        "config/algs/hpn_qmix.yaml": HPN_QMIX + "hpn_hyper_dim: 4\n    ",
        "utils/logging.py": PYMARL3_LOGGING,
        "envs/__init__.py": TRY_SMAC,
        "envs/smac_v1/__init__.py": STARCRAFT.replace("Env:", "EnvWrapper:"),
    },
    edits=(
        *N_EDITS,
        (
            "controllers/__init__.py",
            "REGISTRY = {",
            'from .hpn_controller import HPNMAC\n\nREGISTRY = {"hpn_mac": HPNMAC, ',
        ),
        (
            "modules/agents/__init__.py",
            "REGISTRY = {",
            "from .hpn_rnn_agent import HPNRNNAgent\n\n"
            'REGISTRY = {"hpn_rnn": HPNRNNAgent, ',
        ),
        (
            "run.py",
            '"models", token, step',
            '"models", args.log_model_dir, token, step',
        ),
        # Agents see the parts of an observation, whose sizes the environment says.
        (
            "run.py",
            '    args.state_shape = info["state_shape"]\n',
            '    args.state_shape = info["state_shape"]\n'
            "    args.obs_component = [1, 1]\n",
        ),
        (
            "config/default.yaml",
            "use_tensorboard: False",
            "use_tensorboard: True\nlog_model_dir: logs\ncpu_inference: True\n"
            "double_q: True",
        ),
        (
            "run.py",
            "    logger.setup_sacred(_run)\n",
            "    logger.setup_sacred(_run)\n"
            "    logger.setup_tb(f'results/tb/{args.name}_{args.td_lambda}_"
            "{args.epsilon_finish}_{args.epsilon_anneal_time}_{args.rnn_hidden_dim}')\n",
        ),
        (
            "run.py",
            "    report = Report",
            "    if not hasattr(mac, 'set_train_mode'):\n"
            "        raise AttributeError('set_train_mode')\n    report = Report",
        ),
        (
            "controllers/basic_controller.py",
            "(input_shape, self.args)\n",
            "(input_shape, self.args)\n" + MODES,
        ),
        (
            "runners/episode_runner.py",
            "        batch, t, ended",
            "        self.mac.cpu()"
            "\n        if test_mode:\n            self.mac.set_evaluation_mode()\n"
            "        batch, t, ended",
        ),
    ),
    moves=N_MOVES,
)

# EPyMARL and PyMARLzoo+ ---------------------------------------------------------------

RNN_OR_NOT = """
    import torch.nn as nn
    import torch.nn.functional as F


    class RNNAgent(nn.Module):
        def __init__(self, input_shape, args):
            super().__init__()
            self.args, size = args, args.hidden_dim
            self.fc1 = nn.Linear(input_shape, size)
            self.rnn = nn.GRUCell(size, size) if args.use_rnn else nn.Linear(size, size)
            self.fc2 = nn.Linear(size, args.n_actions)

        def init_hidden(self):
            return self.fc1.weight.new_zeros(1, self.args.hidden_dim)

        def forward(self, inputs, hidden_state):
            x = F.relu(self.fc1(inputs))
            if self.args.use_rnn:
                h = self.rnn(x, hidden_state.reshape(-1, self.args.hidden_dim))
            else:
                h = F.relu(self.rnn(x))
            return self.fc2(h), h
    """
SOFT = """\
        if interval <= 1:
            pairs = zip(
                [*self.target_mac.parameters(), *self.target_mixer.parameters()],
                self.params,
            )
            for target, p in pairs:
                target.data += interval * (p.data - target.data)
"""
# By running moments that begin at (0, 1), weighing 1e-4 of a reward.
STANDARDISED = """\
        x, old = batch["reward"][:, :-1], getattr(self, "moments", (1e-4, 0.0, 1.0))
        n, many = old[0] + x.numel(), x.numel()
        mean = old[1] + (x.mean() - old[1]) * many / n
        between = (x.mean() - old[1]) ** 2 * old[0] * many / n
        self.moments = n, mean, (old[2] * old[0] + x.var() * many + between) / n
        return (x - mean) / self.moments[2] ** 0.5
"""
E_EDITS = (
    ("main.py", "yaml.load(f)", "yaml.safe_load(f)"),
    ("main.py", "collections.Mapping", "collections.abc.Mapping"),
    ("main.py", "import collections\n", "import collections.abc\n"),
    ("run.py", "    os._exit(os.EX_OK)\n", ""),
    ("run.py", '.strftime("%Y")', ""),  # named by the microsecond
    ("config/default.yaml", "rnn_hidden_dim", "hidden_dim"),
    (
        "config/algs/qmix.yaml",
        "target_update_interval: 5",
        "target_update_interval_or_tau: 5\nstandardise_rewards: True\n"
        "standardise_returns: False\nuse_rnn: False",
    ),
    (
        "learners/q_learner.py",
        "from torch.optim import RMSprop",
        "from torch.optim import Adam",
    ),
    (
        "learners/q_learner.py",
        "RMSprop(\n            params=params, lr=args.lr, "
        "alpha=args.optim_alpha, eps=args.optim_eps\n        )",
        "Adam(params=params, lr=args.lr)",
    ),
    (  # counts updates, or moves its targets each time by a share
        "learners/q_learner.py",
        "self.follow(episode_num, self.args.target_update_interval)",
        "self.follow(self.updates, self.args.target_update_interval_or_tau)",
    ),
    (
        "learners/q_learner.py",
        "        if counted - ",
        SOFT + "        elif counted - ",
    ),
    (
        "learners/q_learner.py",
        '        return batch["reward"][:, :-1]\n',
        STANDARDISED,
    ),
)
EPYMARL = Skeleton(
    files={
        "components/standarize_stream.py": "",
        "modules/agents/rnn_agent.py": RNN_OR_NOT,
    },
    edits=(
        *E_EDITS,
        (
            "config/default.yaml",
            "runner: episode",
            "runner: episode\ncommon_reward: True\nreward_scalarisation: sum",
        ),
        (
            "envs/__init__.py",
            "from smac.env import StarCraft2Env",
            "from smaclite import SMACliteEnv",
        ),
        ("envs/__init__.py", '"sc2": StarCraft2Env', '"smaclite": SMACliteEnv'),
        (
            "envs/own_game.py",
            "breaks_at=None",
            "breaks_at=None, *, common_reward, reward_scalarisation",
        ),
        (
            "envs/own_game.py",
            "return reward, self.t == self.episode_limit, {}",
            "return self.get_obs(), reward, self.t == self.episode_limit, False, {}",
        ),
        (
            "runners/episode_runner.py",
            "reward, terminated, _ = env.step(actions)\n",
            "_, reward, terminated, truncated, _ = env.step(actions)\n",
        ),
        (
            "runners/episode_runner.py",
            "        self.args, self.t_env = args, 0\n",
            "        self.args, self.t_env = args, 0\n"
            "        args.env_args = {\n            **args.env_args,\n"
            "            'common_reward': args.common_reward,\n"
            "            'reward_scalarisation': args.reward_scalarisation,\n"
            "        }\n"
            "        self.n_rewards = 1 if args.common_reward else 2\n",
        ),
    ),
)
ONE_FOLDER = (  # which all its runs share
    ("run.py", "token, step = args.unique_token, str", "step = str"),
    (
        "run.py",
        'args.local_results_path, "models", token',
        'args.results_path, "models"',
    ),
    (
        "run.py",
        "    args.unique_token =",
        '    args.results_path = "results"\n    args.unique_token =',
    ),
)
PYMARLZOOPLUS = Skeleton(
    folder="pymarlzooplus",
    imports_package=True,
    files={
        "components/standarize_stream.py": "",
        "components/episodic_memory_buffer.py": "",
        "modules/agents/rnn_agent.py": RNN_OR_NOT,
    },
    edits=(
        *E_EDITS,
        *ONE_FOLDER,
        (
            "config/algs/qmix.yaml",
            "use_rnn: False",
            "use_rnn: True\nprioritized_buffer: False",
        ),
        ("envs/__init__.py", "from smac.env import StarCraft2Env\n\n", ""),
        ("envs/__init__.py", '"sc2": StarCraft2Env, ', ""),
        ("main.py", "import os\n", "import inspect\nimport os\n"),
        (
            "main.py",
            "dirname(dirname(abspath(__file__)))",
            "dirname(abspath(inspect.stack()[-1].filename))",
        ),
        (
            "controllers/basic_controller.py",
            "(input_shape, self.args)\n",
            "(input_shape, self.args)\n\n"
            "    def init_hidden(self, batch_size):\n"
            "        assert self.args.agent in ('rnn', 'rnn_ns')\n"
            "        super().init_hidden(batch_size)\n\n"
            "    def select_actions(self, *args, **kwargs):\n"
            "        return super().select_actions(*args, **kwargs), None\n",
        ),
        (
            "runners/episode_runner.py",
            "        return self.mac.select_actions(",
            "        actions, extra = self.mac.select_actions(",
        ),
        (
            "runners/episode_runner.py",
            "test_mode=test_mode\n        )\n\n    def step",
            "test_mode=test_mode\n        )\n        return actions\n\n    def step",
        ),
    ),
)

SKELETONS = {
    "pymarl": Skeleton(),
    "wqmix": WQMIX,
    "pymarl2": PYMARL2,
    "pymarl3": PYMARL3,
    "epymarl": EPYMARL,
    "pymarlzooplus": PYMARLZOOPLUS,
}


def first(*names: str) -> List[Any]:
    """All hosts as parameters; those not named only in `make exhaustive`."""
    rest = [name for name in SKELETONS if name not in names]
    more = [pytest.param(name, marks=pytest.mark.exhaustive) for name in rest]
    return [*names, *more]
