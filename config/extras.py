"""What some commands and options need beyond the required packages.

The lists are the extras of setup.py, read from the installed package.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from importlib import metadata
from typing import List, Optional

DISTRIBUTION = "pymarl-wqmix"


def missing(what: str, extra: str, *modules: str) -> Optional[str]:
    """Say in one line what is not installed, and how it would be; None if all is.

    Nothing is imported: to be asked before any work.

    Args:
        what: the command or option that needs it.
        extra: the extra of this package that brings it.
        modules: what will be imported.
    """
    for module in modules:
        if not is_installed(module):
            return f"{what} needs {module}: {command(extra)}"
    return None


def is_installed(module: str) -> bool:
    """Whether a module can be found; one that is blocked, as in tests, cannot."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def command(extra: str) -> str:
    """Return the command that installs what an extra of this package lists."""
    needed = requirements(extra)
    if not needed:
        return f"pip install -e '.[{extra}]' in the clone of wqmix"
    return f"pip install {' '.join(map(shlex.quote, needed))}"


def requirements(extra: str) -> List[str]:
    """Return an extra's requirements, as pip takes them; none if nothing is known."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    of_extra = re.compile(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]")
    parts = [line.partition(";") for line in lines]
    return [name.strip() for name, _, marker in parts if of_extra.search(marker)]
