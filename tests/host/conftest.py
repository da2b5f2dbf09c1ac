import pytest

from wqmix.host import envs

from .doubles import CountingEnv


@pytest.fixture
def counting(monkeypatch):
    """The counting game under the name `counting`; it may fail on purpose."""
    monkeypatch.setitem(envs.REGISTRY, "counting", CountingEnv)
    monkeypatch.setattr(envs, "OWN", envs.OWN | {"counting"})  # so not checked first
