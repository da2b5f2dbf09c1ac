"""`wqmix demo`: watch QMIX fail and Weighted QMIX succeed.

wqmix demo                          the paper's payoff: tables and a figure
wqmix demo --game climbing penalty  other games of config/games.yaml
wqmix demo --game all --seeds 10    success rates, algorithm × game
wqmix demo --game predator_prey     a small predator-prey (about 15 minutes)
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from ...config.extras import missing
from ...host.utils.signals import sigterm_interrupts
from .. import figures
from . import prey
from .payoff_games import Learned, train

METHODS = ("qmix", "cw_qmix", "ow_qmix")
TABLE_METHODS = ("iql", "vdn", *METHODS)
UPDATES = 3000


def main(argv: Sequence[str]) -> int:
    """Run the command line.

    Returns:
        The exit code: 2 for a mistake, with one line.
    """
    options = _parser().parse_args(argv)
    lacking = missing("the figure", "plots", "matplotlib")
    games, problem = _games(options.game)
    if options.seeds < 1 or options.updates < 1 or options.jobs < 1:
        problem = "--seeds, --updates and --jobs are whole numbers from 1"
    if problem or lacking:
        print(f"wqmix demo: {problem or lacking}", file=sys.stderr)
        return 2
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if games == [prey.NAME]:
        seeds = range(min(options.seeds, 3))
        methods = options.method or prey.METHODS
        return prey.demo(methods, seeds, out, options.jobs, in_turns)
    if len(games) == 1:
        return _one_game(games[0], options, out)
    return _many_games(games, options, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wqmix demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--game", nargs="+", default=["paper"], metavar="NAME")
    add("--method", nargs="+", default=[], help="configs; default: " + str(METHODS))
    add("--seeds", type=int, default=4, help="seeds 0 … N−1 (default 4)")
    add("--updates", type=int, default=UPDATES, help="gradient updates (default 3000)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    add("--out", default="results/demo", help="folder for figures and CSV files")
    return parser


def _games(names: List[str]) -> Tuple[List[str], str]:
    """Return the games meant, or what is wrong."""
    from wqmix.config.names import nearest
    from wqmix.host.envs.payoffs import named_games

    known = [*named_games(), "all", prey.NAME]
    for name in names:
        if name not in known:
            hint = nearest(name, known)
            return [], f"--game {name!r} is not one of {', '.join(known)}{hint}"
    if names == ["all"]:
        return list(named_games()), ""
    if len(names) > 1 and {"all", prey.NAME} & set(names):
        return [], f"--game all and --game {prey.NAME} stand alone"
    return names, ""


def in_turns(
    function: Callable[..., Any], calls: Sequence[Tuple[Any, ...]], jobs: int, what: str
) -> List[Any]:
    """Run `function(*call)` for all calls in processes of their own, with a bar.

    Ctrl-C or SIGTERM ends the processes at once, and this one with exit code 130.
    """
    from tqdm import tqdm

    context = multiprocessing.get_context("spawn")
    results: Dict[int, Any] = {}
    pool = ProcessPoolExecutor(min(jobs, len(calls)), context, _end_with_the_parent)
    with sigterm_interrupts(), pool:
        try:
            futures = {pool.submit(function, *call): i for i, call in enumerate(calls)}
            for future in tqdm(as_completed(futures), total=len(calls), desc=what):
                results[futures[future]] = future.result()
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()
            print("\ninterrupted: nothing is written", file=sys.stderr)
            raise SystemExit(130) from None
    return [results[i] for i in range(len(calls))]


def _end_with_the_parent() -> None:
    """Have a worker end when the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_all(
    games: Sequence[str], methods: Sequence[str], options: Any
) -> List[Learned]:
    calls = [
        (method, game, seed, options.updates)
        for game in games
        for method in methods
        for seed in range(options.seeds)
    ]
    return in_turns(train, calls, options.jobs, "training")


def _one_game(game: str, options: Any, out: Path) -> int:
    """Tables, greedy joint actions and learning curves of one game."""
    methods = options.method or METHODS
    runs = _train_all([game], methods, options)
    print(f"\nPayoff of {game!r} (best: {runs[0].best:g})\n{_grid(runs[0].payoff)}")
    for method in methods:
        mine = [run for run in runs if run.method == method]
        print("\n" + _summary(method, mine))
    path = out / f"{game}.png"
    figures.draw_game(runs, methods, path)
    figures.write_rows(out / f"{game}.csv", _rows(runs))
    print(f"\nFigure: {path}    Rows: {out / f'{game}.csv'}")
    return 0


def _summary(method: str, runs: List[Learned]) -> str:
    solved = sum(run.is_solved for run in runs)
    seeds = figures.counted(len(runs), "seed")
    lines = [f"{method}: best joint action found by {solved} of {seeds}"]
    for run in runs:
        lines.append(
            f"  seed {run.seed}: greedy joint action {run.greedy}, "
            f"return {run.greedy_return:g}"
        )
    first = runs[0]
    for name, table in (("Q_tot", first.q_tot), ("Q̂*", first.q_star)):
        if table is not None:
            lines += [f"  {name} (seed {first.seed})", _grid(table, "    ")]
    return "\n".join(lines)


def _grid(table: Any, indent: str = "  ") -> str:
    rows = table.reshape(len(table), -1)
    return "\n".join(
        indent + " ".join(f"{value:7.2f}" for value in row) for row in rows
    )


def _many_games(games: Sequence[str], options: Any, out: Path) -> int:
    """Success rates: algorithm × game."""
    methods = options.method or TABLE_METHODS
    runs = _train_all(games, methods, options)
    rates = {
        (method, game): [
            run.is_solved for run in runs if (run.method, run.game) == (method, game)
        ]
        for method in methods
        for game in games
    }
    width = max(map(len, games)) + 2
    print(f"\nSeeds of {options.seeds} that end at a best joint action")
    print(" " * width + " ".join(f"{method:>8}" for method in methods))
    for game in games:
        counts = " ".join(f"{sum(rates[method, game]):8d}" for method in methods)
        print(f"{game:<{width}}{counts}")
    path = out / "success_rates.png"
    figures.draw_success_rates(rates, games, methods, path)
    figures.write_rows(out / "payoff_games.csv", _rows(runs))
    print(f"\nFigure: {path}    Rows: {out / 'payoff_games.csv'}")
    return 0


def _rows(runs: List[Learned]) -> List[Dict[str, Any]]:
    return [
        {
            "game": run.game,
            "method": run.method,
            "seed": run.seed,
            "greedy": " ".join(map(str, run.greedy)),
            "return": run.greedy_return,
            "best": run.best,
            "q_star_error": run.q_star_error,
        }
        for run in runs
    ]
