"""Fixtures of the plugin's tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from .fakes import make_host


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the small host in `src/`."""
    folder = tmp_path / "checkout"
    make_host(folder)
    return folder


@pytest.fixture(autouse=True)
def temporary_configs(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written configs go where pytest cleans up: its workers run no exit handlers."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("configs")))
