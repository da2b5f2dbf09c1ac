"""A module `wandb` of ours, which writes lines, where the real one may be absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

TEXT = """
import json, os

class Run:
    def __init__(self, path, said):
        self.file = open(path, "a")
        self.write({"init": said})
    def write(self, said):
        print(json.dumps(said), file=self.file, flush=True)
    def define_metric(self, name, step_metric=None):
        pass
    def log(self, said):
        self.write(said)
    def finish(self, exit_code):
        self.write({"exit_code": exit_code})

def init(**said):
    folder = os.path.join(said["dir"], "wandb")
    os.makedirs(folder, exist_ok=True)
    return Run(os.path.join(folder, "lines"), said)
"""


def write(folder: Path) -> None:
    """Put it where an import in `folder` finds it."""
    (folder / "wandb.py").write_text(TEXT)


def lines(results: Path) -> List[Dict[str, Any]]:
    """Return what a run has written into its folder of results."""
    return [json.loads(each) for each in (results / "wandb" / "lines").open()]
