"""`plain_qmix`, `plain_vdn`: the embedded host's own update, in our learner."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any, Dict

import numpy as np
import pytest
import torch

from tests.host.doubles import (
    N_ACTIONS,
    N_AGENTS,
    STATE,
    MemoryLogger,
    make_batch,
    random_batch,
)
from wqmix.host.config import CONFIG_DIR, read_yaml
from wqmix.host.controllers import REGISTRY as macs
from wqmix.host.learners import REGISTRY as learners
from wqmix.plugin.configs import ConfigFiles
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS
from wqmix.plugin.registration import build_learner

UPDATES, COPIED_EACH = 6, 20  # episodes; the number of an update's is 10 times its own
CASES = {
    "as published": {},
    "lambda": dict(td_lambda=0.6),
    "lambda 1": dict(td_lambda=1.0),
    "target argmax": dict(double_q=False),
    "adam": dict(optimizer="adam", lr=0.001),
    "clipped": dict(grad_norm_clip=0.1),
    "scaled": dict(mixer_init_scale=0.1),
    "copied by steps": dict(target_update_interval_or_tau=2),
    "soft": dict(target_update_interval_or_tau=0.1),
    "copied each step": dict(target_update_interval_or_tau=1),
    "annealed": dict(lr_anneal_time=4, lr_finish=1e-5),
    "annealed adam": dict(lr_anneal_time=4, lr_finish=1e-5, optimizer="adam"),
    "prioritised": dict(use_per=True),
    "layer norm": dict(use_layer_norm=True),
    "orthogonal": dict(use_orthogonal=True, gain=0.5),
    "normalised states": dict(state_norm=True),
    "own networks' inputs": dict(obs_agent_id=False, obs_last_action=False),
}


def settings(name: str, **changes: Any) -> SimpleNamespace:
    """The arguments of an algorithm of ours in the embedded host."""
    files = ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, {})
    config = {**read_yaml(CONFIG_DIR / "default.yaml")}
    config.update(files.resolve(files.locate("algs", name)))
    config.update(target_update_interval=COPIED_EACH, learner_log_interval=1)
    sizes = dict(n_agents=N_AGENTS, n_actions=N_ACTIONS, state_shape=STATE, seed=1)
    return SimpleNamespace(**{**config, **sizes, "device": "cpu", **changes})


def built(name: str, mac: Any, scheme: Dict, args: SimpleNamespace) -> Any:
    """A learner around a controller of its own, drawn with the same numbers."""
    torch.manual_seed(1)
    if name == "q_learner":
        return learners[name](mac, scheme, MemoryLogger(), args)
    return build_learner(HOSTS["embedded"], name, mac, scheme, MemoryLogger(), args)


def both(name: str, **changes: Any) -> tuple:
    """The host's learner and ours, of one algorithm of ours."""
    args = settings(name, **changes)
    batch = make_batch()
    torch.manual_seed(0)
    mac = macs[args.mac](batch.scheme, batch.groups, args)
    theirs = built("q_learner", copy.deepcopy(mac), batch.scheme, args)
    return theirs, built(args.learner, mac, batch.scheme, args)


def gap(theirs: Any, ours: Any, generator: np.random.Generator) -> float:
    """The largest difference of parameters and logged values over some updates."""
    largest = 0.0
    assert [p.shape for p in ours.params] == [p.shape for p in theirs.params]
    for update in range(UPDATES):
        batch = random_batch(generator)
        weights = generator.uniform(size=3) if theirs.args.use_per else None
        found = [x.train(batch, update, 10 * update, weights) for x in (theirs, ours)]
        if theirs.args.use_per:
            errors = [each["td_errors_abs"] for each in found]
            largest = max(largest, (errors[0] - errors[1]).abs().max().item())
        for p, q in zip(theirs.params, ours.params):
            largest = max(largest, (p - q).abs().max().item())
        for (key, t), value in theirs.logger.stats.items():
            error = abs(ours.logger.stats[key, t] - value)
            largest = max(largest, error / max(1.0, abs(value)))
    return largest


STANDARDISED = {
    "rewards": dict(standardise_rewards=True),
    "returns": dict(standardise_returns=True),
    "both": dict(standardise_rewards=True, standardise_returns=True, td_lambda=0.6),
}


@pytest.mark.xfail(reason="the learner's moments leave padding out", strict=False)
@pytest.mark.parametrize("changes", STANDARDISED.values(), ids=STANDARDISED)
@pytest.mark.parametrize("name", ["plain_qmix", "plain_vdn"])
def test_standardised_alike(name: str, changes: Dict[str, Any]) -> None:
    assert gap(*both(name, **changes), np.random.default_rng(2)) < 1e-5


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
@pytest.mark.parametrize("name", ["plain_qmix", "plain_vdn"])
def test_it_is_the_hosts_own_update(name: str, changes: Dict[str, Any]) -> None:
    theirs, ours = both(name, **changes)
    first = [p.detach().clone() for p in ours.params]
    assert gap(theirs, ours, np.random.default_rng(2)) < 1e-5
    assert any(not torch.equal(p, q) for p, q in zip(first, ours.params))
    targets = zip(theirs.target_mac.parameters(), ours.target_networks.mac.parameters())
    assert all(torch.allclose(p, q, rtol=0, atol=1e-5) for p, q in targets)


def test_another_setting_is_seen() -> None:
    """What the test above compares with would fail."""
    theirs, _ = both("plain_qmix")
    _, ours = both("plain_qmix", td_lambda=0.6)
    assert gap(theirs, ours, np.random.default_rng(2)) > 1e-3


@pytest.mark.parametrize("name", ["plain_qmix", "plain_vdn"])
def test_no_q_star_is_built(name: str) -> None:
    _, ours = both(name)
    assert set(ours.networks.nets) == {"mixer"}
    assert set(ours.target_networks.nets()) == {"mac", "mixer"}
    assert ours.central_agent is None and ours.central_mixer is None
