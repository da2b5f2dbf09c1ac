"""Run a host's main as `python` itself would, with our learner in its registry.

The order is coverage.py's: prepare the path (importing nothing of the host), apply
shims, register, resolve configs, run as `__main__`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import Any, Callable, Dict, List, Optional

from ..config.ending import tells
from ..config.extras import unmet
from ..errors import ConfigError
from ..storage.errors import UserError
from . import command_line, detect, environments, registration, shims, tracking
from .configs import ConfigFiles
from .imports import after_import
from .notes import WHO, note

NAMED = {  # our options with a name after them
    "--host": "`wqmix list hosts` has them",
    "--base": "that of one of the host's config/algs/*.yaml",
}
OUR_FILES = str(Path(__file__).resolve().parent)


@dataclass
class Arguments:
    """Our own options, and what follows them.

    Attributes:
        target: what to run.
        host: `--host NAME`, an adapter to use without looking.
        base: `--base NAME`, the host's configuration to inherit instead of `qmix`.
        shims: False with `--no-shims`.
        argv: the host's arguments.
    """

    target: detect.Target
    host: Optional[str] = None
    base: Optional[str] = None
    shims: bool = True
    argv: List[str] = field(default_factory=list)


@tells(WHO)
def main(argv: List[str]) -> None:
    """Run `[--host NAME] [--base NAME] [--no-shims] [SCRIPT | -m MODULE] arguments…`.

    Returns:
        The exit code; 2 after one line for a user's mistake. Exceptions of the host's
        are the host's.
    """
    launch(parse(argv))


def parse(argv: List[str]) -> Arguments:
    """Split our options from the host's arguments; without a script: the embedded host.

    Raises:
        ConfigError: an option without its value, or a script that is not there.
    """
    rest = list(argv)
    options: Dict[str, Any] = {}
    while rest and rest[0] in ("--no-shims", *NAMED):
        option = rest.pop(0)
        if option in NAMED and not rest:
            raise ConfigError(f"{option} needs a name; {NAMED[option]}")
        options[option] = rest.pop(0) if option in NAMED else True
    target, rest = split_target(rest)
    host, base = (options.get(option) for option in NAMED)
    return Arguments(target, host, base, "--no-shims" not in options, rest)


def split_target(rest: List[str]) -> Any:
    """Return what to run and the arguments after it."""
    if rest and rest[0] == "-m":
        if len(rest) == 1:
            raise ConfigError("-m needs a module, for example -m pymarlzooplus.main")
        return detect.module_target(rest[1]), rest[2:]
    if rest and not rest[0].startswith("-") and rest[0] != "with":
        return detect.script_target(rest[0]), rest[1:]
    return detect.module_target(detect.EMBEDDED_MODULE), rest


def launch(
    arguments: Arguments, then: Optional[Callable[[ModuleType], None]] = None
) -> None:
    """Prepare everything, then run the host's main to its end.

    Args:
        arguments: what to run and how.
        then: called with the host's `learners` package once ours is in its registry.
    """
    target = arguments.target
    host = detect.detect(target.root, arguments.host, arguments.base)
    if host.name != "embedded":
        note(f"host: {host.title} in {target.root}")
    keys = registration.learner_keys(target.root)
    files = ConfigFiles(host, target.root, keys)
    command = command_line.rewrite(files, arguments.argv)
    prepare_path(target)
    if arguments.shims:
        shims.apply(host, target)
    registration.register_on_import(host, keys)
    if then is not None:
        after_import(host.module("learners"), then)
    if command.game is not None:
        environments.register_on_import(host, command.game, target.root)
    if command.wandb is not None:
        tracking.log_on_import(host, command.wandb, target.root)
    run_as_main(target, command.argv)
    shims.finish()


def prepare_path(target: detect.Target) -> None:
    """Make sys.path[0] what `python SCRIPT` or `python -m MODULE` would make it."""
    if not getattr(sys.flags, "safe_path", False):
        sys.path[0] = os.getcwd() if target.module else str(target.root)


def run_as_main(target: detect.Target, argv: List[str]) -> None:
    """Execute the target as `__main__`; its exceptions show no frame of ours."""
    module = ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    describe = code_of_module if target.module else code_of
    try:
        code = describe(target, module)
        sys.argv = [target.script or module.__dict__["__file__"], *argv]
        sys.modules["__main__"] = module
        exec(code, module.__dict__)
    except (SystemExit, UserError):
        raise
    except BaseException as error:
        is_ours = target.module == detect.EMBEDDED_MODULE
        if isinstance(error, KeyboardInterrupt) and is_ours:  # while it is imported
            raise
        if not (isinstance(error, ModuleNotFoundError) and unmet(error)):
            show(error)
        error.is_of_a_host = True  # type: ignore[attr-defined]
        raise


def code_of(target: detect.Target, module: ModuleType) -> CodeType:
    """Compile a script, and describe it in `module` as Python does."""
    path = str(target.script)
    if sys.version_info >= (3, 9):  # where Python itself began to
        path = os.path.abspath(path)
    module.__dict__.update(__file__=path, __package__=None, __cached__=None)
    return compile(target.path.read_bytes(), path, "exec", dont_inherit=True)


def code_of_module(target: detect.Target, module: ModuleType) -> CodeType:
    """Compile a module, and describe it in `module` as `python -m` does."""
    import importlib.util

    spec = importlib.util.find_spec(str(target.module))
    if spec is not None and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(f"{target.module}.__main__")
    if spec is None or spec.loader is None:
        raise ConfigError(f"-m {target.module}: no such module")
    module.__spec__ = spec
    module.__dict__.update(
        __file__=spec.origin, __package__=spec.parent, __cached__=spec.cached
    )
    module.__loader__ = spec.loader
    loader: Any = spec.loader  # one of Python's own, which can give the code
    code: CodeType = loader.get_code(spec.name)
    return code


def show(error: BaseException) -> None:
    """Print the traceback from the host's own frames, and have Python print no second.

    The exception goes on to end the process as it would have ended a direct run (exit
    code 1, or by SIGINT).
    """
    for each in chain(error):
        each.__traceback__ = without_our_frames(each.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook = lambda *_: None


def chain(error: Optional[BaseException]) -> List[BaseException]:
    """Return an exception and all that it was raised from or during."""
    found: List[BaseException] = []
    pending = [error]
    while pending:
        each = pending.pop()
        if each is not None and each not in found:
            found.append(each)
            pending += [each.__cause__, each.__context__]
    return found


def without_our_frames(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Return a traceback without the launcher's frames and the import system's."""
    kept = []
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        ours = os.path.abspath(name).startswith(OUR_FILES)
        if not ours and not name.startswith("<frozen importlib"):
            kept.append(trace)
        trace = trace.tb_next
    for each, following in zip(kept, [*kept[1:], None]):
        each.tb_next = following
    return kept[0] if kept else None
