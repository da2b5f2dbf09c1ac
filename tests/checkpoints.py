"""Checkpoints of seconds for the tests, and what a stranger makes of one."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import wqmix
from wqmix.storage import manifest

SHORT = {"seed": 1, "batch_size": 8, "use_cuda": False, "t_max": 10}


def saved(folder: Path, env: Any, method: str = "cw_qmix", **settings: Any) -> str:
    """Make a checkpoint in `folder/run`; return it."""
    logging.getLogger("pymarl").setLevel(logging.ERROR)
    with wqmix.get_runner(method, env, **{**SHORT, **settings}) as runner:
        return runner.save(str(folder / "run"))


def altered(path: str, folder: Path, **config: Any) -> str:
    """Copy a checkpoint, with settings of somebody else's in an intact manifest."""
    copy = folder / Path(path).name
    shutil.copytree(path, copy)
    facts = json.loads((copy / manifest.NAME).read_text(encoding="utf-8"))
    facts["config"].update(config)
    for key in ("sha256", "format", "files", "config_digest", "versions"):
        del facts[key]
    manifest.write(str(copy), facts)
    return str(copy)
