"""A setting that the embedded host's QMIX reads is read by our learners too.

So that no key can make a comparison of the two unfair. Keys that one of them lists and
the other does not are refused.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import wqmix
from wqmix.errors import WQMixError
from wqmix.host import run
from wqmix.host.errors import HostError
from wqmix.plugin.hosts import HOSTS

# What decides which of the two learns, and how a checkpoint of it is read.
OF_ONE = {"evaluate", "parity", "base_learner", "name", "learner", "label"}


class Args(SimpleNamespace):
    """Settings that note which of them are read."""

    def __getattribute__(self, name):
        read = super().__getattribute__("__dict__").get("_read")
        if read is not None:
            read.add(name)
        return super().__getattribute__(name)


class Config(dict):
    """The same, of a mapping."""

    def __init__(self, values):
        super().__init__(values)
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)


def keys_read(monkeypatch, method, **settings):
    """The settings that a short run reads, among those that both list."""
    read, make = set(), run.make_args
    monkeypatch.setattr(
        run,
        "make_args",
        lambda *args, **kw: Args(_read=read, **vars(make(*args, **kw))),
    )
    small = dict(t_max=40, batch_size=4, learner_log_interval=1, use_cuda=False, seed=1)
    with wqmix.get_runner(method, "matrix_game", **small, **settings) as runner:
        runner.run()
        config = Config(vars(runner.args))
    HOSTS["embedded"].host_settings(config)
    monkeypatch.undo()
    return read | (config.read if method != "qmix" else set())


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"standardise_rewards": True, "td_lambda": 0.5, "optimizer": "adam"},
        {"lr_anneal_time": 100, "target_update_interval_or_tau": 0.1},
    ],
    ids=str,
)
def test_what_qmix_reads_ours_reads(monkeypatch, settings):
    theirs = keys_read(monkeypatch, "qmix", **settings)
    ours = keys_read(monkeypatch, "cw_qmix", **settings)
    assert {"lr", "gamma", "double_q", "standardise_rewards"} <= theirs
    assert {key for key in theirs - ours if not key.startswith("_")} <= OF_ONE


@pytest.mark.parametrize("key", ["alpha", "weighting", "central_loss", "qmix_loss"])
def test_what_only_ours_reads_qmix_refuses(tmp_path, key):
    own = tmp_path / "own.yaml"
    own.write_text(f"inherit: matrix_game\n{key}: 0.5\n")
    with pytest.raises((HostError, WQMixError), match=key):
        wqmix.get_runner("qmix", "matrix_game", **{key: 0.5})
    with pytest.raises((HostError, WQMixError), match=key):
        wqmix.get_runner("qmix", own)
