"""`wqmix theory`: the paper's operators on a payoff table, exactly."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Callable, NoReturn, Sequence

import numpy as np

from ..config.ending import tells
from ..config.extras import is_installed, missing
from .demos import DEMOS
from .errors import TheoryError, unknown
from .figures import draw_tables, draw_thresholds
from .games import games, payoff_table
from .local import local_optima
from .projection import WEIGHTINGS, check_alpha, weighted_projection
from .report import (
    SCAN,
    cells,
    plain,
    print_distribution,
    print_local,
    print_panels,
    print_summary,
    short,
)
from .search import failures
from .tables import check_shape
from .thresholds import (
    CRITERIA,
    random_tables,
    share_played,
    threshold_distribution,
)

DESCRIPTION = """\
Weighted QMIX on one payoff table, computed exactly instead of trained.

QMIX can only represent monotonic tables: each agent ranks its own actions, and moving
up any ranking never lowers the joint value. Fitted to a payoff, it ends (at best) at
the nearest such table, the projection; a weighting decides what "nearest" means:

  uniform      every joint action counts the same: QMIX
  central      weight 1 on the optimal joint action, alpha on the others (Eq. 6, CW)
  optimistic   weight 1 where the fit is too low, alpha where too high (Eq. 7, OW)
"""
EPILOG = """\
examples
  wqmix theory paper                          the usual 3 x 3 game
  wqmix theory mild --alpha 0.5               a larger alpha loses the optimum
  wqmix theory "[[8, -12], [-12, 6]]"         a table of your own
  wqmix theory payoff.csv                     or from a .csv, .yaml or .npy file
  wqmix theory paper --local                  where gradient descent can get stuck
  wqmix theory --search --weighting optimistic --alpha 0.1
                                              games in which the weighting fails
  wqmix theory --demo property-1              a statement of the paper, run
  wqmix theory --thresholds                   how small alpha must be on random games
  wqmix theory --list                         the named games and the demos

reading the output
  *  a joint action that attains the maximum of its table
  !  what agents play that act greedily each on their own; a tie can make this differ
     from the optimum although the optimum attains the maximum too
  attained   an optimal joint action attains the maximum (what Theorems 1, 2 promise)
  played     the agents really end at one
"""


@tells("error")
def main(argv: Sequence[str] | None = None) -> int:
    """Run ``wqmix theory``; returns the exit code."""
    parser = _parser()
    return _dispatch(parser, parser.parse_args(argv))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:  # argparse's own adds the usage
        raise TheoryError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="wqmix theory",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("payoff", nargs="?", help="a name, a file or an inline table")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--search", action="store_true", help="find failing games")
    modes.add_argument("--demo", metavar="NAME", help="run a statement of the paper")
    modes.add_argument(
        "--thresholds", action="store_true", help="largest alpha on random games"
    )
    modes.add_argument("--list", action="store_true", help="list games and demos")
    parser.add_argument(
        "--alpha", type=float, default=0.1, help="weight of the rest (default 0.1)"
    )
    parser.add_argument(
        "--figure", type=Path, metavar="PNG", help="where the figure goes"
    )
    parser.add_argument(
        "--local", action="store_true", help="also list every local optimum"
    )
    parser.add_argument("--no-figure", action="store_true", help="print only")
    parser.add_argument(
        "--no-thresholds", action="store_true", help="skip the scan over alpha (slow)"
    )
    group = parser.add_argument_group("with --search and --thresholds")
    group.add_argument("--weighting", default="central", help="(search) which one")
    group.add_argument("--criterion", default="played", help="(search) what fails")
    group.add_argument("--shape", default="3x3", help="actions per agent (3x3)")
    group.add_argument("--count", type=int, help="how many random games to try")
    group.add_argument("--seed", type=int, default=0, help="of the random games (0)")
    return parser


def _dispatch(parser: argparse.ArgumentParser, args: argparse.Namespace) -> int:
    check_alpha(args.alpha)
    if args.seed < 0:
        raise TheoryError(f"--seed must not be negative, not {args.seed}")
    check_installed(args)
    mode = args.search or args.demo or args.thresholds or args.list
    if args.payoff is not None and mode:
        raise TheoryError(f"give either a payoff ({args.payoff}) or a mode, not both")
    if args.payoff is not None:
        return _show(args)
    if args.search:
        return _search(args)
    if args.demo is not None:
        return _demo(args.demo)
    if args.thresholds:
        return _thresholds(args)
    if args.list:
        return _list()
    parser.print_help()
    return 0


def check_installed(args: argparse.Namespace) -> None:
    """Refuse, before any work, what would only fail in the middle of it."""
    line = None if args.list else missing("wqmix theory", "theory", "scipy")
    if line is None and args.figure is not None and not args.no_figure:
        line = missing("--figure", "theory", "matplotlib")
    if line is not None:
        raise TheoryError(line)


# ------------------------------------------------------------------ one payoff


def _show(args: argparse.Namespace) -> int:
    payoff = payoff_table(args.payoff)
    found = {name: weighted_projection(payoff, name, args.alpha) for name in WEIGHTINGS}
    local = {}
    if args.local:
        local = {name: local_optima(payoff, name, args.alpha) for name in WEIGHTINGS}
    panels = [("payoff", payoff)]
    for name, projection in found.items():
        several = len(projection.tables) > 1
        for number, table in enumerate(projection.tables[:4], start=1):
            panels.append((f"{name} {number}" if several else name, table))
    if payoff.ndim > 2:
        print("agent 0 down, the other agents' joint actions across")
    print(f"alpha = {args.alpha:g}\n")
    print_panels(panels)
    print_summary(found, not args.no_thresholds)
    print_local(local)
    name = _slug(args.payoff)
    title = f"{name}, alpha = {args.alpha:g}"
    _figure(args, f"theory_{name}.png", draw_tables, panels, title)
    return 0


def _figure(
    args: argparse.Namespace, default: str, draw: Callable[..., Any], *content: Any
) -> None:
    """Draw unless told not to; a missing matplotlib is an error only if asked for."""
    if args.no_figure:
        return
    if args.figure is None and not is_installed("matplotlib"):
        print("\nno figure: matplotlib is not installed")
        return
    path = args.figure or Path(default)
    draw(*content, path)
    print(f"\nfigure: {path}")


def _slug(what: str) -> str:
    if what.strip().startswith("["):
        return "inline"
    return re.sub(r"\W+", "_", Path(what).stem) or "payoff"


# ------------------------------------------------------------------ other modes


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d+(x\d+)*", text):
        raise TheoryError(f"--shape {text!r}: write the agents' actions like 3x3")
    shape = tuple(int(n) for n in text.split("x"))
    check_shape(shape)
    return shape


def _search(args: argparse.Namespace) -> int:
    for kind, value, accepted in (
        ("weighting", args.weighting, WEIGHTINGS),
        ("criterion", args.criterion, CRITERIA),
    ):
        if value not in accepted:
            raise unknown(kind, value, accepted)
    count = 500 if args.count is None else args.count
    shape = _shape(args.shape)
    found = failures(
        args.weighting, args.alpha, args.criterion, shape, count, args.seed
    )
    print(
        f"{args.weighting}, alpha {args.alpha:g}: optimum not {args.criterion} in "
        f"{len(found)} of {count} random {args.shape} games (payoffs -9 to 9, seed "
        f"{args.seed}; games with two optima skipped)\n"
    )
    for failure in found[:3]:
        projection = failure.projection
        print(f"agents lose up to {short(failure.regret)}:")
        print_panels(
            [("payoff", projection.payoff), (args.weighting, projection.table)]
        )
    if found:
        inline = found[0].projection.payoff.astype(int).tolist()
        print(f'wqmix theory "{inline}" --alpha {args.alpha:g}')
    return 0


def _demo(name: str) -> int:
    if name not in DEMOS:
        raise unknown("demo", name, DEMOS)
    print((DEMOS[name].__doc__ or "").splitlines()[0])
    for label, value in DEMOS[name]().items():
        if isinstance(value, np.ndarray):
            print(f"  {label}:")
            print("\n".join("    " + line.rstrip() for line in cells(value)))
        else:
            print(f"  {label}: {plain(value)}")
    return 0


def _thresholds(args: argparse.Namespace) -> int:
    count = 200 if args.count is None else args.count
    tables = random_tables(_shape(args.shape), count, args.seed)
    print(f"{count} random {args.shape} games (standard normal, seed {args.seed})")
    attained, played = {}, {}
    for weighting in WEIGHTINGS:
        thresholds = threshold_distribution(tables, weighting)
        attained[weighting] = thresholds
        played[weighting] = share_played(tables, weighting, SCAN)
        print_distribution(weighting, thresholds, played[weighting])
    title = f"{count} random {args.shape} games"
    default = f"theory_thresholds_{args.shape}.png"
    _figure(args, default, draw_thresholds, attained, played, SCAN, title)
    return 0


def _list() -> int:
    print("games")
    for name, game in games().items():
        print(f"  {name:<14}{game['why']} ({game['source']})")
    print("\ndemos (--demo NAME)")
    for name, demo in DEMOS.items():
        print(f"  {name:<14}{(demo.__doc__ or '').splitlines()[0]}")
    return 0
