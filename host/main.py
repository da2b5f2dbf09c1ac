"""The command line: `python -m wqmix.host --config=qmix --env-config=matrix_game`.

Exit codes: 0 done; 1 failed while running, or the end of it could not be written; 2
refused, with nothing written; 130, 143 and 129 interrupted by Ctrl-C, SIGTERM and
SIGHUP, with the results so far and a checkpoint on disk.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from typing import Any, Dict, List, Optional

from ..config.reading import one_line
from ..config.sacred import importable
from ..storage import memory, streams
from .config import USAGE, load_config, parse_command_line
from .errors import ConfigError, HostError, LostError, WorkerError, raised
from .run import run
from .utils.logging import get_logger
from .utils.signals import Terminated, sigterm_interrupts
from .validation import validate

with importable():
    from sacred import SETTINGS, Experiment

    from .utils.results import ResultsObserver


def main(argv: Optional[List[str]] = None) -> int:
    """Run one experiment; `argv` as in `sys.argv[1:]`. Returns the exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or "--help" in argv or "-h" in argv:
        print(USAGE)
        return 0
    with streams.going_on():
        return _told(argv)


def _told(argv: List[str]) -> int:
    """Run; what it comes to is told, and returned as the exit code."""
    try:
        with sigterm_interrupts():
            execute(validate(load_config(parse_command_line(argv))))
    except HostError as error:
        told = error if isinstance(error, WorkerError) else one_line(error)
        print(f"error: {told}", file=sys.stderr)
        return error.exit_code
    except (MemoryError, RuntimeError) as error:
        if not memory.is_out_of_memory(error):
            raise
        told = f"there is not the memory for these settings ({one_line(error)})"
        print(f"error: {told}: smaller networks or batches would fit", file=sys.stderr)
        return 2
    except SystemExit as ended:
        if hasattr(ended.__context__, "exit_code"):  # the learner's, told already
            raise
        print(f"error: the run was ended by {raised(ended)}", file=sys.stderr)
        return 1
    except Terminated as ended:
        return 128 + ended.signum
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def execute(config: Dict[str, Any]) -> None:
    """Run a validated configuration under sacred, recorded in files."""
    # "sys" records Python's own output and leaves the terminal alone; the default "fd"
    # puts a `tee` in between, and a progress bar then sees no terminal.
    SETTINGS["CAPTURE_MODE"] = "sys"
    experiment: Any = Experiment("pymarl")
    experiment.logger = get_logger()
    results = os.path.join(config["local_results_path"], "sacred")
    try:
        os.makedirs(results, exist_ok=True)
        with tempfile.TemporaryFile(dir=results):
            pass
    except OSError as error:
        reason = f"nothing can be written in {results} ({error.strerror})"
        raise ConfigError(f"local_results_path: {reason}") from error
    experiment.add_config({**config, **_absolute(config)})
    results = os.path.abspath(results)
    # Not the constructor: in sacred 0.7 it takes four folders.
    observer = ResultsObserver.create(results)
    experiment.observers.append(observer)

    @experiment.main
    def my_main(_run: Any, _config: Any, _log: logging.Logger) -> None:
        run(_run, _plain(_config), _log)

    experiment.run()
    if observer.reason:
        reason = f"are not whole: {observer.reason}"
        raise LostError(f"the results in {observer.dir} {reason}")


def _absolute(config: Dict[str, Any]) -> Dict[str, Any]:
    """Its folders, wherever an environment may change to."""
    folders = {key: config[key] for key in ("local_results_path", "checkpoint_path")}
    return {key: path and os.path.abspath(path) for key, path in folders.items()}


def _plain(config: Any) -> Any:
    """Sacred's read-only containers as ordinary ones."""
    if isinstance(config, dict):
        return {key: _plain(value) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [_plain(value) for value in config]
    return config


if __name__ == "__main__":
    sys.exit(main())
