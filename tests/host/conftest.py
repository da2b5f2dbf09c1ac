import pytest

from wqmix.host import envs

from .doubles import CountingEnv


@pytest.fixture
def counting(monkeypatch):
    """The counting game under the name `counting`."""
    monkeypatch.setitem(envs.REGISTRY, "counting", CountingEnv)
