"""The live table: a line for each run under way, and one for all."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any, Iterable, List, Optional

from wqmix.config.reading import one_line

from ..figures import counted
from .execute import DONE, FAILED, RUNNING, WAITING

SECONDS_BETWEEN_LINES = 30
BAR = 20
LEAST_OF_A_RUN = 0.02  # before that, nothing is said of the time left


class Table:
    """Redrawn on a terminal; elsewhere a line every half minute."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._drawn = 0
        self._started = self._shown = time.monotonic()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        self._erase()
        print(one_line(text), file=sys.stderr, flush=True)

    def show(self, sweep: Any) -> None:
        """Draw how things stand."""
        if self._is_live:
            self._erase()
            size = shutil.get_terminal_size()
            lines = [line[: size.columns - 1] for line in rows(sweep, size.lines - 3)]
            lines.append(self.summary(sweep)[: size.columns - 1])
            self._drawn = len(lines)
            print("\n".join(lines), file=sys.stderr, flush=True)
        elif time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            print(self.summary(sweep), file=sys.stderr, flush=True)

    def _erase(self) -> None:
        if self._drawn:
            print(f"\x1b[{self._drawn}F\x1b[J", end="", file=sys.stderr)
            self._drawn = 0

    def summary(self, sweep: Any) -> str:
        """Return the line for all runs."""
        counts = sweep.counts()
        total = sum(counts.values())
        states = (DONE, RUNNING, WAITING, FAILED)
        told = ", ".join(f"{counts[state]} {state}" for state in states)
        share = sum(map(_share, sweep.watched.values())) / max(1, len(sweep.watched))
        left = self._seconds_left(sweep.watched.values())
        said = "not known yet" if left is None else duration(left)
        return f"{counted(total, 'run')}: {told} | {share:.0%} | time left {said}"

    def _seconds_left(self, watched: Iterable[Any]) -> Optional[float]:
        """Return the time for the rest at the rate of what was made here."""
        left, made = 0.0, 0.0
        for each in watched:
            left += 1.0 - _share(each)
            made += _share(each) - each.progress.loaded_share
        if made <= LEAST_OF_A_RUN:
            return None
        return (time.monotonic() - self._started) * left / made


def _share(each: Any) -> float:
    return 1.0 if each.state in (DONE, FAILED) else each.progress.share


def rows(sweep: Any, most: int) -> List[str]:
    """Return a line for each run under way, at most so many."""
    running = [each for each in sweep.watched.values() if each.shown_state == RUNNING]
    names = [one_line(each.run.name) for each in running]
    width = max(map(len, names), default=0)
    lines = []
    for each, name in zip(running[:most], names):
        progress = each.progress
        full = int(BAR * progress.share)
        bar = "#" * full + "." * (BAR - full)
        steps = "starting"
        if progress.t_env is not None:
            steps = counted(progress.t_env, "step")
        left = duration(progress.seconds_left)
        again = f"  attempt {each.attempts}" if each.attempts > 1 else ""
        lines.append(
            f"{name:{width}}  {bar} {progress.share:4.0%}  {steps:>16}  "
            f"{left:>9}{again}"
        )
    if len(running) > most:
        lines.append(f"… and {len(running) - most} more")
    return lines


def duration(seconds: Optional[float]) -> str:
    """Return `1 h 05 min`, `4 min` or `20 s`; "–" for None."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
