"""PyMARLzoo+ as PyPI has it: skipped where it is not installed (`make test` does)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from . import checkouts
from .checkouts import CHECKOUTS

ZOO = CHECKOUTS["pymarlzooplus"]
ABSENT = [
    name for name in (ZOO.name, *ZOO.needs) if importlib.util.find_spec(name) is None
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}"),
]


def test_the_package_from_pypi_trains(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    short = ["t_max=400", "test_interval=200", "learner_log_interval=100"]
    words = ["-m", "wqmix", *ZOO.words("cw_qmix", *short, "log_interval=200")]
    assert checkouts.run(words, folder) == 0, checkouts.output(folder)[-3000:]
    assert checkouts.status(folder) == "COMPLETED"
    assert len(checkouts.logged(folder)["w_to_use"]) >= 2
    assert [path.name for path in folder.iterdir()] == ["results"]
