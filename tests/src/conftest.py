"""What several of these tests need."""

from __future__ import annotations

import pytest

from wqmix import slots


@pytest.fixture(params=[-1, 2], ids=["padded", "packed"])
def most(request, monkeypatch):
    """Padding is computed, and is not."""
    monkeypatch.setattr(slots, "MOST", request.param)
