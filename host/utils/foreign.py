"""Learners and environments from files that were written for PyMARL.

Such a file imports PyMARL's top-level modules (`from modules.mixers.qmix import
QMixer`). While it is imported, and only then, these names mean this package's modules;
except where the user has packages of such a name, as every fork of PyMARL does.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Iterator, List, Optional

from ..errors import ConfigError, raised, unknown

PYMARL_MODULES = (
    "components",
    "controllers",
    "envs",
    "learners",
    "modules",
    "runners",
    "utils",
)
_HOST = __name__.rsplit(".", 2)[0]


class _HostFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers `import modules.mixers` with this package's very module."""

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        if fullname.split(".")[0] not in PYMARL_MODULES:
            return None
        if importlib.util.find_spec(f"{_HOST}.{fullname}") is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(f"{_HOST}.{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just put the alias's spec on it: put its own back.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


class _BelowHost(_HostFinder):
    """The same, asked first, for what is inside of a module that is this package's.

    Python's own finder would import it anew, under the alias.
    """

    def find_spec(
        self, fullname: str, path: Any = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        if not _is_host_s(fullname.rpartition(".")[0]):
            return None
        return super().find_spec(fullname, path, target)


@contextmanager
def pymarl_names(*folders: str) -> Iterator[None]:
    """PyMARL's module names mean this host's modules inside the `with` block.

    Packages of the user's own come first, those in `folders` too; what they lack is
    still found here.
    """
    added = [folder for folder in folders if folder not in sys.path]
    sys.path.extend(added)
    importlib.invalidate_caches()  # a folder may be as new as its last listing
    names = [name for name in _pymarl_modules() if not _is_found(name.split(".")[0])]
    others = {name: sys.modules.pop(name) for name in names}
    finders = _BelowHost(), _HostFinder()
    sys.meta_path.insert(0, finders[0])
    sys.meta_path.append(finders[1])  # last: Python's own rules say what comes first
    try:
        yield
    finally:
        for finder in finders:
            sys.meta_path.remove(finder)
        for name in filter(_is_host_s, _pymarl_modules()):
            del sys.modules[name]
        sys.modules.update(others)
        for folder in added:
            sys.path.remove(folder)


def _pymarl_modules() -> List[str]:
    return [name for name in sys.modules if name.split(".")[0] in PYMARL_MODULES]


def _is_host_s(name: str) -> bool:
    module = sys.modules.get(name)
    return getattr(module, "__name__", "").startswith(f"{_HOST}.")


def _is_found(name: str) -> bool:
    return importlib.machinery.PathFinder.find_spec(name) is not None


def look_here() -> None:
    """The current folder is among Python's, as `python -m` has it."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def is_file_spec(name: Any) -> bool:
    """Whether a class is named as path/to/file.py:ClassName."""
    return isinstance(name, str) and name.rpartition(":")[0].endswith(".py")


def does_not_import(what: str, error: BaseException) -> ConfigError:
    """The ConfigError for an exception that an import of the user's code raised."""
    says_where = isinstance(error, (ImportError, SyntaxError))
    return ConfigError(
        f"{what} does not import: {error if says_where else raised(error)}"
    )


def load_class(spec: str, kind: str = "learner") -> Any:
    """The class that `path/to/file.py:ClassName` names; `kind` is for messages.

    Raises:
        ConfigError: no such file or class, or an import that this host cannot serve.
    """
    path, _, class_name = spec.rpartition(":")
    module = load_file(path, kind)
    if not hasattr(module, class_name):
        classes = [name for name, a in vars(module).items() if isinstance(a, type)]
        raise unknown(f"class in {path}", class_name, classes)
    return getattr(module, class_name)


def load_file(path: str, kind: str) -> ModuleType:
    """The module that a user's file makes.

    Raises:
        ConfigError: no such file, or an import that this host cannot serve.
    """
    if not os.path.isfile(path):
        raise ConfigError(f"{kind} file {path!r} does not exist")
    name = os.path.splitext(os.path.basename(path))[0]
    file_spec = importlib.util.spec_from_file_location(f"{_HOST}.foreign.{name}", path)
    assert file_spec is not None and file_spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(file_spec)
    try:
        with pymarl_names(os.getcwd(), os.path.dirname(os.path.abspath(path))):
            file_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise does_not_import(f"{kind} file {path!r}", error) from error
    return module
