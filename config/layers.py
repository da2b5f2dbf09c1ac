"""Settings in layers, later ones winning: for the embedded host and the plugin alike.

A setting has a path, ("env_args", "game") for `env_args.game`.
"""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence, Set, Tuple

from .names import nearest
from .reading import ReadingError, in_home, quoted

Keys = Tuple[str, ...]
_KINDS = {bool: "True or False", str: "text", list: "a list", dict: "a mapping"}


class UnknownKey(ReadingError):
    """A setting that no layer lists.

    Attributes:
        name: of the setting, dotted.
        accepted: the names that are listed beside it.
        hint: the one that may be meant, in words; or "".
    """

    def __init__(self, name: str, accepted: Sequence[str]) -> None:
        self.name, self.accepted = name, accepted
        self.hint = nearest(name, accepted)
        super().__init__(f"{name}: there is no such setting{self.hint}")


class WrongType(ReadingError):
    """A value of another type than the one that it replaces.

    Attributes:
        name, value: of the setting; `name` is dotted.
        needed: what is needed, in words.
    """

    def __init__(self, name: str, value: Any, needed: str) -> None:
        self.name, self.value, self.needed = name, value, needed
        super().__init__(f"{name} is {quoted(value)}: {needed} is needed")


class Layers:
    """Nested settings that others are laid over.

    A user's layers are typed: a value takes the type of what it replaces. What is null
    in one layer may be null in those over it. A mapping that is `{}` in those that are
    not typed takes any keys.

    Attributes:
        values: of all layers so far, nested.
    """

    def __init__(self, *layers: Mapping[str, Any]) -> None:
        self.values: Dict[str, Any] = {}
        self._nullable: Set[Keys] = set()
        self._open: Set[Keys] = set()
        for layer in layers:
            self.lay(layer, is_typed=False)

    def lay(self, layer: Mapping[str, Any], is_typed: bool = True) -> None:
        """Lay nested settings over those so far.

        Raises:
            WrongType: of `is_typed` settings, one that cannot replace what is there.
        """
        for path, value in leaves(layer):
            self.put(path, value, is_typed)

    def put(self, path: Keys, value: Any, is_typed: bool = True) -> None:
        """Lay one setting over those so far; as `lay`."""
        *above, last = path
        if not is_typed:
            self._open -= {path[:depth] for depth in range(1, len(path))}
        section = self.values
        for depth, key in enumerate(above):
            if not isinstance(section.get(key), dict):
                if is_typed and section.get(key) is not None:
                    name = ".".join(path[: depth + 1])
                    raise WrongType(name, *_wanted(section[key], {last: value}))
                section[key] = {}
            section = section[key]
        below = section.get(last)
        if isinstance(value, str):
            value = in_home(value) if value.startswith("~/") else value
        if is_typed and below is not None:
            if not (value is None and path in self._nullable):
                value = typed(".".join(path), value, below)
        if value is None:
            self._nullable.add(path)
        if value == {} and isinstance(value, dict):
            value = below if isinstance(below, dict) else {}
            if not value:
                self._open.add(path)
        section[last] = value

    def get(self, path: Keys) -> Any:
        """Return what a path leads to."""
        found: Any = self.values
        for key in path:
            found = found[key]
        return found

    def check_known(self, path: Keys) -> None:
        """Refuse a setting that no layer lists.

        Raises:
            UnknownKey: naming the nearest.
        """
        known: Any = self.values
        for depth, key in enumerate(path):
            if path[:depth] in self._open:
                return
            if not isinstance(known, dict) or key not in known:
                beside = path[:depth] if isinstance(known, dict) else path[: depth - 1]
                names = [".".join(each) for each, _ in leaves(self.values)]
                prefix = "".join(f"{part}." for part in beside)
                near = [name for name in names if name.startswith(prefix)]
                raise UnknownKey(".".join(path), near)
            known = known[key]


def leaves(values: Mapping[str, Any], above: Keys = ()) -> Iterator[Tuple[Keys, Any]]:
    """Yield {a: {b: 1}} as (("a", "b"), 1); an empty mapping is a value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def nested(path: Keys, value: Any) -> Dict[str, Any]:
    """Return (("a", "b"), 1) as {a: {b: 1}}."""
    found: Dict[str, Any] = value
    for key in reversed(path):
        found = {key: found}
    return found


def typed(name: str, value: Any, below: Any) -> Any:
    """Return a value in the type of the one that it replaces.

    A number may be text (`1e6`, which YAML takes for text), and a whole one a float.

    Raises:
        WrongType: it has another.
    """
    if isinstance(below, numbers.Real) and not isinstance(below, bool):
        number = _to_number(value)
        if number is None:
            raise WrongType(name, value, "a number")
        is_whole = isinstance(number, float) and number.is_integer()
        return int(number) if is_whole and isinstance(below, int) else number
    for kind, needed in _KINDS.items():
        if isinstance(below, kind) and not isinstance(value, kind):
            raise WrongType(name, value, needed)
    return value


def _wanted(below: Any, value: Any) -> Tuple[Any, str]:
    kinds = [needed for kind, needed in _KINDS.items() if isinstance(below, kind)]
    return value, kinds[0] if kinds else "a number"


def _to_number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return value if is_number else None


# Inheritance --------------------------------------------------------------------------


def parents(values: Mapping[str, Any]) -> List[str]:
    """Return the names after `inherit:`, one or a list, later ones winning."""
    named = values.get("inherit") or []
    return [str(name) for name in (named if isinstance(named, list) else [named])]


def inherited(
    path: Path,
    read: Callable[[Path], Dict[str, Any]],
    parent: Callable[[str, Path], Path],
    heirs: Tuple[Path, ...] = (),
) -> Dict[str, Any]:
    """Return a file's settings over those of all that it inherits.

    Args:
        path: of the file.
        read: reads a file.
        parent: the file that a name after `inherit:` means in another file.

    Raises:
        ReadingError: it inherits from itself.
    """
    path = path.resolve()
    if path in heirs:
        chain = " → ".join(heir.name for heir in (*heirs, path))
        raise ReadingError(f"{path}: inherits from itself ({chain})")
    values = read(path)
    layers = Layers()
    for name in parents(values):
        above = inherited(parent(name, path), read, parent, (*heirs, path))
        layers.lay(above, is_typed=False)
    for each, value in leaves(values):
        if each != ("inherit",):
            put_if_typed(layers, each, value)
    return layers.values


def put_if_typed(layers: Layers, path: Keys, value: Any) -> None:
    """Lay a setting over others; of another type, as it is: its reader will say so."""
    try:
        layers.put(path, value)
    except WrongType:
        layers.put(path, value, is_typed=False)


def beside(name: str, heir: Path) -> List[Path]:
    """Return where a file that another one inherits may lie, if it is no known name."""
    named = heir.parent / in_home(name)
    return [path for path in (named, Path(f"{named}.yaml")) if os.path.isfile(path)]


def same_kind(
    settings: Mapping[str, Any], algorithms: Sequence[Mapping[str, Any]]
) -> List[Mapping[str, Any]]:
    """Return the algorithms with the same learner and mixer, or with that learner."""
    same = [each for each in algorithms if _same(each, settings, "learner")]
    return [each for each in same if _same(each, settings, "mixer")] or same


def _same(one: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    return one.get(key) == other.get(key)
