"""docs/algorithm.md: the learner's lines beside the paper's equations, and the idea."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from wqmix.learners import LEARNERS, WQMixLearner

PAGE = Path(__file__).parents[2] / "docs" / "algorithm.md"


def lines_beside_equations():
    table = (
        PAGE.read_text(encoding="utf-8").split("| in the paper |")[1].split("\n\n")[0]
    )
    rows = table.splitlines()[2:]
    return [re.search(r"`(.*?)`", row.split("|")[2]).group(1) for row in rows]


@pytest.mark.parametrize("line", lines_beside_equations())
def test_the_line_stands_in_the_loss(line):
    assert line in inspect.getsource(WQMixLearner.loss)


def test_in_the_order_of_the_page():
    source = inspect.getsource(WQMixLearner.loss)
    places = [source.index(line) for line in lines_beside_equations()]
    assert places == sorted(places) and len(places) == 8


def test_an_idea_of_ones_own(monkeypatch, capfd):
    monkeypatch.setitem(LEARNERS, "wqmix_learner", WQMixLearner)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    seen = []
    monkeypatch.setattr(WQMixLearner, "_log", lambda self, stats, t: seen.append(stats))
    names = {}
    exec(compile(block, str(PAGE), "exec"), names)
    assert type(names["runner"].learner) is names["Huber"]
    plain = names["runner"].learner
    assert seen and all(stats["qmix_loss"] > 0 for stats in seen)
    assert plain.target_networks.train_steps > 0
