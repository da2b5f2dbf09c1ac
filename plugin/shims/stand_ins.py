"""Modules that a host imports and that are absent."""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Dict, List, Optional

from ..hosts import HostAdapter
from ..notes import note

TENSORBOARD = Path(__file__).parents[1] / "tensorboard.py"


def absent(host: HostAdapter, root: Path) -> List[str]:
    """Return the modules that a host imports in vain and that have a stand-in."""
    names = []
    for name in host.stand_ins:
        top = name.split(".")[0]
        if (root / top).is_dir():
            file = root.joinpath(*name.split(".")).with_suffix(".py")
            is_there = file.is_file()
        else:
            is_there = top in names or importlib.util.find_spec(top) is not None
        if not is_there:
            names.append(name)
    return names


class StandIns(MetaPathFinder, Loader):
    """Stand-ins for modules that a host imports and that are absent.

    Last on `sys.meta_path`, so it is asked only for what nothing else provides; it
    answers only imports made by the host's own files.
    """

    def __init__(self, host: HostAdapter, root: Path) -> None:
        self._host = host
        self._root = str(root)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        if fullname == "tensorboard_logger" and self._asked_by_host():
            note("shim tensorboard_logger: absent; tensorboardX takes its place")
            return spec_from_file_location(fullname, TENSORBOARD)
        if fullname in self._host.stand_ins and self._asked_by_host():
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandIn(spec.name, self._host.stand_ins[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        note(f"shim stand-in for {module.__name__}: it is not there")

    def _asked_by_host(self) -> bool:
        frame: Optional[FrameType] = sys._getframe(2)
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is not None and os.path.abspath(
            frame.f_code.co_filename
        ).startswith(self._root)


class StandIn(ModuleType):
    """A module any name can be imported from; using one says what is missing."""

    def __init__(self, name: str, remedy: str) -> None:
        super().__init__(name)
        self.__path__ = []  # a package, so that submodules are looked for
        self._made: Dict[str, type] = {}
        self._remedy = remedy

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        message = f"{self.__name__}.{name} is not installed: {self._remedy}"

        def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
            note(f"error: {message}")
            raise SystemExit(2)

        if name not in self._made:
            self._made[name] = type(name, (), {"__init__": refuse})
        return self._made[name]
