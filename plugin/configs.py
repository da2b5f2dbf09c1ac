"""Which YAML a host reads: `plugin fallbacks < host's qmix.yaml < ours`.

Every host joins the name given with `--config` onto its own folder and appends `.yaml`,
so an absolute path without that suffix wins. The merged file is written to a temporary
folder outside the checkout and removed at the end.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import yaml

from ..config import reading
from ..errors import ConfigError, nearest
from . import environments
from .environments import OUR_ENVS
from .hosts import HostAdapter
from .hosts.base import merged
from .notes import note

OUR_CONFIGS = Path(__file__).resolve().parents[1] / "config" / "algs"
OPTIONS = {"--config": "algs", "--env-config": "envs"}
HOST_PREFIX = "host:"


@dataclass(frozen=True)
class Choice:
    """What a `--config` or `--env-config` comes to.

    Attributes:
        value: what the host is handed.
        settings: reads what is in it.
        learner: our learner that runs it, by our key; None for one of the host's.
        game: the name of a game of ours that the host has to be given.
    """

    value: str
    settings: Callable[[], Dict[str, Any]]
    learner: Optional[str] = None
    game: Optional[str] = None


@dataclass
class ConfigFiles:
    """The YAML files of one checkout, and ours.

    Attributes:
        host, root: the adapter and the source folder.
        learners: our learners' keys → those that they have in its registry.
    """

    host: HostAdapter
    root: Path
    learners: Dict[str, str]
    _folder: Optional[Path] = field(default=None, init=False)

    # Where names lead -----------------------------------------------------------------

    def host_file(self, kind: str, name: str) -> Path:
        """Return the path of a host's own YAML, there or not."""
        return self.host.config_dir(self.root) / kind / f"{name}.yaml"

    def names(self, kind: str) -> List[str]:
        """Return all names that `--config` (algs) or `--env-config` (envs) takes."""
        folder = self.host.config_dir(self.root) / kind
        ours = self.ours() if kind == "algs" else our_envs()
        return sorted({path.stem for path in folder.glob("*.yaml")} | set(ours))

    def locate(self, kind: str, name: str) -> Path:
        """Return the file that a name or path means.

        An algorithm's name that is ours means ours; an environment's means the host's
        where it has one.

        Raises:
            ConfigError: neither ours, nor the host's, nor a file.
        """
        own = self.host_file(kind, bare(name))
        is_own = reading.stays_inside(bare(name)) and os.path.isfile(own)
        if name.startswith(HOST_PREFIX) and not is_own:
            raise ConfigError(f"{name}: {self.host.title} has no {own}")
        if kind == "algs" and name in our_names():
            return OUR_CONFIGS / f"{name}.yaml"
        if is_own:
            return own
        if kind == "envs" and name in our_envs():
            return OUR_ENVS / f"{name}.yaml"
        for path in (Path(name), Path(f"{name}.yaml")):
            if os.path.isfile(path):
                return path.resolve()
        names = self.names(kind)
        option = next(key for key, value in OPTIONS.items() if value == kind)
        raise ConfigError(
            f"{option}={name}: neither a file nor one of {', '.join(names)}"
            f"{nearest(name, names)}"
        )

    def defaults(self) -> Dict[str, Any]:
        """Return the host's default.yaml."""
        return self.read(self.host.config_dir(self.root) / "default.yaml")

    def read(self, path: Path) -> Dict[str, Any]:
        """Return what is in a YAML of the host's, ours or the user's."""
        is_hosts = self.host.config_dir(self.root) in path.parents
        return read_yaml(path, is_hosts)

    # Inheritance ----------------------------------------------------------------------

    def resolve(self, path: Path) -> Dict[str, Any]:
        """Return an algorithm's settings with everything it inherits.

        Raises:
            ConfigError: a file is missing or malformed, or inherits from itself.
        """
        values = self._inherited(path, ())
        if values.get("learner") in self.learners:
            values["learner"] = self.learners[values["learner"]]
        return merged(self.host.fallbacks, values)

    def ours(self) -> List[str]:
        """Return the names of ours that can be resolved here."""
        paths = [OUR_CONFIGS / f"{name}.yaml" for name in our_names()]
        return [path.stem for path in paths if self.can_resolve(path)]

    def can_resolve(self, path: Path) -> bool:
        """Whether the host has what an algorithm inherits (not all have `qmix_ns`)."""
        return all(
            self.can_resolve(OUR_CONFIGS / f"{parent}.yaml")
            if parent in our_names()
            else self._host_parent(parent).is_file()
            for parent in parents(read_yaml(path))
        )

    def _inherited(self, path: Path, heirs: Tuple[Path, ...]) -> Dict[str, Any]:
        if path in heirs:
            chain = " → ".join(heir.name for heir in (*heirs, path))
            raise ConfigError(f"{path}: inherits from itself ({chain})")
        values = self.read(path)
        inherited = [
            self._inherited(self._parent(parent, path), (*heirs, path))
            for parent in parents(values)
        ]
        values.pop("inherit", None)
        return merged(*inherited, values)

    def _parent(self, name: str, heir: Path) -> Path:
        """Return the file that `inherit: name` means in `heir`."""
        if name in our_names():
            return OUR_CONFIGS / f"{name}.yaml"
        if not reading.stays_inside(name):
            raise ConfigError(f"{heir.name} inherits {name!r}: a name is needed")
        path = self._host_parent(name)
        if not os.path.isfile(path):
            raise ConfigError(
                f"{heir.name} inherits {name!r}, but {self.host.title} has no {path}"
            )
        return path

    def _host_parent(self, name: str) -> Path:
        return self.host_file("algs", self.host.aliases.get(name, name))

    # The command line -----------------------------------------------------------------

    def choose(self, kind: str, name: str) -> Choice:
        """Return what to hand the host for a config, and what is in it.

        The host's own files are left to the host, under their own names.
        """
        path = self.locate(kind, name)
        is_ours = kind == "algs" and name in our_names()
        is_hosts = path == self.host_file(kind, bare(name)) and not is_ours
        if is_hosts and not Path(name).is_absolute():
            return Choice(bare(name), lambda: self.read(path))
        settings = self.read(path)
        if kind == "algs" and parents(settings):
            return self._choose_heir(name, path)
        if kind == "envs" and path.parent == OUR_ENVS:
            settings = environments.for_host(settings, self.host.passed_to_envs)
            written = self.write(settings, path.stem)
            return Choice(written, lambda: settings, game=name)
        readable = "=" not in str(path) and path.suffix == ".yaml"
        value = str(path)[: -len(".yaml")] if readable else self.write(settings, name)
        return Choice(value, lambda: settings)

    def _choose_heir(self, name: str, path: Path) -> Choice:
        if self.shadows(path, name):
            note(
                f"--config={name} is wqmix's; {self.host.title}'s own file of that "
                f"name is --config={HOST_PREFIX}{name}"
            )
        settings = self.resolve(path)
        written = self.write(settings, path.stem)
        keys = {there: ours for ours, there in self.learners.items()}
        return Choice(written, lambda: settings, keys.get(settings.get("learner")))

    def shadows(self, path: Path, name: str) -> bool:
        """Whether the host has a file of this name that is not this file."""
        own = self.host_file("algs", name)
        return own.is_file() and own.resolve() != path.resolve()

    def write(self, values: Dict[str, Any], stem: str) -> str:
        """Write settings to a temporary YAML; return its path without `.yaml`."""
        if self._folder is None:
            self._folder = temporary_folder()
        path = self._folder / f"{Path(stem).stem.replace('=', '-')}.yaml"
        path.write_text(dump_yaml(values), encoding="utf-8")
        return str(path.with_suffix(""))


@functools.lru_cache(maxsize=None)
def our_learners() -> List[str]:
    """Return the keys of our learners, which our YAMLs name (no torch is imported)."""
    settings = [read_yaml(OUR_CONFIGS / f"{name}.yaml") for name in our_names()]
    return sorted({each["learner"] for each in settings if "learner" in each})


def parents(settings: Dict[str, Any]) -> List[str]:
    """Return the names after `inherit:`, one or a list, later ones winning."""
    named = settings.get("inherit") or []
    return [str(name) for name in (named if isinstance(named, list) else [named])]


def bare(name: str) -> str:
    """Return a config's name without `host:`."""
    return name[len(HOST_PREFIX) :] if name.startswith(HOST_PREFIX) else name


def our_envs() -> List[str]:
    """Return the names of the embedded host's games."""
    return sorted(path.stem for path in OUR_ENVS.glob("*.yaml"))


@functools.lru_cache(maxsize=None)
def our_names() -> List[str]:
    """Return the names of our own algorithms: the YAMLs that inherit."""
    return sorted(
        path.stem for path in OUR_CONFIGS.glob("*.yaml") if parents(read_yaml(path))
    )


def read_yaml(path: Path, is_hosts: bool = False) -> Dict[str, Any]:
    """Read a YAML mapping as data only, or raise ConfigError.

    Args:
        path: of the file.
        is_hosts: read as the host itself does: the last of equal keys wins (PyMARL2's
            qmix.yaml has such). Elsewhere they are refused.
    """
    try:
        return reading.read_yaml(path, allow_duplicates=is_hosts)
    except reading.ReadingError as error:
        raise ConfigError(f"{path}: {error}") from None


def dump_yaml(values: Dict[str, Any]) -> str:
    """Write settings as YAML text, in their order."""
    return "".join(
        yaml.safe_dump({key: value}, allow_unicode=True, default_flow_style=False)
        for key, value in values.items()
    )


def temporary_folder() -> Path:
    """Make a folder that goes when this process (not a fork of it) ends."""
    folder = Path(tempfile.mkdtemp(prefix="wqmix-"))
    if "=" in str(folder):
        shutil.rmtree(folder)
        raise ConfigError(
            f"{folder.parent}: hosts cut config paths at '='; set TMPDIR to a folder "
            "without one"
        )
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
