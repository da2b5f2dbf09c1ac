"""Learners and environments from files that were written for PyMARL.

Such a file imports PyMARL's top-level modules (`from modules.mixers.qmix import
QMixer`). While it is imported, and only then, these names mean this package's modules.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from contextlib import contextmanager

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

    def find_spec(self, fullname, path=None, target=None):
        if fullname.split(".")[0] not in PYMARL_MODULES:
            return None
        if importlib.util.find_spec(f"{_HOST}.{fullname}") is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        module = importlib.import_module(f"{_HOST}.{spec.name}")
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module):
        # The import system has just put the alias's spec on it: put its own back.
        module.__spec__ = module.__spec__.loader_state


@contextmanager
def pymarl_names():
    """PyMARL's module names mean this host's modules inside the `with` block."""

    def drop_aliases():
        names = [name for name in sys.modules if name.split(".")[0] in PYMARL_MODULES]
        return {name: sys.modules.pop(name) for name in names}

    finder = _HostFinder()
    others = drop_aliases()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        drop_aliases()
        sys.modules.update(others)


def is_file_spec(name):
    """Whether a class is named as path/to/file.py:ClassName."""
    return isinstance(name, str) and name.rpartition(":")[0].endswith(".py")


def does_not_import(what, error):
    """The ConfigError for an exception that an import of the user's code raised."""
    says_where = isinstance(error, (ImportError, SyntaxError))
    return ConfigError(
        f"{what} does not import: {error if says_where else raised(error)}"
    )


def load_class(spec, kind="learner"):
    """The class that `path/to/file.py:ClassName` names; `kind` is for messages.

    Raises:
        ConfigError: no such file or class, or an import that this host cannot serve.
    """
    path, _, class_name = spec.rpartition(":")
    if not os.path.isfile(path):
        raise ConfigError(f"{kind} file {path!r} does not exist")
    name = os.path.splitext(os.path.basename(path))[0]
    file_spec = importlib.util.spec_from_file_location(f"{_HOST}.foreign.{name}", path)
    module = importlib.util.module_from_spec(file_spec)
    try:
        with pymarl_names():
            file_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise does_not_import(f"{kind} file {path!r}", error) from error
    if not hasattr(module, class_name):
        classes = [name for name, a in vars(module).items() if isinstance(a, type)]
        raise unknown(f"class in {path}", class_name, classes)
    return getattr(module, class_name)
