"""`wqmix list`: everything that has a name, from the registries and YAMLs."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ..config import schema
from .configs import OUR_CONFIGS
from .hosts import HOSTS
from .recipes import RECIPES


def main(argv: List[str]) -> int:
    """Print names and a line for each; return the exit code."""
    sections = everything()
    parser = argparse.ArgumentParser(
        prog="wqmix list", description="List what has a name, a line each."
    )
    parser.add_argument("section", nargs="*", help=f"only these: {', '.join(sections)}")
    wanted = parser.parse_args(argv).section or list(sections)
    unknown = [name for name in wanted if name not in sections]
    if unknown:
        parser.error(f"{unknown[0]!r} is not one of {', '.join(sections)}")
    for name in wanted:
        print(f"{name}:")
        width = max(map(len, sections[name]), default=0)
        for key, line in sections[name].items():
            print(f"  {key:{width}}  {line}")
    return 0


def everything() -> Dict[str, Dict[str, str]]:
    """Return {section: {name: line}}."""
    from ..modules.agents import CENTRAL_AGENTS
    from ..modules.mixers import CENTRAL_MIXERS
    from ..omegas import OMEGAS
    from ..weightings import WEIGHTINGS, names

    theirs = {name: "of an installed package" for name in names()}
    return {
        "algorithms": yaml_lines(OUR_CONFIGS),
        "weightings": {**theirs, **doc_lines(WEIGHTINGS)},
        "omegas": doc_lines(OMEGAS),
        "mixers": doc_lines(CENTRAL_MIXERS),
        "agents": doc_lines(CENTRAL_AGENTS),
        "environments": yaml_lines(OUR_CONFIGS.parent / "envs"),
        "recipes": yaml_lines(RECIPES),
        "settings": {
            key: f"{setting.needed}: {setting.meaning}"
            for key, setting in schema.SETTINGS.items()
        },
        "hosts": {name: host.about for name, host in HOSTS.items()},
    }


def yaml_lines(folder: Path) -> Dict[str, str]:
    """Return each YAML's name, its folder below this one before it, and its comment."""
    lines = {}
    for path in sorted(folder.rglob("*.yaml")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        lines[str(path.relative_to(folder).with_suffix(""))] = first.lstrip("# ")
    return lines


def doc_lines(registry: Mapping[str, Any]) -> Dict[str, str]:
    """Return each name of a registry and the first line of its entry's docstring."""
    return {
        name: (inspect.getdoc(entry) or "").split("\n", 1)[0]
        for name, entry in registry.items()
    }
