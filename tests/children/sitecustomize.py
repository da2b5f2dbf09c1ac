"""What Python does first in the processes that tests start (tests/conftest.py)."""

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

HIDDEN = os.environ.get("WITHOUT", "").split()  # packages that cannot be found


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and name in HIDDEN:
            return None
        if name == "torch._dynamo":
            return ModuleSpec(name, NoCompiler)
        return PathFinder.find_spec(name, path, target)

    find_distributions = PathFinder.find_distributions
    invalidate_caches = PathFinder.invalidate_caches


class NoCompiler:
    """torch's compiler, which its optimisers import (1.5 s) and never use here."""

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.disable = lambda fn, *args, **options: fn
        module.graph_break = lambda: None


sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
