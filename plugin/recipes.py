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
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..config.reading import spelt, stays_inside
from ..errors import ConfigError, nearest
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
    for path in (Path(name), Path(f"{name}.yaml")):
        if os.path.isfile(path):
            return path
    offer = ", ".join(names())
    raise ConfigError(
        f"{OPTION}={name}: neither a file nor one of {offer}{nearest(name, names())}"
    )


def read(name: str, heirs: Tuple[str, ...] = ()) -> Dict[str, Any]:
    """Return a recipe's sections, what it inherits below them.

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
    return merged(read(parent, (*heirs, name)), values) if parent else values


def settings(name: str, host: str, weighting: Optional[str]) -> Dict[str, Any]:
    """Return what a recipe says for a host and a weighting (None: it has none)."""
    recipe = read(name)
    return merged(
        recipe.get("settings", {}),
        recipe.get("hosts", {}).get(host, {}),
        recipe.get("weightings", {}).get(weighting, {}),
    )


def with_recipe(
    name: str, host: Any, known: Mapping[str, Any], argv: List[str]
) -> List[str]:
    """Put a recipe's words after `with`, and say what has no place here.

    Args:
        name: of the recipe, or its path.
        host: the adapter.
        known: all settings of the run before the command line's.
        argv: the host's arguments, the recipe's option taken out.
    """
    after = argv[argv.index("with") + 1 :] if "with" in argv else []
    given = {key: value for key, _, value in (text.partition("=") for text in after)}
    weighting = given.get("weighting", known.get("weighting"))
    asked = dict(flat(settings(name, host.name, weighting)))
    absent = [key for key in asked if not has(known, key)]
    if absent:
        note(
            f"recipe {name}: left out, as {host.title} has no such setting for this "
            f"algorithm and environment: {', '.join(absent)}"
        )
    kept = [key for key in asked if key not in absent and key not in given]
    words = [f"{key}={spelt(asked[key])}" for key in kept]
    before = argv[: argv.index("with")] if "with" in argv else argv
    return [*before, "with", *words, *after]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[Tuple[str, Any]]:
    """Yield {a: {b: 1}} as ("a.b", 1)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def has(known: Any, dotted: str) -> bool:
    """Whether nested settings list a key."""
    for part in dotted.split("."):
        if not isinstance(known, Mapping) or part not in known:
            return False
        known = known[part]
    return True
