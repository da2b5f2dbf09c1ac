"""Which host a folder holds, by its layout: files there or not, and what they say.

Never by trying imports: a second copy of a package could be imported that way, and
PyMARLzoo+'s inner folder looks like any `src/`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from ..config.names import nearest
from ..errors import ConfigError
from .hosts import EMBEDDED_ROOT, HOSTS, HostAdapter

EMBEDDED_MODULE = "wqmix.host.main"
MAIN = "main.py"


@dataclass(frozen=True)
class Target:
    """What to run: a script, or a module as `python -m` would.

    Attributes:
        path: the file that runs as `__main__`.
        module: its module name where it was given by one.
        script: the path as it was typed, otherwise.
    """

    path: Path
    module: Optional[str] = None
    script: Optional[str] = None

    @property
    def root(self) -> Path:
        """The host's source folder: the one with `learners/`, `controllers/` …"""
        return self.path.resolve().parent


def script_target(name: str) -> Target:
    """Return the target for a script's path."""
    if not os.path.isfile(name):
        inside = os.path.join(name, MAIN)
        hint = f" (did you mean {inside!r}?)" if os.path.isfile(inside) else ""
        raise ConfigError(f"no such script: {name}{hint}")
    return Target(Path(name), script=name)


def module_target(name: str) -> Target:
    """Return the target for a module's name, importing none of its parents."""
    if name == EMBEDDED_MODULE:
        return Target(EMBEDDED_ROOT / "main.py", name)
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ConfigError(f"-m {name}: no package {top!r} is installed")
    folder = Path(next(iter(spec.submodule_search_locations or [""])))
    path = folder.joinpath(*rest)
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    if not spec.submodule_search_locations or not path.is_file():
        raise ConfigError(f"-m {name}: no such module")
    return Target(path, name)


def detect(
    root: Path, forced: Optional[str] = None, base: Optional[str] = None
) -> HostAdapter:
    """Return the adapter of the host in `root`, on the configuration `base` if given.

    Args:
        root: the host's source folder.
        forced: the name of an adapter to use without looking (`--host`).
        base: the host's configuration that our algorithms inherit (`--base`).

    Raises:
        ConfigError: not a host, or two adapters match.
    """
    if forced is not None:
        if forced not in HOSTS:
            names = ", ".join(HOSTS)
            hint = nearest(forced, HOSTS)
            raise ConfigError(f"--host {forced}: not one of {names}{hint}")
        return HOSTS[forced].based_on(base).at(root)
    known = [host for name, host in HOSTS.items() if name != "generic"]
    matches = [host for host in known if not host.missing(root)]
    if len(matches) > 1:
        names = " and ".join(host.name for host in matches)
        raise ConfigError(f"{root} looks like {names}: say which with --host NAME")
    if matches:
        return matches[0].based_on(base)
    generic = HOSTS["generic"]
    if generic.missing(root):
        refuse_the_incomplete(root, [host for host in known if host.name != "embedded"])
    return generic.based_on(base).at(root)


def around(folder: Path) -> Optional[Target]:
    """Return the main of the checkout that a folder lies in, or None.

    One that lacks a single thing to be a host counts: `detect` says which.
    """
    folder = folder.resolve()
    places = [each / MAIN for each in (folder, folder / "src")]
    places += sorted(folder.glob(f"*/{MAIN}"))
    for above in folder.parents:
        places += [above / MAIN, above / "src" / MAIN]
    for place in places:
        root = place.parent
        if not place.is_file() or root == EMBEDDED_ROOT:
            continue
        hosts = [host for host in HOSTS.values() if host.name != "embedded"]
        closest = min(hosts, key=lambda host: len(host.missing(root)))
        if len(closest.missing(root)) <= 1:
            return main_of(closest.package, place)
    return None


def main_of(package: str, place: Path) -> Target:
    """Return a host's main, as a module where its own modules are inside a package."""
    if package:
        with contextlib.suppress(ConfigError):
            target = module_target(f"{package}.{place.stem}")
            if target.root == place.parent:
                return target
    return script_target(os.path.relpath(place))


def refuse_the_incomplete(root: Path, known: List[HostAdapter]) -> None:
    """Raise ConfigError where a folder would be a host with one thing more."""
    lacking = {host.title: host.missing(root) for host in known}
    almost = [
        f"{title} with {lacks[0]}"
        for title, lacks in lacking.items()
        if len(lacks) == 1
    ]
    if almost:
        raise ConfigError(
            f"{root} holds no PyMARL-family host as it is; it would be "
            f"{', or '.join(almost)}, which is missing"
        )
