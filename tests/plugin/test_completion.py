"""What a shell offers: by the function, and by bash itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wqmix.__main__ import main
from wqmix.plugin.completion import SCRIPTS, offered

from .fakes import make_host


@pytest.mark.parametrize(
    "line, some",
    [
        ("wqmix sw", {"sweep"}),
        ("wqmix --c", {"--config="}),
        ("wqmix --config=cw", {"--config=cw_qmix", "--config=cw_qmix_ns"}),
        ("wqmix --config cw_qmix_", {"cw_qmix_ns"}),
        ("python -m wqmix --env-config=pred", {"--env-config=predator_prey"}),
        ("wqmix --recipe=pymarl2/sm", {"--recipe=pymarl2/smac"}),
        ("wqmix --config=cw_qmix --env-config=predator_prey wi", {"with"}),
        ("wqmix --config=cw_qmix with alpha_s", {"alpha_schedule="}),
        ("wqmix --config=qmix with alp", set()),
        ("wqmix --env-config=matrix_game with env_args.ga", {"env_args.game="}),
        ("wqmix --config=cw_qmix with t_max=5 t_m", set()),
        ("wqmix --config=nothing with al", set()),
        ("wqmix --host pymarl", {"pymarl", "pymarl2", "pymarl3", "pymarlzooplus"}),
        ("wqmix completion ", {"bash", "zsh"}),
    ],
)
def test_what_is_offered(line, some):
    assert set(offered(line.split(" "))) == some


def test_keys_of_a_checkout_are_its_own(tmp_path, monkeypatch):
    make_host(tmp_path)
    monkeypatch.chdir(tmp_path)
    line = "python -m wqmix src/main.py --config=cw_qmix with "
    found = offered(line.split(" "))
    assert "optim_alpha=" in found and "alpha=" in found
    assert "use_tensorboard=" not in found  # the embedded host's
    line = "python -m wqmix src/main.py --env-config=own"
    assert offered(line.split(" ")) == ["--env-config=own_game"]


def test_the_scripts_are_printed(capsys):
    for shell, script in SCRIPTS.items():
        assert main(["completion", shell]) == 0
        assert capsys.readouterr().out == script


@pytest.mark.parametrize(
    "line, reply",
    [
        ("wqmix --config=ow_qmix_", "ow_qmix_ns"),
        ("wqmix --config=cw_qmix with weighting_t", "weighting_temperature="),
    ],
)
def test_bash_completes(tmp_path: Path, line, reply):
    program = tmp_path / "wqmix"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m wqmix "$@"\n')
    program.chmod(0o755)
    script = f"{SCRIPTS['bash']}\nCOMP_LINE='{line}' COMP_POINT={len(line)}\n_wqmix\n"
    script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [reply], done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_reads_its_script():
    assert subprocess.run(["zsh", "-n", "-c", SCRIPTS["zsh"]]).returncode == 0
