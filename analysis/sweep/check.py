"""What would be refused at each run's start, refused before the first one starts."""

from __future__ import annotations

from typing import Dict, List, Tuple

from wqmix.errors import ConfigError

from .plan import Plan, Run, is_embedded


def check(plan: Plan) -> None:
    """Read every command line as its host will.

    The settings of our algorithms, and all of the embedded host's, are checked; those
    of another host's own algorithms are left to that host.

    Raises:
        ConfigError: the first mistake.
    """
    from wqmix.plugin import command_line, launcher, registration
    from wqmix.plugin.configs import ConfigFiles
    from wqmix.plugin.detect import detect

    arguments = launcher.parse(list(plan.runs[0].arguments))
    root = arguments.target.root
    host, keys = detect(root, arguments.host), registration.learner_keys(root)
    files = ConfigFiles(host, root, keys)
    if is_embedded(plan.target):
        registration.register_on_import(host, keys)
    for run in once_each(plan).values():
        argv = launcher.parse(list(run.arguments)).argv
        try:
            rewritten = command_line.rewrite(files, argv)
            if is_embedded(plan.target):
                by_the_embedded_host(rewritten.argv)
        except ConfigError as error:
            raise ConfigError(f"run {run.name}: {error}") from None


def once_each(plan: Plan) -> Dict[Tuple[str, ...], Run]:
    """Return one run for each combination of all but the seeds."""
    return {
        tuple(w for w in run.arguments if not w.startswith(("seed=", "label="))): run
        for run in plan.runs
    }


def by_the_embedded_host(argv: List[str]) -> None:
    """Let the embedded host check a command line, without building anything."""
    from wqmix.host.config import load_config, parse_command_line
    from wqmix.host.errors import HostError
    from wqmix.host.validation import validate

    try:
        validate(load_config(parse_command_line(argv)))
    except HostError as error:
        raise ConfigError(str(error)) from None
