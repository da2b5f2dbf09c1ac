"""What every test leaves as it was, and where their processes begin."""

import logging
import os
from pathlib import Path

import pytest

from wqmix.host import envs


@pytest.fixture(autouse=True, scope="session")
def children():
    """Processes that tests start do first what is in this folder."""
    os.environ["PYTHONPATH"] = str(Path(__file__).with_name("children"))


@pytest.fixture(autouse=True)
def log_level_as_it_was():
    """The host's logger: a level that is set stays, for the next run too."""
    logger = logging.getLogger("pymarl")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def environments_as_they_were():
    """What a test registers, as `get_runner` does with a class, is gone after it."""
    registries = envs.REGISTRY, envs.BATCH_REGISTRY
    before = [dict(each) for each in registries]
    yield
    for registry, content in zip(registries, before):
        registry.clear()
        registry.update(content)
