"""`wqmix tune`: search the best settings of each algorithm, at the same price.

wqmix tune lbf.yaml                           on this machine, one run per core
wqmix tune lbf.yaml --engine ray --address head:6379 --at-once 16

lbf.yaml is a sweep's file (docs/sweeps.md) with a `search` in the place of a `grid`:

  algorithms:
  - qmix
  - {config: cw_qmix, search: {alpha: [0.1, 0.5, 0.75]}}      # for this one alone
  environments:
  - {config: gymma, settings: {env_args: {key: "lbforaging:Foraging-5x5-2p-1f-v3"}}}
  seeds: 2                                                    # of each trial
  settings: {t_max: 100000, runner: vector, batch_size_run: 8}
  search:                                                     # for all
    lr: {low: 0.0001, high: 0.003, log: true}                 # a range
    mixer_init_scale: [0.1, 1]                                # or choices
  trials: 20                                                  # of each algorithm

A trial is one choice of settings; its score is the mean of the last tests of its runs.
Every algorithm gets the same number of trials; one that is worse than most at the same
test is ended early. The best settings become recipes, used by name of their file:

  wqmix --config=qmix --env-config=gymma --recipe results/tune/lbf/qmix.yaml with …

Beside them are trials.csv, all that was tried, and tuning.png, the history and what
mattered. The same command after an interruption goes on; after raising `trials`, it
goes on too. The score of the best of many is flattered: report it from fresh seeds.
docs/tune.md has all keys.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any, List, Sequence

from wqmix.config.ending import tells
from wqmix.config.extras import missing
from wqmix.errors import ConfigError
from wqmix.host.utils.signals import sigterm_interrupts

from ..figures import counted
from ..sweep.check import check
from ..sweep.cli import add_engine_options, check_options, engine_of, locked
from ..sweep.execute import Sweep
from ..sweep.ledger import Ledger
from . import results, tuning
from .studies import Study, file_of, kept_in, studies
from .work import Tuner, TuneTable

AT_ONCE = 4  # where an engine has a queue of its own


@tells("wqmix tune")
def main(argv: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit code: 0; 1 if an algorithm has no result; 2 a mistake, with one line;
        130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="wqmix tune",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", metavar="FILE", help="the search, a YAML file, as above"
    )
    add_engine_options(parser)
    parser.add_argument(
        "--at-once",
        type=int,
        help=f"trials (default: as many as --jobs; with ray and slurm {AT_ONCE})",
    )
    options = parser.parse_args(argv)
    return tune(options)


def tune(options: Any) -> int:
    """Read, check and run a search; write what it found."""
    lacking = missing("the search", "tune", "optuna", "matplotlib")
    if lacking:
        raise ConfigError(lacking)
    check_options(options)
    if options.at_once is not None and options.at_once < 1:
        raise ConfigError("--at-once is a whole number from 1")
    wanted = tuning.read(options.file)
    for each in wanted.tuned:
        for values in tuning.corners(each.space):
            check(wanted.plan(each, values))
    if options.retries is not None:
        base = dataclasses.replace(wanted.base, retries=options.retries)
        wanted = dataclasses.replace(wanted, base=base)
    engine = engine_of(wanted.base, options)
    at_once = options.at_once or getattr(engine, "jobs", AT_ONCE)
    with locked(wanted.base.folder), kept_in(file_of(wanted)):
        try:
            return search(wanted, engine, at_once)
        finally:
            engine.stop()


def search(wanted: tuning.Tuning, engine: Any, at_once: int) -> int:
    """Run the trials that are left; write what was found."""
    table, found = TuneTable(), studies(wanted)
    for remark in wanted.remarks:
        table.line(remark)
    sweep = Sweep(wanted.base, engine, Ledger(wanted.base.results, ()), table)
    table.tuner = Tuner(wanted, found, sweep, at_once)
    code = 0
    try:
        with sigterm_interrupts():
            table.tuner.execute()
    except KeyboardInterrupt:
        table.line("interrupted: the runs are asked to end; the same command goes on")
        code = 130
    report(wanted, found, table)
    return code or (0 if all(study.completed for study in found) else 1)


def report(wanted: tuning.Tuning, found: List[Study], table: TuneTable) -> None:
    """Say what was found, and where it is."""
    for study in found:
        best, tried = study.best, counted(len(study.ended), "trial")
        said = "no trial was completed"
        if best is not None:
            values = " ".join(f"{key}={value}" for key, value in best.params.items())
            said = f"{best.value:.4g} with {values}"
        price = f"{tried}, {counted(study.steps, 'step')}"
        table.line(f"{study.tuned.name}: {said} ({price})")
    for path in results.write(wanted, found):
        table.line(str(path))
