"""What needs an extra says so before any work, with a command that installs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wqmix.config import extras

CALLS = {  # what is absent → what asks for it
    "matplotlib": [
        ["demo", "--out", "out"],
        ["demo", "--game", "predator_prey", "--out", "out"],
        ["theory", "paper", "--figure", "a.png"],
    ],
    "scipy": [["theory", "paper"], ["theory", "--search"], ["theory", "--thresholds"]],
    "optuna": [["tune", "tune.yaml"]],
    "tensorboardX": [["--config=qmix", "with", "use_tensorboard=True", "t_max=50"]],
}


@pytest.mark.parametrize(
    "absent, argv",
    [(absent, argv) for absent, calls in CALLS.items() for argv in calls],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:3]),
)
def test_one_line_before_any_work(tmp_path, absent, argv):
    done = run_without(absent, argv, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stdout == ""
    assert f" needs {absent}: pip install '" in done.stderr
    assert f"'{absent}>=" in done.stderr
    assert not list(tmp_path.iterdir())


def run_without(absent, argv, folder):
    if argv[0].startswith("--config"):
        argv = [argv[0], "--env-config=matrix_game", *argv[1:]]
    code = f"import sys; sys.modules[{absent!r}] = None\n"
    code += "from wqmix.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *argv],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "absent, argv",
    [
        ("torch", ["list"]),
        ("yaml", ["list"]),
        ("numpy", ["theory", "paper"]),
        ("torch", ["--config=cw_qmix", "with", "t_max=50"]),
        ("torch", ["--config=qmix", "with", "t_max=50"]),
    ],
)
def test_a_required_package_that_is_absent_is_one_line(tmp_path, absent, argv):
    done = run_without(absent, argv, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"wqmix: error: {absent} cannot be imported here: ")
    assert done.stderr.count("\n") == 1 and "-m pip install " in done.stderr


def test_other_modules_are_not_ours_to_explain():
    assert extras.unmet(ModuleNotFoundError(name="smac")) is None
    assert extras.unmet(ModuleNotFoundError(name="torch.nothing")) is None
    assert extras.unmet(ModuleNotFoundError()) is None


def test_every_extra_has_a_command_without_an_index_name():
    for extra in ("plots", "theory", "analysis", "ray", "slurm", "tensorboard", "lbf"):
        needed = extras.requirements(extra)
        assert needed and not any("pymarl" in each for each in needed)
    assert extras.command("slurm") == "pip install 'submitit>=1.5'"


def test_markers_as_old_and_new_setuptools_write_them(monkeypatch):
    lines = [
        "torch",
        "a>=1; extra == 'plots'",
        'b; extra == "plots"',
        'c; python_version >= "3.10" and extra == "plots"',
        'd; extra == "plots2"',
    ]
    monkeypatch.setattr(extras.metadata, "requires", lambda name: lines)
    assert extras.command("plots") == "pip install 'a>=1' b c"
    assert extras.requirements("none") == []


def test_from_a_folder_that_is_not_installed(monkeypatch):
    def requires(name):
        raise extras.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(extras.metadata, "requires", requires)
    assert extras.command("plots").startswith("pip install -e '.[plots]' in the clone")


def test_what_is_there_is_not_asked_for():
    assert extras.missing("x", "plots", "json", "importlib.metadata") is None
    line = extras.missing("x", "slurm", "json", "no_such_package.inside")
    assert line == "x needs no_such_package.inside: pip install 'submitit>=1.5'"
