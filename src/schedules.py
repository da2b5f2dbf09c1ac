"""Schedules of a setting over environment steps, by name."""

from __future__ import annotations


def constant(start: float, finish: float, share: float) -> float:
    """Start's value, always."""
    return start


def linear(start: float, finish: float, share: float) -> float:
    """In equal steps from start to finish."""
    return start + (finish - start) * share


def exponential(start: float, finish: float, share: float) -> float:
    """By equal factors from start to finish; both must be positive."""
    value: float = start * (finish / start) ** share
    return value


SCHEDULES = {"constant": constant, "linear": linear, "exponential": exponential}


def scheduled(
    name: str, start: float, finish: float, t_env: int, anneal_time: int
) -> float:
    """Return the value at `t_env`: `start` at 0, `finish` from `anneal_time` on."""
    return SCHEDULES[name](start, finish, min(t_env / anneal_time, 1.0))
