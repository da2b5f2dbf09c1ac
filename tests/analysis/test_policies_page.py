"""The commands and the code of docs/policies.md, as they are written there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"


def run(folder: Path, *words: str) -> str:
    command = [sys.executable, *words]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_the_page_s_commands_and_code_run(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8").replace("t_max=3000", "t_max=60")
    block = re.search(r"\n\n((?:    .+\n)+)", text).group(1)
    said = []
    for line in block.splitlines():
        *_, words = re.split(r"(?:python -m )?wqmix ", line.strip(), maxsplit=1)
        runs = [
            str(path.relative_to(tmp_path)) for path in tmp_path.glob("out/models/*")
        ]
        words = words.replace("out/models/*", "".join(runs))
        said.append(run(tmp_path, "-m", "wqmix", *shlex.split(words)))
    assert "1 step, return" in said[1] and said[2].count("actions") == 1
    assert len((tmp_path / "game.csv").read_text().splitlines()) == 51
    assert "100 episodes, ε = 0.1, seed 0" in said[4]
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "page.py").write_text(code.replace("out/models/RUN", runs[0]))
    assert run(tmp_path, "page.py").endswith("(4, 2)\n")
