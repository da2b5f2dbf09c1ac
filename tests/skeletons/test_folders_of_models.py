"""Runs that begin in one moment: each has a folder of models of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, List

import pytest

from wqmix.storage import manifest

from .hosts import SKELETONS, first
from .test_skeletons import environment

pytestmark = pytest.mark.slow
# As a fork may name them: no shim knows this, and the learner's folder is locked.
OTHERWISE = ("run.py", "    unique_token =", "    token = unique_token =")


def start(name: str, checkout: Path, seed: int, *words: str) -> Any:
    script = ["-m", f"{name}.main"] if name == "pymarlzooplus" else ["src/main.py"]
    command = [sys.executable, "-m", "wqmix", *script, "--config=cw_qmix"]
    command += ["--env-config=own_game", "with", "save_model=True", f"seed={seed}"]
    with open(checkout / f"{seed}.out", "w") as output:
        return subprocess.Popen(
            [*command, *words],
            cwd=str(checkout),
            env=environment(checkout / f"{seed}.json"),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def seeds_in(folder: Path) -> List[int]:
    """The seeds of the runs whose checkpoints a folder holds, all of them whole."""
    found = set()
    for path in folder.iterdir():
        if path.name.isdigit():
            facts = manifest.verify(str(path))
            assert facts is not None, path
            found.add(facts["config"]["seed"])
    return sorted(found)


@pytest.mark.parametrize("edits", [(), (OTHERWISE,)], ids=["as it is", "otherwise"])
@pytest.mark.parametrize("name", first("pymarl", "pymarl2", "epymarl", "pymarlzooplus"))
def test_seeds_at_once(name: str, edits: tuple, tmp_path: Path) -> None:
    if edits and name in ("pymarl2", "epymarl", "pymarlzooplus"):
        pytest.skip("as the others")
    skeleton = SKELETONS[name]
    root = skeleton.write(tmp_path)
    for path, text, instead in edits:
        file = next(root.rglob(Path(path).name))
        file.write_text(file.read_text().replace(text, instead))
    running = [start(name, tmp_path, seed) for seed in (1, 2)]
    codes = [process.wait(timeout=300) for process in running]
    said = {seed: (tmp_path / f"{seed}.out").read_text() for seed in (1, 2)}
    assert codes == [0, 0], "\n".join(text[-2000:] for text in said.values())
    folders = [lock.parent for lock in tmp_path.rglob("models/**/.lock")]
    assert sorted(seeds_in(folder) for folder in folders) == [[1], [2]]
    marked = [text.count("shim names:") for text in said.values()]
    assert marked == [0 if edits or name in ("epymarl", "pymarlzooplus") else 1] * 2
