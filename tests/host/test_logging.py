"""Logger, progress and durations."""

import io
import json
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch as th

from wqmix.host.utils import logging as host_logging
from wqmix.host.utils.logging import Logger, Progress
from wqmix.host.utils.timehelper import time_left, time_str


@pytest.fixture
def logger():
    return Logger(logging.getLogger("tests.host.logging"))


def test_sacred_gets_plain_numbers(logger):
    run = SimpleNamespace(info={})
    logger.setup_sacred(run)
    for t, value in enumerate((np.float64(0.5), th.tensor(1.5), 2)):
        logger.log_stat("loss", value, t)
    logger.log_stat("hidden", 1.0, 0, to_sacred=False)
    assert json.dumps(run.info) == '{"loss": [0.5, 1.5, 2.0], "loss_T": [0, 1, 2]}'
    assert logger.stats["hidden"] == [(0, 1.0)]


def test_sacreds_heartbeat_may_read_at_any_moment(logger):
    """It iterates over info: a new key must not change the dict that it holds."""
    run = SimpleNamespace(info={})
    logger.setup_sacred(run)
    logger.log_stat("loss", 1.0, 0)
    for _ in run.info.items():
        logger.log_stat(f"new_{len(run.info)}", 1.0, 0)
    assert len(run.info) == 2 * 3


def test_recent_stats(logger, caplog):
    logger.log_stat("episode", 12, 340)
    for t, value in enumerate((100.0, 1.0, 2.0, 3.0, 4.0, 5.0)):
        logger.log_stat("loss", value, t)
        logger.log_stat("epsilon", value, t)
    with caplog.at_level(logging.INFO):
        logger.print_recent_stats()
    [text] = caplog.messages
    assert text.startswith("Recent Stats | t_env:        340 | Episode:       12 | ")
    assert text.splitlines()[0].endswith("| means of the latest 5 values")
    assert "loss:" in text and "3.0000" in text  # the mean of the latest five
    assert "epsilon:" in text and "5.0000" in text  # the latest


@pytest.mark.parametrize("returns, tests", [((8.0, 4.0), 2), ((0.0,) * 6 + (8.0,), 5)])
def test_recent_stats_say_over_how_many_tests(logger, caplog, returns, tests):
    logger.log_stat("episode", 12, 340)
    for t, value in enumerate(returns):
        logger.log_stat("test_return_mean", value, t)
    with caplog.at_level(logging.INFO):
        logger.print_recent_stats()
    head = caplog.messages[0].splitlines()[0]
    assert head.endswith(f"(tests: {tests}, the last one's return {returns[-1]:.4f})")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_a_bar(logger, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "__stderr__", terminal)
    progress = Progress(0, 1000, logger.console_logger)
    progress.update(500)
    progress.update(1003)  # the last episode may go beyond
    progress.close()
    assert "1000/1000" in terminal.getvalue() and "step/s" in terminal.getvalue()


def test_a_file_gets_lines_now_and_then(logger, monkeypatch, caplog):
    clock = [100.0]
    monkeypatch.setattr(host_logging.time, "monotonic", lambda: clock[0])
    progress = Progress(1000, 3000, logger.console_logger)
    with caplog.at_level(logging.INFO):
        for seconds, t_env in ((110, 1100), (140, 1500), (150, 1600), (180, 2000)):
            clock[0] = seconds
            progress.update(t_env)
    assert caplog.messages == [
        "t_env: 1500 / 3000 | 12 steps/s | "
        "time left: 2 minutes, 0 seconds | time passed: 40 seconds",
        "t_env: 2000 / 3000 | 12 steps/s | "
        "time left: 1 minutes, 20 seconds | time passed: 1 minutes, 20 seconds",
    ]


def test_a_clock_that_stands(logger, monkeypatch, caplog):
    monkeypatch.setattr(host_logging.time, "monotonic", lambda: 100.0)
    progress = Progress(0, 3000, logger.console_logger)
    progress.SECONDS_BETWEEN_LINES = 0
    with caplog.at_level(logging.INFO):
        progress.update(100)
    assert caplog.messages[0].startswith("t_env: 100 / 3000 | ")


def test_durations(monkeypatch):
    assert time_str(3725.9) == "1 hours, 2 minutes, 5 seconds"
    assert time_str(90000) == "1 days, 1 hours, 0 seconds"
    monkeypatch.setattr(host_logging.time, "monotonic", lambda: 60.0)
    assert time_left(0.0, 0, 200, 500) == "1 minutes, 30 seconds"
    assert time_left(0.0, 0, 500, 500) == "-"
