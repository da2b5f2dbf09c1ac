"""`wqmix doctor [src/main.py]`: does it work in this checkout, and if not, why not.

Each algorithm runs two episodes and one training step in a process of its own, started
as the launcher starts it but for two things: what it writes goes to a temporary folder,
and the first training step is the end. The processes are forked where they can be, so
that torch and sacred are imported once. Of variants, which name no learner of their
own, only the settings are checked.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import multiprocessing
import os
import platform
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List

from ..config.sacred import importable
from ..errors import WQMixError
from . import command_line, detect, registration, shims
from .configs import OUR_CONFIGS, ConfigFiles, our_names, read_yaml
from .hosts import HostAdapter
from .hosts.base import read_text
from .notes import note

CAN_FORK = "fork" in multiprocessing.get_all_start_methods()
PROCESSES: Any = multiprocessing.get_context("fork" if CAN_FORK else "spawn")
IMPORTED_ONCE = ("torch", "sacred.observers")
PARITY = re.compile(r"parity: (.*updates equal .*)|wqmix: (parity .*)")
TRAINED = "wqmix doctor: one training step done"
OUTPUT = "output.txt"
SECONDS = 60  # for a busy machine; a quiet one needs ten in all
SMALL_RUN = (
    "runner=episode batch_size_run=1 batch_size=2 buffer_size=8 t_max=500 "
    "test_interval=100000 test_nepisode=1 use_cuda=False use_tensorboard=False "
    "save_model=False seed=1"
).split()
LIBRARIES = ("torch", "numpy", "sacred", "PyYAML")
REMEDIES = (
    ("No module named ", "install it, or choose another --env-config"),
    ("out of memory", "free memory, or a smaller batch_size"),
    ("", "run the same command without doctor for the whole message"),
)


@dataclass(frozen=True)
class Row:
    """One line of the table; a remedy makes it a failure."""

    what: str
    result: str
    remedy: str = ""


def main(argv: List[str]) -> int:
    """Print the table; return 0 if all is well, else 1 (2: a wrong argument)."""
    arguments = parse(argv)
    try:
        rows = examine(arguments)
    except WQMixError as error:
        rows = [Row("host", "not found", str(error))]
    for row in rows:
        print(f"{'FAIL' if row.remedy else 'ok':5}{row.what:12}{row.result}")
        if row.remedy:
            print(f"{'':17}→ {row.remedy}")
    return 1 if any(row.remedy for row in rows) else 0


def parse(argv: List[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="wqmix doctor",
        description="Say what host this is, what it needs, and whether it trains.",
    )
    parser.add_argument(
        "script",
        nargs="?",
        metavar="src/main.py",
        help="otherwise that of the checkout around the current folder, if there is "
        "one; else the embedded host",
    )
    parser.add_argument("-m", dest="module", help="a module instead of a script")
    parser.add_argument("--host", help="use this adapter without looking")
    parser.add_argument("--base", help="the host's configuration to inherit from")
    parser.add_argument(
        "--env-config", default="matrix_game", help="the game (default: %(default)s)"
    )
    return parser.parse_args(argv)


def examine(arguments: argparse.Namespace) -> List[Row]:
    """Return all rows for a target."""
    target = chosen(arguments)
    start = ["-m", target.module] if target.module else [str(target.script)]
    host = detect.detect(target.root, arguments.host, arguments.base)
    files = ConfigFiles(host, target.root, registration.learner_keys(target.root))
    ours = files.ours()
    base = host.aliases.get("qmix", "qmix")
    algorithms = [base, *filter(names_learner, ours)]
    prefix = ["--host", arguments.host] if arguments.host else []
    prefix += ["--base", arguments.base] if arguments.base else []
    game = arguments.env_config
    rows = [
        Row("host", f"{host.title}, in {target.root}"),
        Row("versions", versions()),
        Row("shims", shim_names(host, target)),
        Row("names", taken_names(files)),
    ]
    if not files.host_file("algs", base).is_file():
        others = ", ".join(set(files.names("algs")).difference(our_names())) or "none"
        remedy = f"--base NAME, one of its own: {others}"
        return [*rows, Row("base", f"it has no config/algs/{base}.yaml", remedy)]
    rows += merged([config_row(files, name, game) for name in ours])
    os.environ["OMP_NUM_THREADS"] = "1"
    with importable():
        for module in IMPORTED_ONCE:
            importlib.import_module(module)
    with tempfile.TemporaryDirectory(prefix="wqmix-doctor-") as name:
        folder, words = Path(name), [*prefix, *start]
        small = known_settings(files, base, game)
        runs = [
            Run.start(words, each, game, folder / each, small) for each in algorithms
        ]
        return rows + [row for run in runs for row in run.rows()]


def known_settings(files: ConfigFiles, base: str, game: str) -> List[str]:
    """Return those settings of a small run that this host has."""
    choices = files.choose("algs", base), files.choose("envs", game)
    known = {"seed", *files.defaults()}.union(*(each.settings() for each in choices))
    return [word for word in SMALL_RUN if word.split("=")[0] in known]


def merged(rows: List[Row]) -> List[Row]:
    """Return the rows with those that fail for one reason as one."""
    reasons: Dict[str, List[str]] = {row.remedy: [] for row in rows if row.remedy}
    for row in rows:
        if row.remedy:
            reasons[row.remedy].append(row.result)
    failed = [Row("config", ", ".join(names), why) for why, names in reasons.items()]
    return [row for row in rows if not row.remedy] + failed


def chosen(arguments: argparse.Namespace) -> detect.Target:
    """Return what to examine: named, the checkout around us, or the embedded host."""
    if arguments.script is not None:
        return detect.script_target(arguments.script)
    if arguments.module is not None:
        return detect.module_target(arguments.module)
    found = detect.around(Path())
    return found if found is not None else detect.module_target(detect.EMBEDDED_MODULE)


def names_learner(name: str) -> bool:
    """Whether an algorithm's own YAML names its learner; a variant inherits it."""
    return "learner" in read_yaml(OUR_CONFIGS / f"{name}.yaml")


def versions() -> str:
    """Return the versions that matter, as one line."""
    from importlib.metadata import PackageNotFoundError, version

    found = [f"Python {platform.python_version()}"]
    for name in ("pymarl-wqmix", *LIBRARIES):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} (no metadata)")
    return ", ".join(found)


def shim_names(host: HostAdapter, target: detect.Target) -> str:
    """Return what old hosts need here, as one line."""
    names = [shim.name for shim in shims.needed(host, target)]
    names += [f"stand-in for {name}" for name in shims.absent(host, target.root)]
    return ", ".join(names) or "none needed"


def taken_names(files: ConfigFiles) -> str:
    """Return which names the host uses too, and what ours are then."""
    shadowed = [
        name
        for name in files.ours()
        if files.shadows(OUR_CONFIGS / f"{name}.yaml", name)
    ]
    lines = [f"--config=host:{name} is the host's own {name}" for name in shadowed]
    lines += [f"our {k} is {v}" for k, v in files.learners.items() if k != v]
    return "; ".join(lines) or "no collision"


def config_row(files: ConfigFiles, name: str, env_config: str) -> Row:
    """Check that an algorithm of ours resolves and that its settings can be."""
    try:
        command_line.rewrite(files, [f"--config={name}", f"--env-config={env_config}"])
    except WQMixError as error:
        return Row("config", name, str(error))
    return Row("config", f"{name} resolves")


# One algorithm in a process of its own ------------------------------------------------


@dataclass
class Run:
    """A started child: two episodes, then one training step."""

    algorithm: str
    env_config: str
    process: Any
    folder: Path

    @classmethod
    def start(
        cls,
        target: List[str],
        algorithm: str,
        env_config: str,
        folder: Path,
        settings: List[str],
    ) -> Run:
        """Start it; all children run side by side, each with a folder to write to."""
        folder.mkdir()
        words = [*target, f"--config={algorithm}", f"--env-config={env_config}"]
        is_ours = algorithm in our_names()
        process = PROCESSES.Process(
            target=child, args=([*words, "with", *settings], is_ours, str(folder))
        )
        process.start()
        return cls(algorithm, env_config, process, folder)

    def rows(self) -> List[Row]:
        """Wait for its end; say how it went, and what the parity probe found."""
        what = f"{self.algorithm} on {self.env_config}"
        self.process.join(SECONDS)
        is_late = self.process.is_alive()
        if is_late:
            self.process.kill()
            self.process.join()
        output = read_text(self.folder / OUTPUT)
        if is_late:
            rows = [Row("train", what, f"no training step within {SECONDS} s")]
        elif TRAINED in output:
            rows = [Row("train", f"{what}: two episodes, one training step")]
        else:
            rows = [Row("train", what, remedy(output))]
        said = PARITY.search(output)
        if said is not None:
            told = said.group(said.lastindex or 0)
            rows.append(Row("parity", f"{self.algorithm}: {told}"))
        return rows


def remedy(output: str) -> str:
    """Return the last line of a failed run that says why, and what to do."""
    lines = [line for line in output.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("wqmix: error: ")]
    if ours:
        return ours[-1][len("wqmix: error: ") :]
    errors = [line for line in lines if "Error" in line.split(":")[0]]
    reason = (errors or lines or ["it ended without a word"])[-1].strip()
    return next(f"{reason}: {advice}" for sign, advice in REMEDIES if sign in reason)


def child(argv: List[str], is_ours: bool, folder: str) -> None:
    """Run a target through the launcher until its, or our, learner's first step.

    All that is printed goes to a file in `folder`, as do temporary files.
    """
    from . import launcher

    with open(os.path.join(folder, OUTPUT), "wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    tempfile.tempdir = folder
    record_into(os.path.join(folder, "results"))
    leave = os._exit
    try:
        end = functools.partial(end_after_training, is_ours=is_ours)
        launcher.launch(launcher.parse(argv), then=end)
    except WQMixError as error:
        note(f"error: {error}")
    finally:
        os._exit = leave  # from the shim: a fork must not return from its end


def record_into(folder: str) -> None:
    """Have sacred's file observers write into a folder, whatever the host says."""
    from sacred.observers import FileStorageObserver

    observer: Any = FileStorageObserver  # Any: its methods are replaced
    build, create = observer.__init__, observer.create

    def in_folder(self: Any, basedir: Any, *args: Any, **kwargs: Any) -> None:
        build(self, folder, *args, **kwargs)

    def create_there(basedir: Any, *args: Any, **kwargs: Any) -> Any:
        return create(folder, *args, **kwargs)

    observer.__init__ = in_folder
    observer.create = staticmethod(create_there)  # sacred 0.7 makes folders


def end_after_training(learners: ModuleType, is_ours: bool) -> None:
    """Have our learners, or the host's, end the process after their first `train`.

    The other ones are left as they are: the parity probe runs the host's beside ours.
    """
    for key, build in list(learners.REGISTRY.items()):
        if (getattr(build, "func", None) is registration.build_learner) == is_ours:
            learners.REGISTRY[key] = functools.partial(build_to_end, build)


def build_to_end(build: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Build a learner whose `train` is the last thing to happen."""
    learner = build(*args, **kwargs)
    train = learner.train

    def train_and_end(*args: Any, **kwargs: Any) -> None:
        train(*args, **kwargs)
        print(TRAINED, flush=True)
        raise SystemExit(0)

    learner.train = train_and_end
    return learner
