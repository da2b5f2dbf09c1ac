"""Durations for people."""

from __future__ import annotations

import time


def time_str(seconds: float) -> str:
    """3725 -> "1 hours, 2 minutes, 5 seconds"."""
    minutes, secs = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "days"), (hours, "hours"), (minutes, "minutes"))
    text = [f"{number} {unit}" for number, unit in parts if number > 0]
    return ", ".join(text + [f"{secs} seconds"])


def time_left(start_time: float, t_start: int, t_current: int, t_max: int) -> str:
    """The time to `t_max` at the rate since `start_time`, when it was `t_start`."""
    if t_current >= t_max:
        return "-"
    elapsed = time.monotonic() - start_time
    return time_str(elapsed * (t_max - t_current) / max(1, t_current - t_start))
