"""What `wqmix theory` prints: tables side by side, verdicts, thresholds."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .figures import flat
from .projection import Projection, weighted_projection
from .tables import JointAction, decentralised_actions, greedy_actions, is_monotonic
from .thresholds import CRITERIA, SMALLEST_ALPHA, largest_alpha

WIDTH = 88
LOCAL = 8  # local optima listed per weighting
SCAN = (1.0, 0.75, 0.5, 0.2, 0.1, 0.05, 0.01, 0.001)


def short(value: float) -> str:
    return f"{round(float(value), 10) + 0.0:.4g}"


def joint(actions: Sequence[JointAction]) -> str:
    text = " ".join("(" + ",".join(str(i) for i in u) + ")" for u in actions[:4])
    return text + (f" +{len(actions) - 4}" if len(actions) > 4 else "")


def cells(table: np.ndarray) -> list[str]:
    """Lines of a table; ``*`` attains its maximum, ``!`` is what the agents play.

    Only in a monotonic table is it settled what agents play that decide alone.
    """
    marks = np.full(table.shape, "  ", dtype="<U2")
    for action in greedy_actions(table):
        marks[action] = "* "
    for action in decentralised_actions(table) if is_monotonic(table) else ():
        marks[action] = "*!"
    texts = np.vectorize(short)(flat(table))
    width = max(len(text) for text in texts.flat)
    return [
        " ".join(f"{text:>{width}}{mark}" for text, mark in zip(*row))
        for row in zip(texts, flat(marks))
    ]


def print_panels(panels: Sequence[tuple[str, np.ndarray]]) -> None:
    """Tables side by side, as many as fit on a line."""
    row: list[list[str]] = []
    for title, table in panels:
        lines = cells(table)
        width = max(len(title), *(len(line) for line in lines)) + 3
        block = [f"{line:<{width}}" for line in [title] + lines]
        if row and sum(len(b[0]) for b in row) + width > WIDTH:
            _print_row(row)
            row = []
        row.append(block)
    _print_row(row)


def _print_row(blocks: Sequence[Sequence[str]]) -> None:
    for parts in zip(*blocks):
        print("".join(parts).rstrip())
    print()


def print_summary(found: dict[str, Projection], thresholds: bool) -> None:
    for name, projection in found.items():
        print(f"{name:<11}loss {short(projection.loss)}, {_verdict(projection)}")
        for number in range(min(len(projection.tables), 4)):
            greedy, choices = projection.greedy()[number], projection.choices()[number]
            print(f"{'':<11}argmax {joint(greedy)}; agents play {joint(choices)}")
    payoff = found["uniform"].payoff
    print(f"{'optimal':<11}{joint(greedy_actions(payoff))}")
    if thresholds:
        print_thresholds(payoff)


def _verdict(projection: Projection) -> str:
    several = len(projection.tables)
    unique = "one minimiser" if several == 1 else f"{several} minimisers"
    answers = [
        f"{name}: {'yes' if check(projection) else 'NO'}"
        for name, check in CRITERIA.items()
    ]
    return ", ".join([unique] + answers)


def print_thresholds(payoff: np.ndarray) -> None:
    """By alpha, whether each weighting meets each criterion, and up to where."""
    heads = "".join(f"{alpha:>7g}" for alpha in SCAN)
    print(f"\n{'by alpha':<21}{heads}   largest")
    for weighting in ("central", "optimistic"):
        scanned = [weighted_projection(payoff, weighting, alpha) for alpha in SCAN]
        for criterion, check in CRITERIA.items():
            marks = "".join(f"{'yes' if check(one) else 'NO':>7}" for one in scanned)
            alpha = largest_alpha(payoff, weighting, criterion)
            largest = f"none >= {SMALLEST_ALPHA:g}" if alpha is None else f"{alpha:.3g}"
            print(f"{weighting:<12}{criterion:<9}{marks}   {largest}")


def print_local(local: dict[str, list[Projection]]) -> None:
    """Per weighting its local optima by loss: their argmax, and what agents play."""
    for name, optima in local.items():
        print(f"\n{name}: {len(optima)} local optima")
        for projection in optima[:LOCAL]:
            greedy, choices = projection.greedy()[0], projection.choices()[0]
            loss = f"  loss {short(projection.loss):<10}"
            print(f"{loss}argmax {joint(greedy)}; agents play {joint(choices)}")
        if len(optima) > LOCAL:
            print(f"  ... and {len(optima) - LOCAL} of higher loss")


def plain(value: object) -> str:
    if isinstance(value, list):
        return joint(value)
    if isinstance(value, float):
        return short(value)
    return str(value)


def print_distribution(
    weighting: str, thresholds: np.ndarray, played: np.ndarray
) -> None:
    some = thresholds[~np.isnan(thresholds)]
    low = np.quantile(some, 0.05) if some.size else np.nan
    ever, always = some.size / thresholds.size, (thresholds == 1).mean()
    print(
        f"\n{weighting}\n  u* attains the maximum at some alpha in {ever:.1%}, "
        f"at alpha 1 in {always:.1%};\n"
        f"  largest alpha: least {some.min(initial=1):.2g}, 5th percentile {low:.2g}"
    )
    print("  alpha               " + "".join(f"{alpha:>8g}" for alpha in SCAN))
    print("  the agents play u*  " + "".join(f"{share:>8.1%}" for share in played))
