"""The launcher, on the small host of `fakes`: it does what a direct run does."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from wqmix.plugin import detect, launcher
from wqmix.plugin.configs import our_learners
from wqmix.plugin.launcher import parse

from .fakes import files_in, launch, make_host, python, report

SCRIPT = "src/main.py"
OWN = ("--config=qmix", "--env-config=own_game")


def test_launched_equals_direct(checkout: Path) -> None:
    direct = python(SCRIPT, *OWN, "with", "t_max=5", cwd=checkout)
    expected = report(checkout)
    launched = launch(checkout, SCRIPT, *OWN, "with", "t_max=5")
    seen = report(checkout)
    assert (direct.returncode, launched.returncode) == (0, 0), launched.stderr
    assert seen.pop("learners") == sorted(["q_learner", *our_learners()])
    assert expected.pop("learners") == ["q_learner"]
    # Everything else: arguments, path, file, import order, the generator's next draw.
    assert seen == expected
    assert direct.stdout == launched.stdout


def test_the_hosts_files_are_untouched(checkout: Path) -> None:
    before = files_in(checkout)
    launch(checkout, SCRIPT, "--config=cw_qmix", "--env-config=own_game")
    assert sorted({*before, "report.json"}) == files_in(checkout)


@pytest.mark.parametrize("word, code", [("leave", 5), ("crash", 1)])
def test_exit_codes_are_the_hosts(checkout: Path, word: str, code: int) -> None:
    assert python(SCRIPT, *OWN, word, cwd=checkout).returncode == code
    assert launch(checkout, SCRIPT, *OWN, word).returncode == code


def test_an_interrupt_ends_as_a_direct_run_does(checkout: Path) -> None:
    direct = python(SCRIPT, *OWN, "interrupt", cwd=checkout)
    launched = launch(checkout, SCRIPT, *OWN, "interrupt")
    assert direct.returncode == launched.returncode == -signal.SIGINT


def test_a_traceback_shows_only_the_hosts_frames(checkout: Path) -> None:
    direct = python(SCRIPT, *OWN, "crash", cwd=checkout)
    launched = launch(checkout, SCRIPT, *OWN, "crash")
    start = "Traceback"
    assert (
        direct.stderr[direct.stderr.index(start) :]
        == (launched.stderr[launched.stderr.index(start) :])
    )
    assert launched.stderr.count(start) == 1


def test_a_failing_import_shows_only_the_hosts_frames(tmp_path: Path) -> None:
    text = "import nowhere_to_be_found\nREGISTRY = {}\n"
    make_host(tmp_path, {"learners/__init__.py": text})
    direct = python(SCRIPT, *OWN, cwd=tmp_path)
    launched = launch(tmp_path, SCRIPT, *OWN)
    start = "Traceback"
    assert (
        direct.stderr[direct.stderr.index(start) :]
        == (launched.stderr[launched.stderr.index(start) :])
    )
    assert launched.returncode == 1


def test_os_exit_is_survived_and_its_code_kept(checkout: Path) -> None:
    direct = python(SCRIPT, *OWN, "_exit", cwd=checkout)
    launched = launch(checkout, SCRIPT, *OWN, "_exit")
    assert (direct.returncode, launched.returncode) == (3, 3)
    assert "after the end" not in direct.stdout
    assert "after the end" in launched.stdout
    without = launch(checkout, "--no-shims", SCRIPT, *OWN, "_exit")
    assert without.returncode == 3
    assert "after the end" not in without.stdout


def test_a_module_runs_as_python_m_runs_it(checkout: Path) -> None:
    (checkout / "src" / "__init__.py").write_text("")
    words = ("-m", "src.main", *OWN)
    environment = {"PYTHONPATH": str(checkout / "src")}
    direct = python(*words, cwd=checkout, **environment)
    expected = report(checkout)
    launched = launch(checkout, *words, **environment)
    seen = report(checkout)
    assert (direct.returncode, launched.returncode) == (0, 0), launched.stderr
    assert seen.pop("learners") == sorted(["q_learner", *our_learners()])
    assert expected.pop("learners") == ["q_learner"]
    assert seen == expected


def test_a_game_of_ours_is_entered_only_when_asked_for(checkout: Path) -> None:
    launch(checkout, SCRIPT, "--config=qmix", "--env-config=matrix_game")
    seen = report(checkout)
    assert seen["envs"] == ["own_game", "wqmix_matrix_game"]
    assert seen["config"]["env"] == "wqmix_matrix_game"
    launch(checkout, SCRIPT, *OWN)
    assert report(checkout)["envs"] == ["own_game"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["nothing.py"], "no such script: nothing.py"),
        (["-m"], "-m needs a module"),
        (["-m", "no_such_package.main"], "no package 'no_such_package'"),
        (["--host"], "--host needs a name"),
        (["--host", "pymarl9", SCRIPT], "did you mean 'pymarl"),
        ([SCRIPT, "--config", "qmix"], "write --config=qmix"),
        ([SCRIPT, "--config=qmux"], "did you mean 'qmix'?"),
        ([SCRIPT, "--config=host:cw_qmix"], "has no"),
        ([SCRIPT, "--config=cw_qmix", OWN[1], "with", "alpha=2"], "within [0, 1]"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    checkout: Path,
    words: list,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(checkout)
    before = files_in(checkout)
    assert launcher.main(words) == 2
    errors = [
        line
        for line in capfd.readouterr().err.splitlines()
        if not line.startswith("wqmix: host:")
    ]
    assert len(errors) == 1 and errors[0].startswith("wqmix: error: ")
    assert message in errors[0]
    assert files_in(checkout) == before


def test_our_options_come_before_the_script(checkout: Path) -> None:
    script = str(checkout / SCRIPT)
    arguments = parse(["--no-shims", "--host", "pymarl", script, "--host", "x"])
    assert (arguments.shims, arguments.host) == (False, "pymarl")
    assert arguments.argv == ["--host", "x"]


@pytest.mark.parametrize("words", [["--config=qmix"], ["with", "seed=1"], []])
def test_without_a_script_it_is_the_embedded_host(words: list) -> None:
    arguments = parse(words)
    assert arguments.target.module == detect.EMBEDDED_MODULE
    assert arguments.argv == words
