"""Standard output that is closed or full, ASCII terminals, Ctrl-C, full disks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from wqmix import __main__ as door
from wqmix.storage import files

from .fakes import make_host

FULL = Path("/dev/full")
SHOWS = {  # commands whose output is what they are for
    "list": ("list", "hosts"),
    "theory": ("theory", "[[8, -12], [-12, 0]]"),
    "help": ("--help",),
    "compare": ("compare", "--help"),
}


def start(words: Any, folder: Path, **options: Any) -> subprocess.Popen:
    command = [sys.executable, "-m", "wqmix", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    return subprocess.Popen(
        command,
        cwd=str(folder),
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.skipif(not FULL.exists(), reason="no such device")
@pytest.mark.parametrize("name", SHOWS)
def test_a_full_output(name: str, tmp_path: Path) -> None:
    with FULL.open("w") as output:
        process = start(SHOWS[name], tmp_path, stdout=output)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert said == "error: standard output: No space left on device\n"


@pytest.mark.parametrize("name", SHOWS)
def test_nobody_listens(name: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start(SHOWS[name], tmp_path, stdout=writer)
    os.close(writer)
    said = process.communicate(timeout=120)[1]
    assert (process.returncode, said) == (141, "")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_an_ascii_terminal(errors: str, tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": f"ascii:{errors}"}
    for words in (["list"], ["--help"]):
        process = start(words, tmp_path, env=env, stdout=subprocess.PIPE)
        shown, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
        assert shown.isascii() and shown


@pytest.mark.parametrize("after", [0.3, 0.8, 1.3])
def test_interrupted_while_it_begins(after: float, tmp_path: Path) -> None:
    words = ["--config=cw_qmix", "--env-config=matrix_game", "with", "t_max=100000"]
    process = start(
        words,
        tmp_path,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    if "init_import_site" in said:  # Python itself, while it reads .pth files
        return
    began = "Traceback" not in said or "runpy" not in said
    assert process.returncode in (130, -signal.SIGINT)
    if process.returncode == 130:  # else Python itself had not begun
        assert began and "Traceback" not in said


def test_a_disk_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    root = make_host(tmp_path)
    folder = root / "config/algs"
    before = {path: path.read_text() for path in folder.iterdir()}

    def full(path: Any) -> Any:
        file = open(path, "wb")

        class Full:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: Any) -> None:
                file.close()

            def write(self, content: bytes) -> None:
                file.write(content[:10])
                raise OSError(errno.ENOSPC, "No space left on device", str(path))

        return Full()

    monkeypatch.setattr(files, "create", full)
    assert door.main(["export-configs", str(folder)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert "No space left on device" in said
    assert {path: path.read_text() for path in folder.iterdir()} == before


LONG = "x" * 5000
PATHS = [
    ["list", LONG],
    ["plot", LONG],
    ["compare", LONG],
    ["evaluate", LONG],
    ["replay", LONG],
    ["sweep", LONG],
    ["tune", LONG],
    ["theory", LONG],
    ["doctor", LONG],
    ["check-env", LONG],
    ["export-configs", LONG],
    [LONG],
    ["--config=" + LONG, "--env-config=matrix_game"],
    ["--config=qmix", "--env-config=matrix_game", "with", f"local_results_path={LONG}"],
    ["--config=qmix", "--env-config=matrix_game", "with", f"checkpoint_path={LONG}"],
]


@pytest.mark.parametrize("text", [LONG, "a\udcffb"], ids=["long", "surrogate"])
@pytest.mark.parametrize("words", PATHS, ids=lambda words: " ".join(words)[:40])
def test_strange_paths(
    words: Any,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(make_host(tmp_path))
    try:
        code = door.main([word.replace(LONG, text) for word in words])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    assert code in (0, 1, 2)
    told = capsys.readouterr()
    assert told.err or told.out
    assert "Traceback" not in told.err
