"""What is not installed: required packages, and what some commands need beyond them.

The lists are those of setup.py, read from the installed package.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from importlib import metadata
from typing import List, Optional

DISTRIBUTION = "pymarl-wqmix"
REQUIRED = {  # module → the distribution that brings it
    "torch": "torch",
    "numpy": "numpy",
    "yaml": "pyyaml",
    "sacred": "sacred",
    "tqdm": "tqdm",
}


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


def unmet(error: ModuleNotFoundError) -> Optional[str]:
    """Say in one line which required packages are absent; None if `error` is of others.

    Args:
        error: what an import raised.
    """
    top = str(error.name).partition(".")[0]
    absent = [module for module in REQUIRED if not is_installed(module)]
    if top not in absent:
        return None
    names = [REQUIRED[module] for module in absent]
    form = re.compile(rf"({'|'.join(names)})(?![\w-])", re.IGNORECASE)
    needed = [each for each in requirements() if form.match(each)] or names
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    packages = " ".join(map(shlex.quote, needed))
    return f"{', '.join(absent)} cannot be imported here: {pip} {packages}"


def is_installed(module: str) -> bool:
    """Whether a module can be found; one that is blocked, as in tests, cannot."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    # Without a file it is a folder of that name here, with results of it, say.
    return spec is not None and spec.origin is not None


def command(extra: str) -> str:
    """Return the command that installs what an extra of this package lists."""
    needed = requirements(extra)
    if not needed:
        return f"pip install -e '.[{extra}]' in the clone of wqmix"
    return f"pip install {' '.join(map(shlex.quote, needed))}"


def requirements(extra: Optional[str] = None) -> List[str]:
    """Return an extra's requirements, as pip takes them; none if nothing is known.

    Of no extra: what is always required.
    """
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
    parts = [line.partition(";") for line in lines]
    if extra is None:
        return [name.strip() for name, _, marker in parts if "extra" not in marker]
    of_extra = re.compile(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]")
    return [name.strip() for name, _, marker in parts if of_extra.search(marker)]
