"""The name that somebody may have meant: misspelt, or as other hosts have it."""

from __future__ import annotations

import difflib
from typing import Dict, Iterable, Tuple

from .schema import SETTINGS

# Names of one setting, by each of them; the first setting that has it counts.
_OTHER_NAMES: Dict[str, Tuple[str, ...]] = {}
for _key, _setting in SETTINGS.items():
    for _name in (_key, *_setting.also):
        _OTHER_NAMES.setdefault(_name, (_key, *_setting.also))


def nearest(name: object, accepted: Iterable[object]) -> str:
    """` (did you mean 'x'?)` for the accepted name most like it, or ""."""
    names = {_alike(each): str(each) for each in accepted}
    for other in _OTHER_NAMES.get(_alike(name), ()):
        if other in names:
            return f" (here it is {other!r})"
    cutoff = 0.5 if len(str(name)) < 4 else 0.6
    found = difflib.get_close_matches(_alike(name), names, n=1, cutoff=cutoff)
    return f" (did you mean {names[found[0]]!r}?)" if found else ""


def _alike(name: object) -> str:
    return str(name).lower().replace("-", "_")
