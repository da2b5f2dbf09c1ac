"""Checkpoints whose settings name code: nothing that reads one runs it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

import wqmix
from wqmix.__main__ import main
from wqmix.errors import WQMixError
from wqmix.host.errors import HostError

from ..checkpoints import altered, saved

TRAINED = ["--config=cw_qmix", "--env-config=matrix_game", "with", "batch_size=8"]
TRAINED += ["t_max=10", "seed=1", "use_cuda=False", "test_nepisode=1"]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user is in a folder where files of a stranger's lie too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ran = tmp_path / "ran"
    for name in ("stranger", "stranger_v1"):
        file = tmp_path / f"{name}.py"
        file.write_text(f"open({str(ran)!r}, 'w')\nclass Thing: pass\n")
    yield ran
    for name in ("stranger", "stranger_v1"):
        sys.modules.pop(name, None)


NAMED = [
    {"learner": "stranger.py:Thing"},
    {"mac": "stranger.py:Thing"},
    {"agent": "stranger.py:Thing"},
    {"action_selector": "stranger:Thing"},
    {"weighting": "stranger.py:thing"},
    {"mixer": "stranger:Thing"},
    {"runner": "stranger.py:Thing"},
    {"env": "stranger:Thing"},
    {"env": "stranger.py:Thing", "env_args": {}},
    {"env": "custom", "env_args": {"entry_point": "stranger:Thing", "options": {}}},
    {"env": "custom", "env_args": {"entry_point": "stranger.py:Thing"}},
    {"env": "gymma", "env_args": {"key": "stranger:Any-5x5-v0", "time_limit": 5}},
    {"env": "pettingzoo", "env_args": {"key": "stranger.stranger_v1"}},
    {"env_args": {"game": "paper", "payoff": None, "options": ["stranger:Thing"]}},
    {"anything": {"deep": [["stranger.py:Thing"]]}},
]
READERS = {
    "replay": lambda path: main(["replay", path, "--out", "r.gif"]),
    "replay --text": lambda path: main(["replay", path, "--text"]),
    "evaluate": lambda path: main(["evaluate", path, "--episodes", "1"]),
    "load_policy": lambda path: wqmix.load_policy(path).act([[1.0], [1.0]]),
    "resume": lambda path: run(path, "resume=True"),
    "evaluate=True": lambda path: run(path, "evaluate=True"),
    "load": lambda path: loaded(path),
}


def run(path: str, word: str) -> None:
    folder = str(Path(path).parent)
    main([*TRAINED, f"checkpoint_path={folder}", word, "local_results_path=out"])


def loaded(path: str) -> None:
    with wqmix.get_runner("cw_qmix", "matrix_game", use_cuda=False) as runner:
        runner.load(path)


@pytest.mark.parametrize("config", NAMED, ids=str)
@pytest.mark.parametrize("name", READERS)
def test_it_is_not_run(name: str, config: dict, code: Path, tmp_path: Path) -> None:
    path = altered(saved(tmp_path, "matrix_game"), tmp_path / "sent", **config)
    with contextlib.suppress(WQMixError, HostError, SystemExit):
        READERS[name](path)
    assert not code.exists()


@pytest.mark.parametrize("command", ["replay", "evaluate"])
@pytest.mark.parametrize(
    "config, word",
    [
        (NAMED[10], "env_args.entry_point=stranger.py:Thing"),
        (NAMED[9], "env_args.entry_point=stranger:Thing"),
        (NAMED[11], "env_args.key=stranger:Any-5x5-v0"),
        (NAMED[12], "env_args.key=stranger.stranger_v1"),
    ],
    ids=str,
)
def test_the_line_says_what_to_add_and_added_it_runs(
    command: str, config: dict, word: str, code: Path, tmp_path: Path, capsys
) -> None:
    if config["env"] != "custom":
        pytest.importorskip("gymnasium")
        pytest.importorskip("pettingzoo")
    path = altered(saved(tmp_path, "matrix_game"), tmp_path / "sent", **config)
    assert main([command, path]) == 2
    said = capsys.readouterr().err
    assert f"add `with {word}`" in said and said.count("\n") == 1
    assert not code.exists()
    assert main([command, path, "with", word]) == 2, "a Thing is no environment"
    assert code.exists()


def test_known_packages_need_no_word(tmp_path: Path, capsys) -> None:
    pytest.importorskip("lbforaging")
    key = {"key": "lbforaging:Foraging-5x5-2p-1f-v3", "time_limit": 4}
    path = saved(tmp_path, "gymma", env_args=key)
    out = str(tmp_path / "e.csv")
    assert main(["evaluate", path, "--episodes", "1", "--out", out]) == 0
