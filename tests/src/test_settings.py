"""Our keys: typed, complete, in range; each mistake is one clear line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import wqmix.config
from wqmix.errors import ConfigError
from wqmix.modules.mixers import CENTRAL_MIXERS
from wqmix.settings import WQMixSettings

from .doubles import OURS, make_args, make_learner

CONFIG = Path(wqmix.config.__file__).parent / "algs"


@pytest.mark.parametrize(
    "change, message",
    [
        (
            dict(weighting="cq"),
            "weighting='cq' is not one of cw, greedy, ideal, ow.*'cw'",
        ),
        (dict(central_mixer="attn"), "central_mixer='attn'.*did you mean 'atten'"),
        (dict(central_agent="rnn"), "central_agent='rnn'.*central_rnn, central_rnn_ns"),
        (
            dict(central_inputs="observation"),
            "central_inputs is 'observation': obs or state is needed",
        ),
        (dict(unroll="fast"), "unroll is 'fast': auto or step"),
        (dict(alpha=0), r"alpha is 0: a number within \(0, 1\]"),
        (dict(alpha=1.5), r"alpha is 1.5: a number within \[0, 1\]"),
        (dict(alpha=float("nan")), r"alpha is nan: a number within \[0, 1\]"),
        (dict(alpha="high"), "alpha is 'high': a number"),
        (dict(alpha=True), "alpha is True: a number"),
        (dict(central_loss=-1), "central_loss is -1: a number >= 0"),
        (
            dict(central_rnn_hidden_dim=0),
            "central_rnn_hidden_dim is 0: a whole number >= 1 is needed",
        ),
        (
            dict(central_action_embed=1.5),
            "central_action_embed is 1.5: a whole number >= 1 is needed",
        ),
        (
            dict(alpha_schedule="cosine"),
            "alpha_schedule is 'cosine': constant, linear or exp",
        ),
        (
            dict(alpha_finish=0),
            r"alpha_finish is 0: a number within \(0, 1\] is needed",
        ),
        (
            dict(alpha_anneal_time=0),
            "alpha_anneal_time is 0: a whole number >= 1 is needed",
        ),
        (
            dict(weighting_temperature=0),
            "weighting_temperature is 0: a number > 0 is needed",
        ),
        (
            dict(diagnostics_joint_actions=0),
            "diagnostics_joint_actions is 0: a whole number >= 1 is needed",
        ),
        (dict(weighting="pow"), "weighting='pow' needs a recogniser.*pow_qmix"),
        (dict(diagnostics=1), "diagnostics is 1: True or False"),
        (dict(weighting=["cw"]), r"weighting is \['cw'\]: a name"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(ConfigError, match="my.yaml: " + message):
        WQMixSettings.from_config({**OURS, **change}, "my.yaml")


def test_a_misspelt_key_is_named():
    config = {**OURS, "alhpa": 0.5}
    del config["alpha"]
    with pytest.raises(ConfigError, match="'alpha' is missing.*did you mean 'alhpa'"):
        WQMixSettings.from_config(config, "my.yaml")


def test_the_yaml_lists_every_key_and_the_papers_values():
    cw = yaml.safe_load((CONFIG / "cw_qmix.yaml").read_text(encoding="utf-8"))
    ow = {**cw, **yaml.safe_load((CONFIG / "ow_qmix.yaml").read_text(encoding="utf-8"))}
    keys = {field.name for field in fields(WQMixSettings)}
    others = {"inherit", "name", "learner"}  # and what the parity probe reads
    others |= {"parity", "base_learner", "monotonic_mixer"}
    assert keys | others == set(cw)
    for config, weighting in ((cw, "cw"), (ow, "ow")):
        settings = WQMixSettings.from_config(config, weighting)
        assert settings.weighting == weighting and settings.alpha == 0.1
        assert settings.qmix_loss == settings.central_loss == 1.0
        assert settings.central_mixing_embed_dim == 256
        assert settings.central_rnn_hidden_dim == 64


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(optimizer="adamw"), "optimizer is 'adamw': rmsprop or adam"),
        (dict(gamma=1.2), r"gamma is 1.2: a number within \[0, 1\]"),
        (
            dict(td_lambda=-0.1),
            r"td_lambda is -0.1: a number within \[0, 1\] is needed",
        ),
        (dict(lr=0.0), "lr is 0.0: a number > 0"),
    ],
)
def test_host_settings_are_checked(change, message):
    with pytest.raises(ConfigError, match="test host: " + message):
        make_args(**change)


def test_a_mixer_of_ones_own():
    """A class under a name of its own is what that name selects."""

    class Mine(CENTRAL_MIXERS["ff"]):
        """A line for `wqmix list`."""

    try:
        CENTRAL_MIXERS.register("mine")(Mine)
        assert type(make_learner(central_mixer="mine").central_mixer) is Mine
        with pytest.raises(ConfigError, match="central_mixer 'mine' is registered"):
            CENTRAL_MIXERS.register("mine")(Mine)
    finally:
        CENTRAL_MIXERS.pop("mine")
