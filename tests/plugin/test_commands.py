"""The front door and its commands: help, list, export-configs, doctor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import wqmix
from wqmix.__main__ import COMMANDS, main
from wqmix.plugin import doctor, export, listing
from wqmix.plugin.configs import ConfigFiles, our_names
from wqmix.plugin.hosts import EMBEDDED_ROOT, HOSTS
from wqmix.weightings import WEIGHTINGS

from .fakes import files_in, launch, make_host


def test_help_teaches_by_example(capsys: pytest.CaptureFixture) -> None:
    for words in ([], ["--help"], ["-h"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        assert "python -m wqmix src/main.py --config=cw_qmix" in text
        assert all(f"wqmix {name}" in text for name in COMMANDS)


def test_version(capsys: pytest.CaptureFixture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("wqmix 0.")


@pytest.mark.parametrize(
    "word, part",
    [
        ("dmo", "neither a command nor a script (did you mean 'demo'?)"),
        ("check_env", "(did you mean 'check-env'?)"),
        ("xyzzy", "neither a command nor a script; `wqmix --help` lists"),
        ("src/mian.py", "no such script: src/mian.py"),
    ],
)
def test_what_is_neither_a_command_nor_a_script(
    word: str, part: str, capsys: pytest.CaptureFixture
) -> None:
    assert main([word]) == 2
    error = capsys.readouterr().err
    assert part in error and error.count("\n") == 1


def test_a_folder_is_no_script(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_host(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["src"]) == 2
    assert (
        "no such script: src (did you mean 'src/main.py'?)" in capsys.readouterr().err
    )


def test_the_home_folder_is_meant_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for words in (["doctor", "~/none.py"], ["~/none.py"], ["compare", "~/none.py"]):
        assert main(words) != 0
        told = "".join(capsys.readouterr())
        assert f"{tmp_path}/none.py" in told and "~" not in told


def test_the_api_is_there_and_listed() -> None:
    code = "import wqmix; wqmix.host.register_env; print(dir(wqmix), dir(wqmix.host))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = "__version__ get_runner host load_policy plugin weightings".split()
    assert ended.stdout == f"{names} ['register_env']\n"
    assert all(hasattr(wqmix, name) for name in dir(wqmix))


def test_list_shows_all_that_is_registered(capsys: pytest.CaptureFixture) -> None:
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    for name in [*our_names(), *WEIGHTINGS, *HOSTS, "ff", "matrix_game"]:
        assert f"  {name} " in text
    for section in listing.everything().values():
        assert all(line.strip() for line in section.values())
    assert main(["list", "hosts"]) == 0
    assert capsys.readouterr().out.startswith("hosts:\n  embedded")
    with pytest.raises(SystemExit) as end:
        main(["list", "host"])
    assert end.value.code == 2


# export-configs -----------------------------------------------------------------------


def test_exported_configs_need_nothing_else(tmp_path: Path) -> None:
    root = make_host(tmp_path)
    assert main(["export-configs", str(root / "config/algs")]) == 0
    settings = yaml.safe_load((root / "config/algs/cw_qmix.yaml").read_text())
    assert settings["mixing_embed_dim"] == 17  # the host's
    assert settings["alpha"] == 0.1
    assert "inherit" not in settings
    again = files_in(tmp_path)
    assert main(["export-configs", str(root / "config/algs")]) == 0
    assert files_in(tmp_path) == again


def test_a_file_of_the_hosts_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root = make_host(tmp_path, {"config/algs/ow_qmix.yaml": "name: theirs\n"})
    export.main([str(root / "config/algs")])
    assert (root / "config/algs/ow_qmix.yaml").read_text() == "name: theirs\n"
    assert (root / "config/algs/ow_qmix_plugin.yaml").is_file()
    assert "stays" in capsys.readouterr().err


def test_export_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [str(tmp_path / "new"), "--host-dir", str(tmp_path)]
    assert export.main(words) == 2
    assert "say where the checkout is with --host-dir" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


# doctor -------------------------------------------------------------------------------


def test_no_host_is_a_failure_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "main.py").write_text("\n")
    assert doctor.main([str(tmp_path / "main.py")]) == 1
    out = capsys.readouterr().out
    assert out.startswith("FAIL host") and "looked for" in out


def test_what_fails_is_told_with_a_remedy(tmp_path: Path) -> None:
    # The small host runs no environment: its main ends before any training step.
    make_host(tmp_path, {"run.py": "import no_such_module\n"})
    ended = launch(tmp_path, "doctor", "src/main.py")
    assert ended.returncode == 1
    assert "ok   config      cw_qmix resolves" in ended.stdout
    assert "FAIL train       qmix on matrix_game" in ended.stdout
    assert "No module named 'no_such_module'" in ended.stdout
    assert "install it, or choose another --env-config" in ended.stdout


@pytest.mark.parametrize(
    "output, expected",
    [
        ("wqmix: host: x\nwqmix: error: alpha is wrong\n", "alpha is wrong"),
        ("Traceback\n  File x\nKeyError: 'a'\n", "KeyError: 'a': run the same command"),
        ("", "it ended without a word: run the same command"),
    ],
)
def test_the_reason_is_found_in_the_output(output: str, expected: str) -> None:
    assert doctor.remedy(output).startswith(expected)


@pytest.mark.parametrize("place", [".", "src", "src/config", "docs"])
def test_the_checkout_around_the_folder_is_examined(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_host(tmp_path)
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / place)
    target = doctor.chosen(doctor.parse([]))
    assert target.root == root.resolve() and target.script is not None
    assert (tmp_path / place / target.script).resolve() == root.resolve() / "main.py"


def test_outside_of_any_it_is_the_embedded_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main.py").write_text("\n")
    for folder in (tmp_path, EMBEDDED_ROOT, EMBEDDED_ROOT.parent):
        monkeypatch.chdir(folder)
        assert doctor.chosen(doctor.parse([])).root == EMBEDDED_ROOT


@pytest.mark.slow
def test_the_embedded_host_is_well(tmp_path: Path) -> None:
    ended = launch(tmp_path, "doctor")
    assert ended.returncode == 0, ended.stdout
    ours = ConfigFiles(HOSTS["embedded"], EMBEDDED_ROOT, {}).ours()
    tried = [name for name in ours if doctor.names_learner(name)]
    assert {"cw_qmix", "ow_qmix", "pow_qmix", "proj_qmix"} <= set(tried)
    assert ended.stdout.count("one training step") == 1 + len(tried)
    assert "FAIL" not in ended.stdout
    assert files_in(tmp_path) == []
