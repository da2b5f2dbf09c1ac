"""The parity probe: what it adopts, what it refuses, and that it leaves no trace."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any, Dict, List, Optional

import numpy as np
import pytest
import torch
from torch.optim import Adam, RMSprop

import wqmix
from wqmix.errors import ConfigError
from wqmix.host.learners import REGISTRY
from wqmix.plugin import parity
from wqmix.plugin.hosts import HOSTS
from wqmix.settings import HostSettings

from .strange_learner import StrangeLearner

HOST = HOSTS["embedded"]
PREY = {"env_args": {"n_predators": 2, "n_prey": 1, "size": 4}}


@pytest.fixture(scope="module")
def parts() -> SimpleNamespace:
    """What a host hands its learners, in a run with long episodes."""
    given = {"parity": "off", "t_max": 10, "seed": 3}
    with wqmix.get_runner("cw_qmix", "predator_prey", **given) as runner:
        yield SimpleNamespace(
            mac=runner.learner.mac, scheme=runner.buffer.scheme, args=runner.args
        )


class Logger(parity.Logger):
    """Keeps lines too."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: List[str] = []

    def info(self, line: str, *_: Any) -> None:
        self.lines.append(line)


def settled(
    parts: Any,
    changes: Dict[str, Any],
    logger: Optional[Logger] = None,
    **settings: Any,
) -> HostSettings:
    """What the probe makes of a host whose QMIX learner differs by `changes`."""
    learner = type("Changed", (StrangeLearner,), changes)
    values = {**vars(parts.args), "parity": "check", "td_steps_lambda": 0.6}
    values.update(weight_decay=0.1, their_tau=0.3, base_learner="strange", **settings)
    args = SimpleNamespace(**values)
    facts = HOST.host_settings({**vars(parts.args)})
    logger = logger or Logger()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(REGISTRY, "strange", learner)
        found = parity.settled(HOST, facts, parts.mac, parts.scheme, logger, args)
    if "train" not in changes and settings.get("parity") not in ("off", False):
        assert list(logger.rounds[0]) == ["parity_difference"]
    return found


def test_equal_learners_are_said_to_be(parts: Any) -> None:
    logger = Logger()
    assert settled(parts, {}, logger) == HOST.host_settings(vars(parts.args))
    (said,) = logger.lines
    assert "parity: 6 updates equal those of the embedded host's strange" in said
    assert "adopted" not in said


@pytest.mark.parametrize(
    "ours",
    [
        {"mixing": "free", "monotonicity_loss": 1},
        {"mixing": "free", "bootstrap": "taken"},
        {"state_norm": True},
        {"lr_anneal_time": 20},
    ],
    ids=["r_qmix", "nonmonotonic_qmix", "state_norm", "lr_anneal_time"],
)
def test_what_only_our_learner_does_is_left_out(parts: Any, ours: Dict) -> None:
    """The host's QMIX has none of it, so with it nothing would be equal."""
    logger = Logger()
    settled(parts, {}, logger, **ours)
    assert "updates equal" in logger.lines[0]


@pytest.mark.parametrize(
    "changes, fact, value",
    [
        ({"td_lambda": 0.6}, "td_lambda", 0.6),
        ({"factor": 0.5}, "loss_factor", 0.5),
        ({"double_q": False}, "double_q", False),
        ({"optimiser_class": Adam, "options": {"lr": 0.0005}}, "optimizer", "adam"),
        (
            {"optimiser_class": RMSprop, "options": {"lr": 0.0005, "eps": 1e-8}},
            "optim_eps",
            1e-8,
        ),
        (
            {"options": {**StrangeLearner.options, "weight_decay": 0.1}},
            "weight_decay",
            0.1,
        ),
        ({"clip": 1e12}, "grad_norm_clip", 1e9),
        ({"unit": "steps"}, "target_update.unit", "steps"),
        ({"unit": "soft"}, "target_update.unit", "soft"),
    ],
)
def test_each_fact_is_found_and_adopted(
    parts: Any, changes: Dict, fact: str, value: Any
) -> None:
    logger = Logger()
    found: Any = settled(parts, changes, logger)
    for part in fact.split("."):
        found = getattr(found, part)
    assert found == value
    (said,) = logger.lines
    assert f"; adopted: {fact.split('.')[0]}=" in said


def test_several_facts_at_once(parts: Any) -> None:
    adam = {"optimiser_class": Adam, "options": {"lr": 0.0005, "weight_decay": 0.1}}
    found = settled(parts, {"td_lambda": 0.6, "factor": 0.5, "unit": "soft", **adam})
    assert (found.td_lambda, found.loss_factor, found.weight_decay) == (0.6, 0.5, 0.1)
    assert (found.target_update.unit, found.target_update.amount) == ("soft", 0.3)


def test_the_runs_own_interval_is_kept(parts: Any) -> None:
    found = settled(parts, {"unit": "steps"})
    assert found.target_update.amount == parts.args.target_update_interval == 200


@pytest.mark.parametrize("changes", [{"power": 3}, {"masks_ends": False}])
def test_what_no_known_fact_explains_is_refused_with_the_numbers(
    parts: Any, changes: Dict, capfd: pytest.CaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"at update 1 is [\d.e+]+, ours [\d.e+]+;"):
        settled(parts, changes)
    facts = HOST.host_settings(vars(parts.args))
    assert settled(parts, changes, parity="warn") == facts
    assert "updates otherwise than ours" in capfd.readouterr().err
    assert settled(parts, changes, parity="off") == facts
    assert settled(parts, changes, parity=False) == facts  # YAML's `off`


@pytest.mark.parametrize(
    "returned, name",
    [(None, "nothing"), ({}, "empty"), ({"td_errors_abs": 1}, "td_errors_abs")],
)
def test_what_train_returns(parts: Any, returned: Any, name: str) -> None:
    assert settled(parts, {"returns": returned}).train_returns.__name__ == name


def test_a_learner_that_does_not_run_alone_is_said(
    parts: Any, capfd: pytest.CaptureFixture
) -> None:
    def train(self: Any, *_: Any) -> None:
        raise RuntimeError("needs its runner")

    facts = HOST.host_settings(vars(parts.args))
    assert settled(parts, {"train": train}, parity="check") == facts
    said = capfd.readouterr().err
    assert "was not measured: its own learner does not run alone" in said


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"td_lambda": 0.6, "optimizer": "adam", "standardise_returns": True},
        {"standardise_rewards": True, "target_update_interval_or_tau": 0.1},
        {"double_q": False, "td_lambda": 0.6, "target_update_interval_or_tau": 3},
        {"mixer": "vdn"},
    ],
    ids=lambda changes: " ".join(changes) or "as it is",
)
def test_the_embedded_hosts_learner_is_ours(parts: Any, changes: Dict) -> None:
    """So that `parity: auto` need not ask in each of its runs."""
    args = SimpleNamespace(**{**vars(parts.args), "parity": "check", **changes})
    logger, facts = Logger(), HOST.host_settings(vars(args))
    found = parity.settled(HOST, facts, parts.mac, parts.scheme, logger, args)
    assert found == facts and "adopted" not in logger.lines[0]
    args.parity = "auto"
    assert parity.settled(HOST, facts, parts.mac, parts.scheme, None, args) is facts


def test_a_wrong_mode_is_refused(parts: Any) -> None:
    with pytest.raises(ConfigError, match="'often': auto, check, warn or off"):
        settled(parts, {}, parity="often")


def test_nothing_of_the_run_changes(parts: Any) -> None:
    before = [p.clone() for p in parts.mac.parameters()]
    draws = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    settled(parts, {})
    assert all(map(torch.equal, before, parts.mac.parameters()))
    assert random.getstate() == draws[0]
    assert (np.random.get_state()[1] == draws[1]).all()
    assert torch.equal(torch.get_rng_state(), draws[2])


def test_training_is_the_same_with_and_without_it() -> None:
    def curve(parity: str) -> Dict:
        given = {"t_max": 200, "test_interval": 50, "seed": 1, "parity": parity}
        with wqmix.get_runner("cw_qmix", "matrix_game", **given) as runner:
            return {k: v for k, v in runner.run().items() if "parity" not in k}

    assert curve("check") == curve("off")
