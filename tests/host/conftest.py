import pytest

from wqmix.host import envs

from .doubles import CountingEnv


@pytest.fixture(autouse=True)
def registry_as_it_was():
    """What a test registers is gone after it."""
    before = dict(envs.REGISTRY)
    yield
    envs.REGISTRY.clear()
    envs.REGISTRY.update(before)


@pytest.fixture
def counting(monkeypatch):
    """The counting game under the name `counting`; it may fail on purpose."""
    monkeypatch.setitem(envs.REGISTRY, "counting", CountingEnv)
    monkeypatch.setattr(envs, "OWN", envs.OWN | {"counting"})  # so not checked first
