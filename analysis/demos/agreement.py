"""Do trained networks end where the exact operators say?

python -m wqmix.analysis.demos.agreement                 all named games, 5 seeds
python -m wqmix.analysis.demos.agreement --game paper mild --seeds 3
python -m wqmix.analysis.demos.agreement --rows payoff_games.csv    runs of `wqmix demo`

Each game is learnt with full exploration, and its greedy joint action compared with
what decentralised agents play at the minimisers of the weighted projection: Eq. 6 for
CW-QMIX, Eq. 7 for OW-QMIX, at the alpha of the YAML. Where a run ends elsewhere, it is
said whether a local optimum of the same problem is played so.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from ...config.extras import missing
from .. import figures
from .demo import UPDATES, in_turns
from .payoff_games import Learned, train

WEIGHTING_OF = {"qmix": "uniform", "cw_qmix": "central", "ow_qmix": "optimistic"}
ALPHA = 0.1  # of cw_qmix.yaml and ow_qmix.yaml
JointAction = Tuple[int, ...]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command line.

    Returns:
        The exit code: 0 where CW and OW always agree with the operators or end at a
        local optimum of theirs, 1 otherwise, 2 for a mistake, with one line.
    """
    from wqmix.config.names import nearest
    from wqmix.theory.games import games as named_games

    options = _parser().parse_args(argv)
    lacking = missing("wqmix.analysis.demos.agreement", "theory", "scipy")
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    if options.rows is not None:
        try:
            return report(trained_before(options.rows), Path(options.out))
        except (OSError, KeyError, ValueError, csv.Error) as error:
            line = f"{options.rows}: no rows of `wqmix demo` ({error})"
            print(f"agreement: {line}", file=sys.stderr)
            return 2
    games = options.game or list(named_games())
    for game in games:
        if game not in named_games():
            hint = nearest(game, named_games())
            line = f"--game {game!r} is not one of {', '.join(named_games())}{hint}"
            print(f"agreement: {line}", file=sys.stderr)
            return 2
    if min(options.seeds, options.updates, options.jobs) < 1:
        line = "--seeds, --updates and --jobs are whole numbers from 1"
        print(f"agreement: {line}", file=sys.stderr)
        return 2
    runs = in_turns(
        train,
        [
            (method, game, seed, options.updates)
            for game in games
            for method in WEIGHTING_OF
            for seed in range(options.seeds)
        ],
        options.jobs,
        "training",
    )
    return report(runs, Path(options.out))


def report(runs: Sequence[Learned], out: Path) -> int:
    """Print and write the comparison; return the exit code."""
    kinds = dict.fromkeys((run.game, run.method) for run in runs)
    rows = [
        row([run for run in runs if (run.game, run.method) == kind]) for kind in kinds
    ]
    print(table(rows))
    out.mkdir(parents=True, exist_ok=True)
    figures.write_rows(out / "agreement.csv", rows)
    print(f"\nRows: {out / 'agreement.csv'}")
    weighted = [each for each in rows if each["method"] != "qmix"]
    return int(any(each["elsewhere"] for each in weighted))


def trained_before(file: str) -> List[Learned]:
    """Runs that `wqmix demo` wrote, of the algorithms that are compared here.

    Raises:
        OSError: the file cannot be read.
        KeyError: a column or a game is unknown.
        ValueError: an entry is no joint action, or nothing is left.
    """
    from wqmix.host.envs.payoffs import named_games, payoff_tensor

    with open(file, newline="", encoding="utf-8") as lines:
        found = list(csv.DictReader(lines))
    for each in found:
        if each["game"] not in named_games():
            raise ValueError(f"unknown game {each['game']!r}")
    runs = [
        Learned(
            each["method"],
            each["game"],
            int(each["seed"]),
            payoff_tensor(each["game"]),
            q_tot=None,
            q_star=None,
            greedy=tuple(int(action) for action in each["greedy"].split()),
            curve=[],
        )
        for each in found
        if each["method"] in WEIGHTING_OF
    ]
    if not runs:
        raise ValueError(f"no run of {', '.join(WEIGHTING_OF)}")
    return runs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wqmix.analysis.demos.agreement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--game", nargs="+", metavar="NAME", help="default: all")
    add("--rows", metavar="CSV", help="compare runs that were trained before")
    add("--seeds", type=int, default=5, help="seeds 0 … N−1 (default 5)")
    add("--updates", type=int, default=UPDATES, help="gradient updates (default 3000)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    add("--out", default="results/agreement", help="folder for the CSV file")
    return parser


def row(runs: List[Learned]) -> Dict[str, Any]:
    """Compare the runs of one algorithm on one game with the operator."""
    first = runs[0]
    weighting = WEIGHTING_OF[first.method]
    exact = played(first.payoff, weighting)
    learned = [run.greedy for run in runs]
    others = [greedy for greedy in learned if greedy not in exact]
    local = played(first.payoff, weighting, local=True) if others else set()
    return {
        "game": first.game,
        "method": first.method,
        "operator": _text(exact),
        "learned": _text(learned),
        "seeds": len(runs),
        "agree": len(runs) - len(others),
        "local": sum(greedy in local for greedy in others),
        "elsewhere": sum(greedy not in local for greedy in others),
        "solved": sum(run.is_solved for run in runs),
    }


def played(payoff: Any, weighting: str, local: bool = False) -> Set[JointAction]:
    """Joint actions that agents play at the projections, or at all local optima.

    Of several optimal joint actions each may be the u* of Eq. 6 (`theory` takes the
    first): all count.
    """
    from wqmix.theory.local import local_optima
    from wqmix.theory.projection import project, weighted_projection
    from wqmix.theory.tables import greedy_actions

    if local:
        found = local_optima(payoff, weighting, ALPHA)
    elif weighting == "central":
        found = []
        for optimal in greedy_actions(payoff):
            weights = np.full(payoff.shape, ALPHA)
            weights[optimal] = 1.0
            found.append(project(payoff, weights))
    else:
        found = [weighted_projection(payoff, weighting, ALPHA)]
    return {u for each in found for choice in each.choices() for u in choice}


def table(rows: List[Dict[str, Any]]) -> str:
    """Return the rows as aligned text."""
    names = ("game", "method", "operator", "learned", "agree", "local", "elsewhere")
    lines = [names] + [tuple(str(each[name]) for name in names) for each in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in lines
    )


def _text(actions: Any) -> str:
    """Return distinct joint actions as `0,0 1,2`."""
    return " ".join(",".join(map(str, action)) for action in sorted(set(actions)))


if __name__ == "__main__":
    sys.exit(main())
