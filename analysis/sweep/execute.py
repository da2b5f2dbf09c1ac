"""Every run once: started, watched, tried again if its worker is lost, told of."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any, List, Optional, Set, Tuple

from .engines import End
from .ledger import Ledger
from .plan import Plan, Run
from .progress import Progress

PAUSE = 0.5
SECONDS_UNTIL_SEEN = 10.0  # another machine's files may appear late
# Sacred's heart beats every 10: a run that is silent so long is dead. A lost worker's
# run may live on, and would otherwise be done twice.
SECONDS_OF_SILENCE = 25.0
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "completed", "FAILED"
CANCELLED = "cancelled"
_ERRORS = ("error:", "wqmix: error:")
_LAST = 20_000


class Watched:
    """A run as the table shows it."""

    def __init__(self, run: Run, logs: Path) -> None:
        self.run, self.state = run, WAITING
        self.log = logs / f"{run.name}.log"
        self.attempts, self.reason = 0, ""
        self.beat: Optional[str] = None
        self.not_before = 0.0
        self.progress = Progress(self.log, run.t_max)

    @property
    def shown_state(self) -> str:
        """Return the state; what an engine has, but has not begun, waits."""
        if self.state == RUNNING and not self.log.exists():
            return WAITING
        return self.state


class Sweep:
    """Runs of a plan on an engine.

    Attributes:
        plan, ledger, table: what is to be done, what is, and who is told.
        watched: all runs that were not completed before.
        finished: how many were.
    """

    def __init__(self, plan: Plan, engine: Any, ledger: Ledger, table: Any) -> None:
        self._engine = engine
        self.plan, self.ledger, self.table = plan, ledger, table
        completed = ledger.completed()
        runs = [run for run in plan.runs if run.label not in completed]
        self.finished = len(plan.runs) - len(runs)
        self.watched = {run.label: Watched(run, plan.folder / "logs") for run in runs}
        self._pending = list(self.watched.values())
        self._unconfirmed: List[Tuple[float, Watched]] = []

    def execute(self) -> List[Watched]:
        """Run all to the end; return those that failed."""
        while any(w.state in (WAITING, RUNNING) for w in self.watched.values()):
            self.step()
            time.sleep(PAUSE)
        return [each for each in self.watched.values() if each.state == FAILED]

    def step(self) -> None:
        """Start what there is room for; take note of what has ended."""
        self._start()
        ended = self._engine.ended()
        if ended or self._unconfirmed:
            self._settle(ended)
        for each in self.watched.values():
            if each.state == RUNNING:
                each.progress.read()
        self.table.show(self)

    def add(self, run: Run) -> Watched:
        """Take in one more run; one that is known is what it was."""
        if run.label not in self.watched:
            self.ledger.want(run.label)
            each = Watched(run, self.plan.folder / "logs")
            self.watched[run.label] = each
            self._pending.append(each)
        return self.watched[run.label]

    def cancel(self, each: Watched) -> None:
        """Ask a run to end: nobody needs it any more."""
        if each.state == RUNNING:
            self._engine.cancel(each.run)
        elif each in self._pending:
            self._pending.remove(each)
        each.state = CANCELLED

    def _start(self) -> None:
        if not self._engine.room or not self._pending:
            return
        completed, beats = self.ledger.completed(), self.ledger.beats
        pending, self._pending = self._pending, []
        for each in pending:
            if each.run.label in completed:
                each.state = DONE  # by a run that had been taken for lost
            elif self._engine.room and self._may_start(each, beats.get(each.run.label)):
                each.attempts += 1
                each.state = RUNNING
                self._engine.start(each.run, each.log)
            else:
                self._pending.append(each)

    def _may_start(self, each: Watched, beat: Optional[str]) -> bool:
        """Whether nothing is left of an earlier attempt."""
        if beat != each.beat:
            each.beat = beat
            each.not_before = time.monotonic() + SECONDS_OF_SILENCE
        return time.monotonic() >= each.not_before

    def _settle(self, ended: List[Tuple[Run, End]]) -> None:
        completed = self.ledger.completed()
        for run, end in ended:
            self._judge(self.watched[run.label], end, completed)
        unconfirmed, self._unconfirmed = self._unconfirmed, []
        for deadline, each in unconfirmed:
            if each.run.label in completed:
                each.state = DONE
            elif time.monotonic() >= deadline:
                self._fail(each, "it ended well, but no completed run has its label")
            else:
                self._unconfirmed.append((deadline, each))

    def _judge(self, each: Watched, end: End, completed: Set[str]) -> None:
        if each.run.label in completed:
            each.state = DONE
        elif each.state == CANCELLED:
            return
        elif end.is_lost:
            self._again(each, end.reason or f"ended by a signal ({end.code})")
        elif end.code == 0:
            self._unconfirmed.append((time.monotonic() + SECONDS_UNTIL_SEEN, each))
        else:
            self._fail(each, end.reason or f"exit code {end.code}: {last_word(each)}")

    def _again(self, each: Watched, reason: str) -> None:
        if each.attempts > self.plan.retries:
            self._fail(each, f"its worker was lost {each.attempts} times; {reason}")
            return
        each.state, each.reason = WAITING, f"lost ({reason})"
        self.table.line(f"{each.run.name}: worker lost ({reason}), again soon")
        each.not_before = time.monotonic() + SECONDS_OF_SILENCE
        self._pending.append(each)

    def _fail(self, each: Watched, reason: str) -> None:
        each.state, each.reason = FAILED, reason
        self.table.line(f"{each.run.name}: FAILED, {reason}")

    def counts(self) -> Counter[str]:
        """Return how many runs are in each state."""
        found = Counter(each.shown_state for each in self.watched.values())
        found[DONE] += self.finished
        return found


def last_word(each: Watched) -> str:
    """Return the log's last error, or its last line."""
    try:
        with open(each.log, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LAST))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "no log"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(_ERRORS)]
    return (errors or lines or ["an empty log"])[-1]
