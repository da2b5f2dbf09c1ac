"""A pickle that runs code, in the place of each checkpoint file, in every host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from wqmix.storage import manifest

from .hosts import first
from .test_skeletons import run

pytestmark = pytest.mark.slow
COMMAND = ["--config=cw_qmix", "--env-config=own_game", "with"]


class MakesAFolder:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", first("pymarl", "pymarl2", "epymarl"))
def test_it_is_refused_and_does_not_run(name: str, tmp_path: Path) -> None:
    good, made = tmp_path / "good", tmp_path / "made"
    ended = run(name, tmp_path / "first", *COMMAND, f"save_to={good}")
    assert ended.code == 0, ended.output[-4000:]
    files = sorted(path.name for path in good.glob("*.th"))
    assert {"agent.th", "mixer.th", "opt.th", "learner.th"} < set(files)
    hostile = []
    for file in files:
        folder = tmp_path / "hostile" / file
        shutil.copytree(good, folder)
        torch.save({"w": MakesAFolder(made)}, folder / file)
        # Whoever can write the file can write a manifest that fits it.
        (folder / manifest.NAME).unlink()
        manifest.write(str(folder), {})
        hostile.append(folder)
    for file in ("agent.th", "mixer.th"):  # as a host's own QMIX leaves them
        folder = tmp_path / "hosts_own" / file
        folder.mkdir(parents=True)
        for each in ("agent.th", "mixer.th"):
            shutil.copy(good / each, folder / each)
        torch.save(MakesAFolder(made), folder / file)
        hostile.append(folder)
    folders = os.pathsep.join(map(str, [good, *hostile]))
    ended = run(name, tmp_path / "second", *COMMAND, f"try_to_load={folders}")
    assert ended.code == 0, ended.output[-4000:]
    loaded = ended.report["loaded"]
    assert loaded == {str(good): 0, **{str(folder): 2 for folder in hostile}}
    assert ended.output.count("cannot be read as tensors") == len(hostile)
    assert not made.exists()
    torch.load(hostile[0] / files[0], weights_only=False)
    assert made.is_dir(), "the pickle would have run"
