"""A pickle that runs code in each file of a run's checkpoint, on the embedded host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from wqmix.host.utils import checkpoints
from wqmix.plugin import launcher
from wqmix.storage import manifest

WORDS = "--config={} --env-config=matrix_game with t_max=40 batch_size=8 seed=1 "
WORDS += "save_model=True save_model_interval=20 save_buffer=True use_cuda=False"


class MakesAFolder:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def write_hostile(file: Path, what: object) -> None:
    if file.suffix == ".npz":
        np.savez(file, obs=np.array([what], dtype=object))
    else:
        torch.save({"w": what}, file)


def seal(folder: Path) -> None:
    """Whoever can write the files can write a manifest that fits them."""
    old = manifest.read(str(folder))
    for each in old.get("buffer", []):
        file = folder.parent / "buffer" / each["name"]
        each.update(bytes=file.stat().st_size, sha256=manifest.sha256(str(file)))
    made = {key: old[key] for key in old if key not in ("files", "format", "versions")}
    (folder / manifest.NAME).unlink()
    manifest.write(str(folder), made)


def exit_code(words: list) -> int:
    with pytest.raises(SystemExit) as ended:
        launcher.main(words)
    return ended.value.code or 0


@pytest.mark.slow
@pytest.mark.parametrize("config", ["qmix", "cw_qmix"])
def test_a_run_refuses_it_and_does_not_run_it(config, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    words = WORDS.format(config).split()
    assert exit_code(words) == 0
    (good,) = Path("results/models").iterdir()
    step = str(checkpoints.steps_in(str(good))[-1])
    files = sorted(path.relative_to(good) for path in (good / step).rglob("*.th"))
    files += sorted(path.relative_to(good) for path in (good / "buffer").iterdir())
    assert len(files) >= 6 and any(file.suffix == ".npz" for file in files)
    made = tmp_path / "made"
    for number, file in enumerate(files):
        folder = Path("hostile", str(number))
        shutil.copytree(good / step, folder / step)
        shutil.copytree(good / "buffer", folder / "buffer")
        write_hostile(folder / file, MakesAFolder(made))
        seal(folder / step)
        capfd.readouterr()
        again = [*words, "t_max=60", f"checkpoint_path={folder}", "resume=True"]
        assert exit_code(again) == 2, file
        said = capfd.readouterr().err
        assert file.name in said and "Traceback" not in said, said
    assert not made.exists()
    if config == "qmix":  # it would
        torch.load(Path("hostile", "0") / files[0], weights_only=False)
        assert made.exists()
