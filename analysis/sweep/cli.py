"""`wqmix sweep`: train algorithms × environments × seeds × settings.

wqmix sweep sweep.yaml                        on this machine, one run per core
wqmix sweep sweep.yaml --dry-run              only print the commands
wqmix sweep sweep.yaml --engine ray --address head:6379
wqmix sweep sweep.yaml --engine slurm

Runs that are completed are not run again: the same command after an interruption goes
on. docs/sweeps.md has the file's keys.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Iterator, List, Sequence

from wqmix.config.ending import tells
from wqmix.config.reading import one_line
from wqmix.errors import ConfigError
from wqmix.host.utils.signals import sigterm_interrupts

from ..figures import counted
from . import engines, plan
from .check import check
from .execute import DONE, Sweep, Watched
from .ledger import Ledger
from .table import Table


@tells("wqmix sweep")
def main(argv: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 all runs completed, 1 some failed, 2 a mistake, with one line,
        130 interrupted.
    """
    return sweep(_parser().parse_args(argv))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wqmix sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the sweep, a YAML file")
    add_engine_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the commands, run nothing"
    )
    return parser


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where and how runs are executed."""
    add = parser.add_argument
    add("--engine", choices=["local", "ray", "slurm"], default="local")
    add("--jobs", type=int, help="local: runs at once (default: cores / threads)")
    add("--threads", type=int, default=1, help="per run (default 1)")
    add("--retries", type=int, help="of a run whose worker is lost (default 2)")
    add("--address", help="ray: HOST:PORT of a running cluster, or auto")
    add("--gpus-per-run", type=float, default=0, help="ray: a number, 0.5 say")


def sweep(options: Any) -> int:
    """Read, check and run a sweep."""
    check_options(options)
    wanted = plan.read(options.file)
    check(wanted)
    if options.retries is not None:
        wanted = dataclasses.replace(wanted, retries=options.retries)
    ledger = Ledger(wanted.results, (run.label for run in wanted.runs))
    if options.dry_run:
        return dry_run(wanted, ledger)
    table = Table()
    if not {run.label for run in wanted.runs} - ledger.completed():
        table.line(f"all completed already: {counted(len(wanted.runs), 'run')}")
        return 0
    engine = engine_of(wanted, options)  # nothing is written before
    with locked(wanted.folder):
        try:
            return execute(Sweep(wanted, engine, ledger, table))
        finally:
            engine.stop()


def check_options(options: Any) -> None:
    """Refuse numbers that cannot be, and options of another engine."""
    if options.threads < 1 or (options.jobs is not None and options.jobs < 1):
        raise ConfigError("--jobs and --threads are whole numbers from 1")
    if (options.retries or 0) < 0 or options.gpus_per_run < 0:
        raise ConfigError("--retries and --gpus-per-run are numbers from 0")
    of = {"jobs": "local", "address": "ray", "gpus_per_run": "ray"}
    for name, engine in of.items():
        if getattr(options, name) and options.engine != engine:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} is of --engine {engine}, not {options.engine}")


def dry_run(wanted: plan.Plan, ledger: Ledger) -> int:
    """Print the commands of all runs that are not completed."""
    completed = ledger.completed()
    for run in wanted.runs:
        if run.label not in completed:
            print(one_line(shlex.join(["python", *run.command[1:]])))
    print(
        f"{counted(len(wanted.runs), 'run')}, {len(completed)} completed already",
        file=sys.stderr,
    )
    return 0


def execute(work: Sweep) -> int:
    """Run what is not completed; tell what failed."""
    if work.finished:
        total = counted(len(work.plan.runs), "run")
        work.table.line(f"{work.finished} of {total} completed already")
    try:
        with sigterm_interrupts():
            failed = work.execute()
    except KeyboardInterrupt:
        interrupted = "interrupted: the runs are asked to end; the same command goes on"
        work.table.line(interrupted)
        return 130
    report(work, failed)
    return 1 if failed else 0


def engine_of(wanted: plan.Plan, options: Any) -> Any:
    """Return the engine that was asked for."""
    if options.engine == "ray":
        return engines.Ray(options.address, options.threads, options.gpus_per_run)
    if options.engine == "slurm":
        return engines.Slurm(wanted, options.threads)
    cores = len(os.sched_getaffinity(0))
    jobs = options.jobs or max(1, cores // options.threads)
    return engines.Local(jobs, options.threads)


def report(work: Sweep, failed: List[Watched]) -> None:
    """Say at the end what failed, and where that can be read."""
    ledger, table = work.ledger, work.table
    ledger.completed()
    for label, folders in ledger.folders().items():
        if len(folders) > 1:
            table.line(f"{label} is completed {len(folders)} times: {folders}")
    counts = work.counts()
    table.line(f"{counts[DONE]} of {counted(sum(counts.values()), 'run')} completed")
    for each in failed:
        table.line(f"FAILED: {each.run.name}: {each.reason} (log: {each.log})")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second sweep of the same name away meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written ({error.strerror})") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(f"{folder}: another sweep is at work here") from None
        yield
