"""What an old host needs to run on today's Python: in this process, on no file.

Only what this host on this Python needs is applied, and each shim says so once.
"""

from __future__ import annotations

import atexit
import collections
import collections.abc
import functools
import importlib
import importlib.util
import inspect
import os
import runpy
import select
import sys
import threading
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional

import yaml

from ..config import sacred
from ..config.extras import is_installed
from . import names
from .detect import Target
from .hosts import HostAdapter
from .hosts.base import contains, read_text
from .imports import after_import
from .notes import note

RUN_FILES = ("run.py", "run/*.py")
TENSORBOARD = Path(__file__).with_name("tensorboard.py")


@dataclass(frozen=True)
class Shim:
    """Something to change in this process.

    Attributes:
        name, why: for the log.
        apply: changes it.
    """

    name: str
    why: str
    apply: Callable[[], None]


def apply(host: HostAdapter, target: Target) -> None:
    """Apply the shims that a checkout needs here, each with a log line.

    Args:
        host: its adapter.
        target: what runs.
    """
    for shim in needed(host, target):
        note(f"shim {shim.name}: {shim.why}")
        shim.apply()
    if host.results_beside_main:
        hide_callers(target.path, as_module=target.module is not None)
    sys.meta_path.append(StandIns(host, target.root))


def needed(host: HostAdapter, target: Target) -> List[Shim]:
    """Return the shims that this host on this Python needs from the start."""
    main, shims = target.path, []
    if contains(main, "collections.Mapping") and not hasattr(collections, "Mapping"):
        why = "collections.Mapping, gone since Python 3.10"
        shims.append(Shim("Mapping", why, restore_mapping))
    if contains(main, "yaml.load(f)") and not yaml_has_default_loader():
        why = "yaml.load without a Loader, an error since PyYAML 6"
        shims.append(Shim("yaml", why, give_yaml_a_default_loader))
    if not is_installed(sacred.NAME):
        why = "pkg_resources, gone since setuptools 82, which sacred imports"
        shims.append(Shim("pkg_resources", why, import_sacred))
    if ends_by_exit(target.root):
        why = "os._exit at the end would leave sacred's run as RUNNING"
        shims.append(Shim("exit", why, QuietExit.install))
    if waits_for_workers(target.root):
        why = "a worker process that dies would leave the host waiting for ever"
        shims.append(Shim("workers", why, WatchedWorkers.install))
    named = names.by_the_second(target.root, RUN_FILES)
    if named:
        why = "runs that begin in one second would share their folders: a mark is added"
        put = functools.partial(mark_names, host, named)
        shims.append(Shim("names", why, put))
    for name, needs in host.replaced.items():
        lacking = [need for need in needs if importlib.util.find_spec(need) is None]
        if lacking:
            stand_in = StandIn(name, host.stand_ins[lacking[0]])
            put = functools.partial(sys.modules.__setitem__, name, stand_in)
            why = f"without {lacking[0]} it cannot be imported"
            shims.append(Shim(f"stand-in for {name}", why, put))
    return shims


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


def import_sacred() -> None:
    """Import all of sacred that hosts use, while it finds a `pkg_resources`."""
    with sacred.importable():
        for name in ("sacred", "sacred.observers", "sacred.utils"):
            importlib.import_module(name)


def restore_mapping() -> None:
    """Give `collections` its `Mapping` back."""
    collections.Mapping = collections.abc.Mapping  # type: ignore[attr-defined]


def mark_names(host: HostAdapter, modules: List[str]) -> None:
    """Add a mark to the runs' names that these modules of a host make."""
    for name in modules:
        after_import(host.module(name), names.add_a_mark)


# PyYAML -------------------------------------------------------------------------------


def yaml_has_default_loader() -> bool:
    """Whether `yaml.load(stream)` works, as before PyYAML 6."""
    loader = inspect.signature(yaml.load).parameters["Loader"]
    return loader.default is not inspect.Parameter.empty


def give_yaml_a_default_loader() -> None:
    """Let `yaml.load(stream)` read with the safe loader."""
    load = yaml.load

    def load_safely(stream: Any, Loader: Any = yaml.SafeLoader) -> Any:
        return load(stream, Loader)

    yaml.load = load_safely


# os._exit -----------------------------------------------------------------------------


def ends_by_exit(root: Path) -> bool:
    """Whether a host's run files end the process by `os._exit`."""
    files = [path for pattern in RUN_FILES for path in root.glob(pattern)]
    lines = [line.strip() for path in files for line in read_text(path).splitlines()]
    return any(line.startswith("os._exit(") for line in lines)


class QuietExit:
    """`os._exit` as a no-op in this process's main thread, until the host has returned.

    Forked workers and other threads still end by it.
    """

    code: Optional[int] = None

    def __init__(self) -> None:
        self._exit = os._exit
        self._owner = os.getpid()

    @classmethod
    def install(cls) -> None:
        """Take the place of `os._exit`."""
        os._exit = cls()  # type: ignore[assignment]

    def __call__(self, code: int) -> None:
        in_main = threading.current_thread() is threading.main_thread()
        if os.getpid() != self._owner or not in_main:
            self._exit(code)
        self.code = code

    def finish(self) -> None:
        """End as the host asked, threads or not, after all exit handlers."""
        if self.code is not None:
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            self._exit(self.code)


def finish() -> None:
    """End the process if the host has asked for it by `os._exit`."""
    if isinstance(os._exit, QuietExit):
        os._exit.finish()


# Worker processes ---------------------------------------------------------------------


def waits_for_workers(root: Path) -> bool:
    """Whether a host's parallel runner receives from workers that it started."""
    runner = root / "runners" / "parallel_runner.py"
    return hasattr(select, "poll") and contains(runner, "target=env_worker")


class WatchedWorkers:
    """`Connection.recv` that ends with an error once a worker has ended with one.

    Every process of such a host holds an end of each pipe, so none sees the other's end
    close.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._workers: List[BaseProcess] = []
        self._start = BaseProcess.start
        self._receive = Connection.recv

    @classmethod
    def install(cls) -> None:
        """Watch all workers that this process starts from now on."""
        watch = cls()
        BaseProcess.start = lambda process: watch.start(process)
        Connection.recv = lambda connection: watch.receive(connection)

    def start(self, process: BaseProcess) -> None:
        """Start a worker and remember it."""
        self._start(process)
        self._workers.append(process)

    def receive(self, connection: Connection) -> Any:
        """Receive; while nothing comes, look after the workers each second."""
        if os.getpid() == self._owner:
            ready = select.poll()
            ready.register(connection.fileno(), select.POLLIN | select.POLLHUP)
            while not ready.poll(1000):
                self._check()
        return self._receive(connection)

    def _check(self) -> None:
        for worker in self._workers:
            if worker.exitcode:
                raise RuntimeError(
                    f"worker {worker.name} ended with exit code {worker.exitcode}; "
                    "what it said is above"
                )


# The outermost frame ------------------------------------------------------------------


def hide_callers(main: Path, as_module: bool) -> None:
    """End `inspect.stack()` as a direct run does: PyMARLzoo+ writes beside its end."""
    stack = inspect.stack
    file = os.path.abspath(str(main))

    def of_a_direct_run(context: int = 1) -> List[inspect.FrameInfo]:
        frames = stack(context)[1:]
        mains = [
            position
            for position, frame in enumerate(frames)
            if frame.function == "<module>" and os.path.abspath(frame.filename) == file
        ]
        if not mains:
            return frames
        frames = frames[: mains[-1] + 1]
        if as_module:  # `python -m` runs a module from runpy's frames
            outermost = os.path.abspath(runpy.run_module.__code__.co_filename)
            frames.append(frames[-1]._replace(filename=outermost))
        return frames

    inspect.stack = of_a_direct_run


# Absent modules -----------------------------------------------------------------------


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
        frame = sys._getframe(2)
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
