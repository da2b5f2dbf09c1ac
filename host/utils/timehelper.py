"""Durations for people."""

import time


def time_str(seconds):
    """3725 -> "1 hours, 2 minutes, 5 seconds"."""
    minutes, secs = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "days"), (hours, "hours"), (minutes, "minutes"))
    text = [f"{number} {unit}" for number, unit in parts if number > 0]
    return ", ".join(text + [f"{secs} seconds"])


def time_left(start_time, t_start, t_current, t_max):
    """The time to `t_max` at the rate since `start_time`, when it was `t_start`."""
    if t_current >= t_max:
        return "-"
    elapsed = time.monotonic() - start_time
    return time_str(elapsed * (t_max - t_current) / max(1, t_current - t_start))
