"""Forks as seen in public, written anew: each a known host with something else."""

from __future__ import annotations

import dataclasses
from typing import Dict, Optional

from .hosts import EPYMARL, Edit, Skeleton


def fork(base: Skeleton, *edits: Edit, files: Optional[Dict] = None) -> Skeleton:
    """Return a skeleton with more edits and files."""
    return dataclasses.replace(
        base, edits=(*base.edits, *edits), files={**base.files, **(files or {})}
    )


PYMARL = Skeleton()
DEFAULTS = "config/default.yaml"
LEARNER, RUN = "learners/q_learner.py", "run.py"
EPISODE_RUNNER = "runners/episode_runner.py"

# EPyMARL's layout, and an algorithm of its own in its QMIX learner.
OTHER_UPDATE = fork(
    EPYMARL,
    (DEFAULTS, "gamma: 0.99", "gamma: 0.99\nlambda_: 0.8\nl2_decay: 0.01"),
    (DEFAULTS, "runner: episode", "runner: episode\noptim_type: rmsprop"),
    (LEARNER, "factor, td_lambda = 1.0, 0.0", "factor, td_lambda = 1.0, 0.8"),
    (
        LEARNER,
        "Adam(params=params, lr=args.lr)",
        "getattr(th.optim, {'rmsprop': 'RMSprop', 'adam': 'Adam'}[args.optim_type])("
        "params, args.lr, weight_decay=args.l2_decay)",
    ),
)
SINGLE_Q = fork(PYMARL, (LEARNER, "best = q.masked", "best = target_q.masked"))
# What no fact that the probe knows explains: errors to the power of four.
ANOTHER_LOSS = fork(PYMARL, (LEARNER, ".square().sum()", ".pow(4).sum()"))

# A mixer that looks at the observations, too.
MIXER_OF_THREE = fork(
    PYMARL,
    (
        "modules/mixers/qmix.py",
        "    pass\n",
        "    def forward(self, qvals, states, obs):\n"
        "        return super().forward(qvals, states) + 0 * obs.sum()\n",
    ),
    (LEARNER, 'batch["state"][:, :-1])', 'batch["state"][:, :-1], batch["obs"])'),
    (
        LEARNER,
        '.squeeze(3), batch["state"]\n',
        '.squeeze(3), batch["state"], batch["obs"]\n',
    ),
)

# EPyMARL before Gymnasium.
OLDER_EPYMARL = fork(
    EPYMARL,
    (
        "envs/own_game.py",
        "return self.get_obs(), reward, self.t == self.episode_limit, False, {}",
        "return reward, self.t == self.episode_limit, {}",
    ),
    (
        EPISODE_RUNNER,
        "_, reward, terminated, truncated, _ = env.step(actions)\n",
        "reward, terminated, _ = env.step(actions)\n",
    ),
)

# Its base is VDN, or what it calls its own.
NO_QMIX = dataclasses.replace(
    PYMARL,
    moves={"config/algs/qmix.yaml": "config/algs/vdn.yaml"},
    edits=(("config/algs/qmix.yaml", "mixer: qmix", "mixer: vdn"),),
)
OWN_BASE = dataclasses.replace(
    PYMARL, moves={"config/algs/qmix.yaml": "config/algs/ours_v2.yaml"}
)

# Its runner asks an environment for more, in another way.
ASKS_FOR_MORE = fork(
    PYMARL,
    (RUN, "    agents = {", '    args.unit_dim = info["unit_dim"]\n    agents = {'),
    ("envs/own_game.py", '"n_agents": 2,', '"n_agents": 2, "unit_dim": 4,'),
)
ASKS_WITH_ARGS = fork(
    PYMARL,
    (EPISODE_RUNNER, "[0].get_env_info()", "[0].get_env_info(self.args)"),
    ("envs/own_game.py", "get_env_info(self)", "get_env_info(self, args)"),
    (
        EPISODE_RUNNER,
        "env_fn(**self.args.env_args)",
        "env_fn(**self.args.env_args, state_last_action=True, obs_entity_mode=False)",
    ),
    ("envs/own_game.py", "breaks_at=None", "breaks_at=None, **_"),
)

# Another mixer that is monotonic, and one that is not.
ATTENTION = """
    import torch as th
    import torch.nn as nn


    class Attention(nn.Module):
        def __init__(self, args):
            super().__init__()
            self.key = nn.Linear(args.state_shape, args.n_agents)
            self.v = nn.Linear(args.state_shape, 1)

        def forward(self, qvals, states):
            share = th.softmax(self.key(states), -1)
            return (share * qvals.view_as(share)).sum(-1, keepdim=True) + self.v(states)
    """
ATTENDING = fork(
    PYMARL,
    ("config/algs/qmix.yaml", "mixer: qmix", "mixer: attention"),
    (
        LEARNER,
        '        elif args.mixer == "qmix":',
        '        elif args.mixer == "attention":\n'
        "            from modules.mixers.attention import Attention\n\n"
        "            self.mixer = Attention(args)\n"
        '        elif args.mixer == "qmix":',
    ),
    files={"modules/mixers/attention.py": ATTENTION},
)
ANY_SIGN = ATTENTION.replace("th.softmax(self.key(states), -1)", "self.key(states)")
NOT_MONOTONIC = fork(ATTENDING, files={"modules/mixers/attention.py": ANY_SIGN})

# sacred's configuration as it is, and only what the fork knows.
READ_ONLY = fork(
    PYMARL,
    ("main.py", "dict(_config)", "_config"),
    (RUN, "SimpleNamespace(**_config,", "SimpleNamespace(**dict(_config),"),
)
WHITELIST = fork(
    PYMARL,
    (
        RUN,
        "    args = SimpleNamespace(**_config,",
        "    known = open('src/config/default.yaml').read()\n"
        "    known += open('src/config/algs/qmix.yaml').read()\n"
        "    known += ' seed name learner env_args env breaks_at'\n"
        "    _config = {k: v for k, v in _config.items() if k in known}\n"
        "    args = SimpleNamespace(**_config,",
    ),
)

# `--key=value` for settings, and the seed read off the command line at once.
DASHES = fork(
    PYMARL,
    (
        "main.py",
        "    ex.add_config(config)\n",
        "    for word in [x for x in params if x.startswith('--') and '=' in x]:\n"
        "        key, _, value = word[2:].partition('=')\n"
        "        params.remove(word)\n"
        "        config[key] = yaml.load(value)\n"
        "    ex.add_config(config)\n",
    ),
)
EARLY_SEED = fork(
    PYMARL,
    (
        "main.py",
        "    params = deepcopy(sys.argv)\n",
        "    params = deepcopy(sys.argv)\n"
        "    seed = int(next(x for x in params if x.startswith('seed='))[5:])\n"
        "    os.environ['FIRST_SEED'] = str(seed)\n",
    ),
    (
        RUN,
        "    th.manual_seed",
        "    assert os.environ['FIRST_SEED'] == str(args.seed)\n    th.manual_seed",
    ),
)

FORKS: Dict[str, Skeleton] = {
    "other_update": OTHER_UPDATE,
    "single_q": SINGLE_Q,
    "another_loss": ANOTHER_LOSS,
    "mixer_of_three": MIXER_OF_THREE,
    "older_epymarl": OLDER_EPYMARL,
    "no_qmix": NO_QMIX,
    "own_base": OWN_BASE,
    "asks_for_more": ASKS_FOR_MORE,
    "asks_with_args": ASKS_WITH_ARGS,
    "attending": ATTENDING,
    "not_monotonic": NOT_MONOTONIC,
    "read_only": READ_ONLY,
    "whitelist": WHITELIST,
    "dashes": DASHES,
    "early_seed": EARLY_SEED,
}
