"""Sacred without setuptools: what it takes of `pkg_resources`, which setuptools 82
removed and newer Pythons no longer bring.

Nobody's setuptools need be older for it. The stand-in is there only while sacred is
imported: other packages see that `pkg_resources` is not installed, as it is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import warnings
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Dict, Iterator, List

from .extras import is_installed

NAME = "pkg_resources"


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Let sacred be imported in here, in silence about `pkg_resources`' end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if is_installed(NAME):
            yield
            return
        before = {NAME: sys.modules[NAME]} if NAME in sys.modules else {}
        sys.modules[NAME] = stand_in()
        try:
            yield
        finally:
            del sys.modules[NAME]
            sys.modules.update(before)


def stand_in() -> ModuleType:
    """Return a module with what sacred takes of `pkg_resources`."""
    module = ModuleType(NAME)
    module.working_set = WorkingSet()  # type: ignore[attr-defined]
    module.resource_filename = resource_filename  # type: ignore[attr-defined]
    return module


def resource_filename(package: str, name: str) -> str:
    """Return the path of a package's file."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / name)


class Distribution:
    """An installed distribution, as sacred asks for it."""

    def __init__(self, found: metadata.Distribution) -> None:
        self._found = found
        self.project_name = found.metadata["Name"]
        self.version = found.version

    def _get_metadata(self, name: str) -> List[str]:
        return (self._found.read_text(name) or "").splitlines()


class WorkingSet:
    """What is installed; looked up when it is asked for."""

    def __iter__(self) -> Iterator[Distribution]:
        for found in metadata.distributions():
            if found.metadata["Name"] and found.version:  # not what is left of one
                yield Distribution(found)

    @property
    def by_key(self) -> Dict[str, Distribution]:
        return {each.project_name.lower(): each for each in self}
