"""Fixtures of the plugin's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fakes import make_host


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the small host in `src/`."""
    folder = tmp_path / "checkout"
    make_host(folder)
    return folder
