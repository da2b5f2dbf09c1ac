"""Sacred beside a setuptools that has no `pkg_resources`, or without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from wqmix.config import sacred

from .skeletons.hosts import SKELETONS

GONE = "import sys; sys.modules['pkg_resources'] = None\n"
RUN = GONE + "from wqmix.__main__ import main; sys.exit(main(sys.argv[1:]))"
GAME = ("--config=cw_qmix", "--env-config=matrix_game")


def python(code, *argv, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *argv],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def dependencies(folder):
    """What sacred has noted of a run's packages, by name."""
    (path,) = folder.rglob("run.json")
    facts = json.loads(path.read_text())
    assert facts["status"] == "COMPLETED"
    return facts["experiment"]["dependencies"]


@pytest.mark.slow
def test_the_embedded_host_runs_and_notes_the_same_packages(tmp_path):
    words = (*GAME, "with", "t_max=20", "test_interval=20")
    noted = []
    for code in (RUN, RUN[len(GONE) :]):
        folder = tmp_path / str(len(noted))
        folder.mkdir()
        code = code if code == RUN else f"import sys; {code}"
        done = python(code, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        noted.append(dependencies(folder))
    without, with_it = noted
    assert without == with_it
    assert f"sacred=={metadata.version('sacred')}" in without


@pytest.mark.slow
def test_a_host_that_imports_sacred_itself_runs(tmp_path):
    SKELETONS["pymarl2"].write(tmp_path / "checkout")
    words = ("--config=cw_qmix", "--env-config=own_game", "with", "t_max=20")
    report = str(tmp_path / "report.json")
    folder = tmp_path / "checkout"
    done = python(RUN, "src/main.py", *words, cwd=folder, SKELETON_REPORT=report)
    assert done.returncode == 0, done.stderr
    assert "shim pkg_resources: pkg_resources, gone since" in done.stderr + done.stdout


def test_only_sacred_sees_the_stand_in(tmp_path):
    code = GONE + (
        "from wqmix.config import sacred\n"
        "with sacred.importable():\n"
        "    import sacred.observers, sacred.dependencies\n"
        "try:\n"
        "    import pkg_resources\n"
        "except ImportError:\n"
        "    print('gone')"
    )
    code = code.replace("from wqmix.config import sacred", "import wqmix.config.sacred")
    code = code.replace("with sacred.", "with wqmix.config.sacred.")
    done = python(code, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("gone\n", "")


def test_what_is_installed():
    found = sacred.WorkingSet().by_key
    assert found["torch"].version == metadata.version("torch")
    assert "yaml" in found["pyyaml"]._get_metadata("top_level.txt")
    assert found["torch"]._get_metadata("absent.txt") == []
    path = Path(sacred.resource_filename("sacred", "data/mime.types"))
    assert path.is_file()
