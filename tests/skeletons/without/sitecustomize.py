"""Have Python not find the packages that the variable WITHOUT names."""

import os
import sys
from importlib.machinery import PathFinder

HIDDEN = os.environ.get("WITHOUT", "").split()


class Hiding:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if path is None and name in HIDDEN:
            return None
        return PathFinder.find_spec(name, path, target)

    invalidate_caches = PathFinder.invalidate_caches


sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
