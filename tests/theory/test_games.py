"""Payoffs by name, from files and inline."""

import numpy as np
import pytest
import yaml

from wqmix.theory.errors import TheoryError
from wqmix.theory.games import games, payoff_table

TABLE = [[1.0, 2.5], [-3.0, 4.0]]


@pytest.mark.parametrize("name", sorted(games()))
def test_every_named_game_is_a_payoff_with_its_reason(name):
    game = games()[name]
    np.testing.assert_array_equal(payoff_table(name), game["payoff"])
    assert set(game) == {"payoff", "why", "source"}


def test_the_checked_games():
    assert payoff_table("paper").tolist() == [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]
    assert payoff_table("three_agents").shape == (3, 3, 3)
    assert payoff_table("three_agents")[0, 0, 0] == 8
    assert payoff_table("three_agents")[0, 0, 1] == -12
    assert payoff_table("three_agents")[2, 1, 2] == 0


def test_every_file_format_gives_the_same_table(tmp_path):
    (tmp_path / "a.csv").write_text("1, 2.5\n\n-3, 4\n")
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(TABLE))
    (tmp_path / "b.yml").write_text(yaml.safe_dump({"payoff": TABLE, "why": "test"}))
    np.save(tmp_path / "a.npy", np.array(TABLE))
    for name in ("a.csv", "a.yaml", "b.yml", "a.npy"):
        np.testing.assert_array_equal(payoff_table(str(tmp_path / name)), TABLE)
    np.testing.assert_array_equal(payoff_table(" [[1, 2.5], [-3, 4]]"), TABLE)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.csv", "1,2\n3\n", "a row is longer"),
        ("a.csv", "", "at least two actions|two agents"),
        ("a.csv", "1,2\n3,\n", "no number"),
        ("a.csv", "1,2\n3,nan\n", r"joint action \(1, 1\) is nan"),
        ("a.csv", b"\xff\xfe\x00", "not UTF-8 text"),
        ("a.yaml", "[[1, 2", "not valid YAML at line 1"),
        ("a.yaml", "payof: [[1, 2], [3, 4]]", "not a full table"),
        ("a.yaml", "", "not a full table|two agents"),
        ("a.npy", b"not numpy", "not a plain numeric .npy file"),
    ],
)
def test_bad_files_are_one_line_that_names_them(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TheoryError, match=words) as caught:
        payoff_table(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path):
    path = tmp_path / "object.npy"
    np.save(path, np.array([[{}, 1], [2, 3]], dtype=object), allow_pickle=True)
    with pytest.raises(TheoryError, match="not a plain numeric .npy file"):
        payoff_table(str(path))


def test_missing_files_and_unknown_names():
    with pytest.raises(TheoryError, match="absent.csv: no such file"):
        payoff_table("absent.csv")
    with pytest.raises(TheoryError, match="did you mean 'climbing'"):
        payoff_table("climing")
