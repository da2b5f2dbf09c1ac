"""Which checkpoint came from which: a run that goes back begins another line.

The saves into a run's folder are counted. A checkpoint's `line` has the numbers of the
saves that led to it: [[1, 5], [11, 12]] for the 12th, after the run had gone back to
the 5th (the saves 6 to 10 led elsewhere). Its own number is the last one.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional

Line = List[List[int]]

_BEFORE = 2**62  # of the saves before they were counted: by their steps


def line_of(facts: Optional[Dict[str, Any]], step: int) -> Line:
    """The line of the checkpoint of a step, by its manifest (None: without one)."""
    line = (facts or {}).get("line")
    if line and all(len(part) == 2 for part in line):
        return line
    return [[-_BEFORE, step - _BEFORE]]


def number_of(facts: Optional[Dict[str, Any]], step: int) -> int:
    """The number of the save that made a checkpoint."""
    return line_of(facts, step)[-1][1]


def extended(line: Line, last: int) -> Line:
    """A line with one save more, which comes after `last`, the last one of all."""
    number = max(last, 0) + 1
    if line and line[-1][1] == last:
        return [*line[:-1], [line[-1][0], number]]
    return [*line, [number, number]]


def is_on(number: int, line: Line) -> bool:
    """Whether a save led to the end of a line."""
    return any(first <= number <= last for first, last in line)
