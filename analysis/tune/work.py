"""The search at work: trials asked for, run, pruned, told of."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional

import numpy as np

from ..figures import counted
from ..runs import Record, read_run
from ..sweep import execute
from ..sweep.execute import DONE, FAILED, RUNNING, WAITING, Sweep, Watched
from ..sweep.plan import Run
from ..sweep.table import Table
from .studies import Study
from .tuning import Tuning

SECONDS_BETWEEN_LOOKS = 5.0  # at the curves of runs under way


@dataclass
class Try:
    """A trial under way: its first seed's run, then the others'."""

    study: Study
    trial: Any
    rest: List[Run]
    watched: List[Watched]
    reported: int = 0

    @property
    def name(self) -> str:
        """Return it for people."""
        return f"{self.study.tuned.name}, trial {self.trial.number}"


class Tuner:
    """Trials of all studies on an engine, the same number for each.

    A trial's first seed runs alone, so that one that is worse than most at the same
    test is ended before it costs more.
    """

    def __init__(
        self, tuning: Tuning, studies: List[Study], sweep: Sweep, at_once: int
    ) -> None:
        self.tuning, self.studies, self.sweep = tuning, studies, sweep
        self._at_once = at_once
        self._active: List[Try] = []
        self._looked = time.monotonic()

    def execute(self) -> None:
        """Go on until every study has its trials."""
        while self._ask():
            self.sweep.step()
            is_time = time.monotonic() - self._looked > SECONDS_BETWEEN_LOOKS
            if is_time:
                self._looked = time.monotonic()
                self.sweep.ledger.completed()  # folders of runs that have begun
            self._active = [t for t in self._active if not self._ends(t, is_time)]
            time.sleep(execute.PAUSE)

    def tried(self, study: Study) -> int:
        """Return how many trials a study has, those under way included."""
        return len(study.ended) + sum(each.study is study for each in self._active)

    def _ask(self) -> bool:
        """Begin trials where there is room; return whether any is under way."""
        while len(self._active) < self._at_once:
            study = min(self.studies, key=self.tried)
            if self.tried(study) >= self.tuning.trials:
                break
            trial, values = study.ask()
            first, *rest = self.tuning.runs(study.tuned, values)
            self._active.append(Try(study, trial, rest, [self.sweep.add(first)]))
        return bool(self._active)

    def _ends(self, each: Try, is_time: bool) -> bool:
        """Settle a trial as far as its runs are; return whether it is over."""
        states = [watched.state for watched in each.watched]
        if FAILED in states:
            return self._is_failed(each, each.watched[states.index(FAILED)].reason)
        if states[0] == DONE or (states[0] == RUNNING and is_time):
            may_end = each.rest or states[0] != DONE
            if self._is_worse(each) and may_end:
                return self._is_pruned(each)
        if states[0] == DONE and each.rest:
            each.watched += [self.sweep.add(run) for run in each.rest]
            each.rest = []
            return False
        return set(states) == {DONE} and self._is_complete(each)

    def _is_worse(self, each: Try) -> bool:
        """Report the first run's new values; return whether most do better."""
        if not self.tuning.prune:
            return False
        curve = self._record(each.watched[0]).values
        for number in range(each.reported, len(curve)):
            each.trial.report(float(curve[number]), number)
        each.reported = max(each.reported, len(curve))
        return each.reported > 0 and each.trial.should_prune()

    def _is_failed(self, each: Try, reason: str) -> bool:
        self._cancel(each)
        each.study.fail(each.trial, reason, self._steps(each))
        return self._told(each, f"FAILED, {reason}")

    def _is_pruned(self, each: Try) -> bool:
        self._cancel(each)
        each.study.prune(each.trial, self._steps(each))
        return self._told(each, f"pruned after {counted(each.reported, 'test')}")

    def _is_complete(self, each: Try) -> bool:
        self.sweep.ledger.completed()
        curves = [self._record(watched).values for watched in each.watched]
        if not all(map(len, curves)):
            return self._is_failed(each, f"a run has no {self.tuning.metric}")
        value = float(np.mean([curve[-self.tuning.last :].mean() for curve in curves]))
        each.study.complete(each.trial, value, self._steps(each))
        best = each.study.best
        assert best is not None  # this one, if no other
        return self._told(each, f"{value:.4g} (best {best.value:.4g})")

    def _cancel(self, each: Try) -> None:
        for watched in each.watched:
            if watched.state in (RUNNING, WAITING):
                self.sweep.cancel(watched)

    def _told(self, each: Try, what: str) -> bool:
        self.sweep.table.line(f"{each.name}: {what}")
        return True

    def _steps(self, each: Try) -> int:
        """Return the environment steps of a trial, as far as its tests tell."""
        return sum(self._record(watched).end for watched in each.watched)

    def _record(self, watched: Watched) -> Record:
        """Return a run as it is so far."""
        folder = self.sweep.ledger.folder(watched.run.label)
        if folder is None:
            return Record(Path(), "", "", {}, np.array([]), np.array([]))
        return read_run(folder, "", self.tuning.metric)


class TuneTable(Table):
    """As a sweep's; the line below is about trials, for no run is known beforehand."""

    tuner: Optional[Tuner] = None

    def summary(self, sweep: Any) -> str:
        """Return how far each study is."""
        if self.tuner is None:
            return ""
        told = []
        for study in self.tuner.studies:
            best = study.best
            ended = self.tuner.tried(study)
            value = "–" if best is None else f"{best.value:.4g}"
            of = f"{ended} of {self.tuner.tuning.trials}"
            told.append(f"{study.tuned.name}: trial {of}, best {value}")
        return "; ".join(told)
