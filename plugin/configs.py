"""Which YAML a host reads: `plugin fallbacks < host's qmix.yaml < ours`.

Every host joins the name given with `--config` onto its own folder and appends `.yaml`,
so an absolute path without that suffix wins. The merged file is written to a temporary
folder outside the checkout and removed at the end.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import yaml

from ..config import reading
from ..config.layers import (
    Layers,
    UnknownKey,
    beside,
    inherited,
    leaves,
    parents,
    put_if_typed,
    same_kind,
)
from ..config.names import nearest
from ..errors import ConfigError
from . import environments
from .environments import OUR_ENVS
from .hosts import HostAdapter
from .notes import note

OUR_CONFIGS = Path(__file__).resolve().parents[1] / "config" / "algs"
OPTIONS = {"--config": "algs", "--env-config": "envs"}
HOST_PREFIX = "host:"
LONGEST_NAME = 200
OF_CODE = "custom"  # the game of ours that a user's class is


@dataclass(frozen=True)
class Choice:
    """What a `--config` or `--env-config` comes to.

    Attributes:
        value: what the host is handed.
        settings: reads what is in it.
        learner: our learner that runs it, by our key; None for one of the host's.
        game: the name of a game of ours that the host has to be given.
        own: the file, where it is the user's.
    """

    value: str
    settings: Callable[[], Dict[str, Any]]
    learner: Optional[str] = None
    game: Optional[str] = None
    own: Optional[Path] = None


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
        where it has one; its code means our `custom`.

        Raises:
            ConfigError: neither ours, nor the host's, nor a file.
        """
        if kind == "envs" and is_code(name):
            return OUR_ENVS / f"{OF_CODE}.yaml"
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
            path = Path(reading.in_home(str(path)))
            if os.path.isfile(path):
                return path.resolve()
        names = self.names(kind)
        option = next(key for key, value in OPTIONS.items() if value == kind)
        name = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
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
        try:
            values = inherited(path, self.read, partial(self._parent, "algs"))
        except reading.ReadingError as error:
            raise ConfigError(str(error)) from None
        if "base_learner" in values:  # one of ours
            values["base_learner"] = self._base_learner(path)
        if values.get("learner") in self.learners:
            values["learner"] = self.learners[values["learner"]]
        if self._is_own(path):
            values = self._typed(values)
        return Layers(self.host.fallbacks, values).values

    def _typed(self, values: Dict[str, Any]) -> Dict[str, Any]:
        """Return a user's settings in the types of the host's defaults."""
        layers = Layers(self.defaults())
        for path, value in leaves(values):
            put_if_typed(layers, path, value)
        return {key: layers.values[key] for key in values}

    def _base_learner(self, path: Path) -> Any:
        """Return the host's own learner that an algorithm of ours is compared with."""
        is_hosts = self.host.config_dir(self.root) in path.parents
        if is_hosts and path.stem not in our_names():
            return {**self.defaults(), **self.read(path)}.get("learner")
        named = [self._parent("algs", name, path) for name in parents(self.read(path))]
        found = [self._base_learner(each) for each in named]
        return found[-1] if found else None

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

    def _parent(self, kind: str, name: str, heir: Path) -> Path:
        """Return the file that `inherit: name` means in `heir`."""
        if kind == "algs" and name in our_names():
            return OUR_CONFIGS / f"{name}.yaml"
        is_algorithm = kind == "algs"
        path = self._host_parent(name) if is_algorithm else self.host_file(kind, name)
        if reading.stays_inside(name) and os.path.isfile(path):
            return path
        for own in beside(name, heir) if self._is_own(heir) else []:
            return own
        if not reading.stays_inside(name):
            raise ConfigError(f"{heir.name} inherits {name!r}: a name is needed")
        raise ConfigError(
            f"{heir.name} inherits {name!r}, but {self.host.title} has no {path}"
            f"{nearest(name, self.names(kind))}{self._bases()}"
        )

    def _bases(self) -> str:
        """Say how to inherit another of the host's own algorithms."""
        folder = self.host.config_dir(self.root) / "algs"
        own = {path.stem for path in folder.glob("*.yaml")}.difference(our_names())
        return (
            f"; --base NAME inherits another: {', '.join(sorted(own))}" if own else ""
        )

    def _host_parent(self, name: str) -> Path:
        return self.host_file("algs", self.host.aliases.get(name, name))

    # Files of the user's --------------------------------------------------------------

    def _is_own(self, path: Path) -> bool:
        shipped = [self.host.config_dir(self.root), OUR_CONFIGS, OUR_ENVS]
        written = [self._folder] if self._folder is not None else []
        return not any(folder in path.parents for folder in shipped + written)

    def check_own(self, choices: Sequence[Choice]) -> None:
        """Hold a user's files against those that are shipped: what they list is known.

        Where none has such a learner, what is unknown is its own, and said.

        Raises:
            ConfigError: a key that nothing reads, or what is missing.
        """
        own = [choice for choice in choices if choice.own is not None]
        if not own:
            return
        config = Layers(self.defaults(), *(each.settings() for each in choices)).values
        algorithms = list(self._algorithms())
        same = same_kind(config, algorithms)
        games = [each for each in self._games() if each["env"] == config.get("env")]
        paths = [each.own for each in own if each.own and each.learner]
        bases = [values for path in paths for values in self._bases_of(path)]
        known = Layers(self.defaults(), *(same or algorithms), *bases, *games)
        if not games:
            known.values["env_args"] = {}
            known.lay({"env_args": {}}, is_typed=False)
        for choice in own:
            for path, _ in leaves(choice.settings()):
                self._check_own_key(known, path, choice.own, bool(same))
        ours = own[-1].learner is not None
        lacking = [k for k in common(same) if k not in config] if ours else []
        if lacking:
            raise ConfigError(
                f"{own[-1].own}: without {', '.join(lacking)}: begin it with `inherit: "
                f"{same[0]['name']}`, or add them"
            )

    def _bases_of(self, path: Path) -> Iterator[Dict[str, Any]]:
        """Yield the shipped algorithms that a user's file inherits."""
        for name in parents(self.read(path)):
            parent = self._parent("algs", name, path)
            if self._is_own(parent):
                yield from self._bases_of(parent)
            else:
                yield self.resolve(parent)

    def _check_own_key(
        self, known: Layers, path: Tuple[str, ...], file: Any, is_known_kind: bool
    ) -> None:
        if path[-1] == "seed":  # which hosts add where they need it
            return
        try:
            known.check_known(path)
        except UnknownKey as error:
            told = f"{file}: {error.name}: {self.host.title} has no such setting"
            # Other hosts hand `env_args` on to packages that take what they like.
            is_free = self.host.name != "embedded" and path[0] == "env_args"
            if is_known_kind and not is_free:
                raise ConfigError(
                    f"{told} for this kind of algorithm and environment{error.hint}"
                ) from None
            note(f"{told} in its files{error.hint}; left to the code that it runs")

    def _algorithms(self) -> Iterator[Dict[str, Any]]:
        """Yield the settings of every algorithm that has a name here."""
        for name in self.names("algs"):
            with contextlib.suppress(ConfigError):
                yield self.resolve(self.locate("algs", name))

    def _games(self) -> Iterator[Dict[str, Any]]:
        for name in self.names("envs"):
            with contextlib.suppress(ConfigError):
                settings = self.read(self.locate("envs", name))
                if "env" in settings:
                    yield settings

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
        if kind == "envs" and parents(settings):
            return self._choose_heir_of_game(path)
        if kind == "envs" and path.parent == OUR_ENVS:
            return self._choose_game(name, path.stem, settings)
        readable = "=" not in str(path) and path.suffix == ".yaml"
        value = str(path)[: -len(".yaml")] if readable else self.write(settings, name)
        learner = self._our_key(settings) if kind == "algs" else None
        own = path if self._is_own(path) else None
        return Choice(value, lambda: settings, learner, own=own)

    def _choose_game(self, name: str, game: str, settings: Dict[str, Any]) -> Choice:
        is_elsewhere = self.host.name != "embedded"
        if is_elsewhere:
            settings = environments.for_host(settings, self.host.passed_to_envs)
        if is_code(name):
            settings["env_args"]["entry_point"] = reading.in_home(name)
        written = self.write(settings, game)
        return Choice(written, lambda: settings, game=game if is_elsewhere else None)

    def _choose_heir(self, name: str, path: Path) -> Choice:
        if self.shadows(path, name):
            note(
                f"--config={name} is wqmix's; {self.host.title}'s own file of that "
                f"name is --config={HOST_PREFIX}{name}"
            )
        settings = self.resolve(path)
        written = self.write(settings, path.stem)
        own = path if self._is_own(path) else None
        return Choice(written, lambda: settings, self._our_key(settings), own=own)

    def _choose_heir_of_game(self, path: Path) -> Choice:
        try:
            settings = inherited(path, self.read, partial(self._parent, "envs"))
        except reading.ReadingError as error:
            raise ConfigError(str(error)) from None
        own = path if self._is_own(path) else None
        return Choice(self.write(settings, path.stem), lambda: settings, own=own)

    def _our_key(self, settings: Dict[str, Any]) -> Optional[str]:
        """Return which of our learners runs an algorithm, if any does."""
        keys = {there: ours for ours, there in self.learners.items()}
        learner = settings.get("learner")
        return keys.get(learner) if isinstance(learner, str) else None

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


def common(algorithms: Sequence[Mapping[str, Any]]) -> List[str]:
    """Return the keys that all of them have."""
    keys = [set(each) for each in algorithms]
    return sorted(set.intersection(*keys)) if keys else []


def bare(name: str) -> str:
    """Return a config's name without `host:`."""
    return name[len(HOST_PREFIX) :] if name.startswith(HOST_PREFIX) else name


def is_code(name: str) -> bool:
    """Whether an environment is named by its code, and not as one of the host's."""
    return not name.startswith(HOST_PREFIX) and reading.names_code(name)


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
