"""What every test leaves as it was."""

import logging

import pytest


@pytest.fixture(autouse=True)
def log_level_as_it_was():
    """The host's logger: a level that is set stays, for the next run too."""
    logger = logging.getLogger("pymarl")
    level = logger.level
    yield
    logger.setLevel(level)
