"""Recipes: named settings, laid over an algorithm and under the command line.

`--recipe pymarl2/smac` becomes `key=value` words after `with`, but for keys that the
user gives there himself. Applied alike to every algorithm, the host's own ones too; a
key that this host or algorithm does not have is left out, and said.

A recipe is a YAML of `settings` (for all), `weightings` (for the algorithms of that
`weighting`), `hosts` (for that host) and `inherit` (another recipe, under this one).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..config.layers import Keys, leaves
from ..config.names import nearest
from ..config.reading import in_home, stays_inside
from ..errors import ConfigError
from .configs import OUR_CONFIGS, read_yaml
from .hosts.base import merged
from .notes import note

RECIPES = OUR_CONFIGS.parent / "recipes"
OPTION = "--recipe"
SECTIONS = ("inherit", "settings", "weightings", "hosts")


def names() -> List[str]:
    """Return the names of our recipes, `pymarl2/smac` for example."""
    paths = RECIPES.rglob("*.yaml")
    return sorted(str(path.relative_to(RECIPES).with_suffix("")) for path in paths)


def taken(argv: List[str]) -> Tuple[Optional[str], List[str]]:
    """Split `--recipe NAME` or `--recipe=NAME` from the host's arguments.

    Raises:
        ConfigError: it has no name, or is there twice.
    """
    found, rest, words = [], [], list(argv)
    while words:
        option, equals, name = words.pop(0).partition("=")
        if option != OPTION:
            rest.append(option + equals + name)
        elif equals or (words and not words[0].startswith("-") and words[0] != "with"):
            found.append(name if equals else words.pop(0))
        else:
            found.append("")
    if "" in found or len(found) > 1:
        raise ConfigError(f"write {OPTION}=NAME, once; `wqmix list recipes` lists them")
    return (found[0] if found else None), rest


def locate(name: str) -> Path:
    """Return the file of a recipe: one of ours by its name, or a YAML's path.

    Raises:
        ConfigError: neither.
    """
    if name in names():
        return RECIPES / f"{name}.yaml"
    for path in (Path(in_home(name)), Path(in_home(f"{name}.yaml"))):
        if os.path.isfile(path):
            return path
    offer = ", ".join(names())
    raise ConfigError(
        f"{OPTION}={name}: neither a file nor one of {offer}{nearest(name, names())}"
    )


def lineage(name: str, heirs: Tuple[str, ...] = ()) -> List[Dict[str, Any]]:
    """Return the sections of all that a recipe inherits, then its own.

    Raises:
        ConfigError: no such file, not of this form, or it inherits from itself.
    """
    path = locate(name)
    if name in heirs:
        raise ConfigError(f"{path}: inherits from itself")
    values = read_yaml(path)
    for key in values:
        if key not in SECTIONS:
            offer = f"not one of {', '.join(SECTIONS)}{nearest(key, SECTIONS)}"
            raise ConfigError(f"{path}: {key}: {offer}")
    parent = values.pop("inherit", None)
    if parent is not None and not (isinstance(parent, str) and stays_inside(parent)):
        raise ConfigError(f"{path}: inherit: the name of a recipe is needed")
    mappings = [values.get("settings", {})]
    for section in ("weightings", "hosts"):
        parts = values.get(section, {})
        mappings += [parts, *(parts.values() if isinstance(parts, dict) else [])]
    if not all(isinstance(each, dict) for each in mappings):
        raise ConfigError(f"{path}: `key: value` lines are needed in each section")
    return [*(lineage(parent, (*heirs, name)) if parent else []), values]


def settings(name: str, host: str, weighting: Optional[str]) -> Dict[str, Any]:
    """Return what a recipe says for a host and a weighting (None: it has none).

    All that it says itself wins over all that it inherits.
    """
    layers: List[Mapping[str, Any]] = []
    for recipe in lineage(name):
        layers.append(recipe.get("settings", {}))
        layers.append(recipe.get("hosts", {}).get(host, {}))
        layers.append(recipe.get("weightings", {}).get(weighting, {}))
    return merged(*layers)


def updates(
    name: str, host: Any, known: Mapping[str, Any], given: Mapping[str, Any]
) -> List[Tuple[Keys, Any]]:
    """Return a recipe's settings, and say what has no place here.

    Args:
        name: of the recipe, or its path.
        host: the adapter.
        known: all settings of the run before the command line's.
        given: those of the command line, by dotted name; they win.
    """
    weighting = given.get("weighting", known.get("weighting"))
    asked = list(leaves(settings(name, host.name, weighting)))
    absent = [".".join(path) for path, _ in asked if not has(known, path)]
    if absent:
        note(
            f"recipe {name}: left out, as {host.title} has no such setting for this "
            f"algorithm and environment: {', '.join(absent)}"
        )
    out = {*absent, *given}
    return [(path, value) for path, value in asked if ".".join(path) not in out]


def has(known: Any, path: Keys) -> bool:
    """Whether nested settings list a key."""
    for part in path:
        if not isinstance(known, Mapping) or part not in known:
            return False
        known = known[part]
    return True
