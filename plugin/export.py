"""`wqmix export-configs DIR`: our algorithms, fully resolved, for a fork to keep."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List, Optional

from ..config.ending import tells
from ..errors import ConfigError
from ..storage.files import replace
from . import detect, registration
from .configs import OUR_CONFIGS, ConfigFiles, dump_yaml
from .notes import WHO, note

HEADER = "# Written by `wqmix export-configs` from "


@tells(WHO)
def main(argv: List[str]) -> None:
    """Write one YAML per algorithm into a folder; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wqmix export-configs",
        description="Write cw_qmix.yaml, ow_qmix.yaml … with everything they inherit "
        "from the host's qmix.yaml.",
    )
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument(
        "--host-dir",
        type=Path,
        help="the checkout (default: the one that DIR lies in, else this folder)",
    )
    parser.add_argument("--host", help="use this adapter without looking")
    arguments = parser.parse_args(argv)
    root = find_root(arguments.host_dir, arguments.folder)
    export(root, arguments.folder, arguments.host)


def find_root(checkout: Optional[Path], folder: Path) -> Path:
    """Return the source folder of a checkout: given, around `folder`, or here."""
    if checkout is not None:
        starts = [checkout]
    else:
        starts = [*folder.resolve().parents, Path.cwd()]
    for start in starts:
        for root in (start, start / "src"):
            if (root / "learners" / "__init__.py").is_file():
                return root
    raise ConfigError(
        f"{checkout or Path.cwd()}: no learners/__init__.py here or in src/; say where "
        "the checkout is with --host-dir"
    )


def export(root: Path, folder: Path, host_name: Optional[str]) -> None:
    """Write all of our algorithms, resolved for the host in `root`, into `folder`.

    A file that is the host's own is kept: ours gets another name.
    """
    host = detect.detect(root, host_name)
    files = ConfigFiles(host, root, registration.learner_keys(root))
    resolved = {
        name: files.resolve(OUR_CONFIGS / f"{name}.yaml") for name in files.ours()
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in resolved.items():
        path = free_path(folder, name)
        text = f"{HEADER}{name}.yaml and {host.title}'s qmix.yaml.\n{dump_yaml(values)}"
        replace(path, text.encode("utf-8"))
        print(path)


def free_path(folder: Path, name: str) -> Path:
    """Return where to write a config: never over a file that is not ours."""
    path = folder / f"{name}.yaml"
    if path.is_file() and not path.read_text(encoding="utf-8").startswith(HEADER):
        note(f"{path} is the host's own and stays; ours is {name}_plugin.yaml")
        return folder / f"{name}_plugin.yaml"
    return path
