"""A small predator-prey on which QMIX fails and Weighted QMIX succeeds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .. import figures

NAME = "predator_prey"
METHODS = ("cw_qmix", "qmix")  # the longest first, so that no core waits at the end
# 4 agents catch at most 2 prey, for 10 each: the most is a return of 20.
MAXIMUM_RETURN = 20
SMALL = dict(
    env_args=dict(
        world_shape=[5, 5],
        n_agents=4,
        n_prey=2,
        episode_limit=50,
        miscapture_punishment=-1.5,
    ),
    epsilon_anneal_time=50000,
    t_max=100000,
    test_interval=5000,
    test_nepisode=32,
    runner="vector",
    batch_size_run=8,
    buffer_size=2000,
    use_cuda=False,
)


def train(method: str, seed: int) -> Dict[str, Any]:
    """Train one algorithm on the small predator-prey.

    Returns:
        method, seed, the curve of (t_env, test return) and the seconds it took.
    """
    import logging

    import torch

    from wqmix import get_runner

    torch.set_num_threads(1)
    started = time.time()
    runner = get_runner(method, NAME, seed=seed, **SMALL)
    logging.getLogger("pymarl").setLevel(logging.WARNING)
    stats = runner.run()
    runner.finish()
    curve = [(int(t), float(value)) for t, value in stats["test_return_mean"]]
    seconds = time.time() - started
    return dict(method=method, seed=seed, curve=curve, seconds=seconds)


def demo(
    methods: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    jobs: int,
    in_turns: Callable[..., List[Any]],
) -> int:
    """Train all, print the final returns, draw the curves."""
    calls: List[Tuple[str, int]] = [(m, seed) for m in methods for seed in seeds]
    runs = in_turns(train, calls, jobs, "training")
    print(f"\nMean test return of the last five tests (at most {MAXIMUM_RETURN})")
    rows = []
    for run in runs:
        final = sum(value for _, value in run["curve"][-5:]) / 5
        share = f"{final:6.2f} ({final / MAXIMUM_RETURN:4.0%})"
        print(
            f"  {run['method']:8} seed {run['seed']}: {share}, {run['seconds']:.0f} s"
        )
        for t, value in run["curve"]:
            rows.append(dict(method=run["method"], seed=run["seed"], t=t, value=value))
    figures.write_rows(out / f"{NAME}.csv", rows)
    path = out / f"{NAME}.png"
    title = "Predator-prey, 5×5, 4 agents, 2 prey, punishment −1.5"
    curves = [(run["method"], run["curve"]) for run in runs]
    figures.draw_curves(curves, MAXIMUM_RETURN, title, "environment steps", path)
    print(f"\nFigure: {path}    Rows: {out / f'{NAME}.csv'}")
    return 0
