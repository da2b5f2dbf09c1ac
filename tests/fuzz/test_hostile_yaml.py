"""YAML files made to hurt: one line, exit code 2, nothing written, wherever they go."""

from __future__ import annotations

import pytest

from wqmix.host.main import main as host_main
from wqmix.plugin.launcher import main as launcher_main
from wqmix.theory.cli import main as theory_main

NINE = ",".join(9 * ["*{0}"])
BOMB = "a: &a [lol]\n" + "".join(
    f"{new}: &{new} [{NINE.format(old)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij")
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{NINE.format(old)}]}}\n"
    for old, new in zip("abcdefghi", "bcdefghij")
)
HOSTILE = {
    "duplicate": (b"lr: 0.1\nlr: 0.2\n", "key 'lr' is there twice"),
    "duplicate below": (
        b"env_args:\n  a: 1\n  a: 2\n",
        "line 3: key 'a' is there twice",
    ),
    "aliases": (BOMB.encode(), "more than 50,000 values"),
    "merges": (MERGES.encode(), "more than 50,000 values"),
    "recursive": (b"a: &a [*a]\n", "nested deeper than 32"),
    "deep list": (b"a: " + 5_000 * b"[", "nested deeper than 32"),
    "deep mapping": (b"a: " + 50_000 * b"{a: ", "nested deeper than 32"),
    "deep blocks": (100_000 * b"- ", "nested deeper than 32"),
    "long": (b"# " + 300_000 * b"x", "longer than 250,000 bytes"),
    "many": (b"a: [" + 50_000 * b"1, " + b"]", "more than 50,000 values"),
    "huge number": (b"lr: " + 10_000 * b"9", "a number of 10000 digits"),
    "huge hex": (b"lr: 0x" + 10_000 * b"f", "a number of 10002 digits"),
    "object": (b"a: !!python/object/apply:os.mkdir [made]\n", "no plain data"),
    "tag": (b"a: !!set {x, y}\n", "no plain data"),
    "nul": (b"lr: 0.1\0\n", "not valid YAML"),
    "escaped nul": (b'name: "\\0"\n', "a NUL"),
    "half a character": (b'name: "\\ud800"\n', "half a character"),
    "latin-1": ("name: naïve\n".encode("latin-1"), "not UTF-8 text"),
    "utf-16": ("lr: 0.1\n".encode("utf-16"), "not UTF-8 text"),
    "binary": (bytes(range(256)), "not UTF-8 text"),
    "empty": (b"", "no 'key: value' settings"),
    "two documents": (b"a: 1\n---\nb: 2\n", "not valid YAML"),
    "number as key": (b"1: x\n", "key '1' is no name"),
    "path as key": (b"../x: 1\n", "key '../x' is no name"),
    "list as key": (b"? [a]\n: 1\n", "is no name"),
}


@pytest.mark.parametrize("where", ["host", "launcher", "inheriting"])
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_in_one_line(name, where, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    content, part = HOSTILE[name]
    heir = where == "inheriting" and content[:1].isalpha()
    (tmp_path / "fuzz.yaml").write_bytes(
        (b"inherit: cw_qmix\n" if heir else b"") + content
    )
    main = host_main if where == "host" else launcher_main
    argv = ["--config=fuzz.yaml", "--env-config=matrix_game"]
    assert main(argv) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and "fuzz.yaml" in error[0]
    assert part in error[0] or heir and part.startswith("line 3")
    assert [path.name for path in tmp_path.iterdir()] == ["fuzz.yaml"]


@pytest.mark.parametrize("name", sorted(set(HOSTILE) - {"empty", "number as key"}))
def test_as_a_payoff(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fuzz.yaml").write_bytes(HOSTILE[name][0])
    assert theory_main(["fuzz.yaml"]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and "fuzz.yaml" in error[0]
    assert [path.name for path in tmp_path.iterdir()] == ["fuzz.yaml"]


def test_a_byte_order_mark_is_no_fault(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fuzz.yaml").write_bytes(b"\xef\xbb\xbfinherit: cw_qmix\nalpha: 2\n")
    assert launcher_main(["--config=fuzz", "--env-config=matrix_game"]) == 2
    assert "alpha" in capsys.readouterr().err  # it was read, up to the wrong value
