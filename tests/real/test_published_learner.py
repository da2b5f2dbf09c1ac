"""Ours against the published learner: same weights, same batches, ten steps.

Needs a checkout of oxwhirl/wqmix: set WQMIX_HOSTS to the folder that holds it (as
`wqmix`).
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.checkout import imported
from wqmix.learners import WQMixLearner
from wqmix.settings import TargetUpdate

from ..src.doubles import OURS, Log, make_args

CHECKOUT = Path(os.environ.get("WQMIX_HOSTS", "/nonexistent")) / "wqmix"
pytestmark = pytest.mark.skipif(
    not CHECKOUT.is_dir(),
    reason="set WQMIX_HOSTS to a folder that holds a checkout of oxwhirl/wqmix",
)
SIZES = dict(n_agents=4, n_actions=5, obs_shape=9, state_shape=11)


def published_args(weighting: str, central_mixer: str) -> SimpleNamespace:
    return SimpleNamespace(
        **SIZES,
        mixer="qmix",
        mixing_embed_dim=16,
        hypernet_layers=2,
        hypernet_embed=24,
        central_mixer=central_mixer,
        central_mixing_embed_dim=32,
        central_action_embed=1,
        central_mac="basic_central_mac",
        central_agent="central_rnn",
        central_loss=1,
        qmix_loss=1,
        w=0.3,
        hysteretic_qmix=weighting == "ow",
        double_q=True,
        gamma=0.95,
        lr=5e-4,
        optim_alpha=0.99,
        optim_eps=1e-5,
        grad_norm_clip=3.0,
        target_update_interval=200,
        learner_log_interval=0,
        agent="rnn",
        rnn_hidden_dim=24,
        gated=False,
        obs_last_action=True,
        obs_agent_id=True,
        agent_output_type="q",
        action_selector="epsilon_greedy",
        epsilon_start=1.0,
        epsilon_finish=0.05,
        epsilon_anneal_time=100,
    )


def batch_of(modules, scheme, seed: int, episodes: int = 6, slots: int = 9):
    """Random episodes that end at the last slot or terminate before it."""
    g = torch.Generator().manual_seed(seed)
    groups = {"agents": SIZES["n_agents"]}
    onehot = modules.transforms.OneHot(out_dim=SIZES["n_actions"])
    batch = modules.buffer.EpisodeBatch(
        scheme,
        groups,
        episodes,
        slots,
        preprocess={"actions": ("actions_onehot", [onehot])},
    )
    for i in range(episodes):
        length = slots - 1 if i == 0 else int(torch.randint(2, slots, (), generator=g))
        n, u = SIZES["n_agents"], SIZES["n_actions"]
        avail = (torch.rand(length + 1, n, u, generator=g) < 0.7).int()
        avail[..., 1] = 1
        before = {
            "state": torch.randn(length + 1, SIZES["state_shape"], generator=g),
            "obs": torch.randn(length + 1, n, SIZES["obs_shape"], generator=g),
            "avail_actions": avail,
        }
        batch.update(before, bs=i, ts=slice(0, length + 1))
        chosen = torch.multinomial(avail[:-1].flatten(0, 1).float(), 1, generator=g)
        terminated = torch.zeros(length, 1)
        terminated[-1] = 0 if i == 0 else 1
        after = {
            "actions": chosen.reshape(length, n, 1),
            "reward": torch.randn(length, 1, generator=g),
            "terminated": terminated,
        }
        batch.update(after, bs=i, ts=slice(0, length))
    return batch


def build_pair(weighting: str, central_mixer: str):
    """(published learner, ours, batches) with equal weights, targets included."""
    args = published_args(weighting, central_mixer)
    scheme = {
        "state": {"vshape": SIZES["state_shape"]},
        "obs": {"vshape": SIZES["obs_shape"], "group": "agents"},
        "actions": {"vshape": (1,), "group": "agents", "dtype": torch.long},
        "avail_actions": {"vshape": (5,), "group": "agents", "dtype": torch.int},
        "reward": {"vshape": (1,)},
        "terminated": {"vshape": (1,), "dtype": torch.uint8},
    }
    torch.manual_seed(0)
    with imported(CHECKOUT) as checkout:
        modules = SimpleNamespace(
            buffer=checkout.load("components.episode_buffer"),
            transforms=checkout.load("components.transforms"),
        )
        batches = [batch_of(modules, dict(scheme), seed) for seed in range(10)]
        full_scheme = batches[0].scheme
        controllers = checkout.load("controllers").REGISTRY
        groups = {"agents": SIZES["n_agents"]}
        macs = [controllers["basic_mac"](full_scheme, groups, args) for _ in range(2)]
        mixer_of = checkout.load("modules.mixers.qmix").QMixer
        published_of = checkout.load("learners.max_q_learner").MAXQLearner
        published = published_of(macs[0], full_scheme, Log(), args)
    ours_args = make_args(
        **{
            **OURS,
            "weighting": weighting,
            "alpha": 0.3,
            "central_mixer": central_mixer,
        },
        **{k: v for k, v in vars(args).items() if k in ("lr", "gamma")},
        grad_norm_clip=3.0,
        target_update=TargetUpdate("episodes", 200),
        build_mixer=lambda _: mixer_of(args),
    )
    vars(ours_args).update(
        SIZES,
        central_mixing_embed_dim=32,
        central_hypernet_embed=24,
        central_rnn_hidden_dim=24,
    )
    macs[1].load_state(macs[0])
    ours = WQMixLearner(macs[1], full_scheme, Log(), ours_args)
    ours.mixer.load_state_dict(published.mixer.state_dict())
    ours.central_agent.load_state_dict(published.central_mac.agent.state_dict())
    ours.central_mixer.load_state_dict(published.central_mixer.state_dict())
    ours.target_networks.copy_all()
    return published, ours, batches


@pytest.mark.parametrize("central_mixer", ["ff", "atten"])
@pytest.mark.parametrize("weighting", ["cw", "ow"])
def test_ten_steps_agree(weighting, central_mixer):
    published, ours, batches = build_pair(weighting, central_mixer)
    assert len(published.params) == len(ours.params)
    for step, batch in enumerate(batches):
        for learner in (published, ours):
            learner.train(batch, step, 50 * step)  # targets are copied at steps 4 and 8
        for key in ("loss", "qmix_loss", "central_loss", "grad_norm", "td_error_abs"):
            theirs = float(published.logger.stats[key][-1][1])
            mine = ours.logger.stats[key][-1][1]
            assert abs(theirs - mine) < 1e-5 * max(1.0, abs(theirs)), (step, key)
        for p, q in zip(published.params, ours.params):
            assert torch.allclose(p, q, rtol=0, atol=1e-5), step
