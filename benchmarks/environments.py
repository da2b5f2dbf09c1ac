"""Steps per second of the environments: alone, and in training.

    OMP_NUM_THREADS=1 taskset -c 0 chrt -r 1 python -m benchmarks.environments [ENV …]

One thread on one core. An environment whose package is missing is left out, with a line
that says so. Alone: random actions, with what the episode runner asks for at each step.
Training: rollouts and updates of 32 episodes, after each episode, of `qmix` and
`cw_qmix` as they are configured.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Dict

import torch

import wqmix
from wqmix.host import envs
from wqmix.host.envs import contract
from wqmix.host.errors import HostError

VECTOR = {"runner": "vector", "batch_size_run": 8}
CASES = [  # name in the table, environment, env_args, settings
    ("matrix_game", "matrix_game", {}, {}),
    ("predator_prey", "predator_prey", {}, {}),
    ("gymma, LBF 8x8-2p-3f", "gymma", {}, {}),
    (
        "gymma, RWARE tiny-2ag",
        "gymma",
        {"key": "rware:rware-tiny-2ag-v2", "time_limit": 500},
        {},
    ),
    ("mpe, simple_spread_v3", "mpe", {}, {}),
    ("pettingzoo, knights_archers_zombies", "pettingzoo", {}, {}),
    ("football, 3_vs_1_with_keeper", "football", {}, {}),
    ("smax, 2s3z", "smax", {}, {}),
    ("smax, 2s3z, 8 copies", "smax", {}, VECTOR),
    ("smax, 2s3z, 32 copies", "smax", {}, {**VECTOR, "batch_size_run": 32}),
]
SECONDS = 3.0
EPISODES_FIRST = 64  # played, and learned from, before time is taken


def main() -> None:
    torch.set_num_threads(1)
    logging.getLogger("pymarl").setLevel(logging.ERROR)
    print("| environment | alone | qmix | cw_qmix |\n|---|---|---|---|")
    wanted = sys.argv[1:] or [env for _, env, _, _ in CASES]
    for name, env, env_args, settings in CASES:
        if env not in wanted:
            continue
        try:
            figures = [alone(env, env_args, settings)]
            for method in ("qmix", "cw_qmix"):
                figures.append(training(method, env, env_args, settings))
        except HostError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        print(f"| {name} | {' | '.join(f'{n:,.0f}' for n in figures)} |", flush=True)


def alone(env: str, env_args: Dict[str, Any], settings: Dict[str, Any]) -> float:
    """Steps per second of the environment, or of all copies together."""
    if settings:
        return copies_alone(env, env_args, settings["batch_size_run"])
    game = envs.REGISTRY[env](**{**env_args, "seed": 1})
    checker = contract.Checker(game)
    checker.speed(SECONDS / 3)
    steps = checker.speed(SECONDS)
    game.close()
    return steps


def copies_alone(env: str, env_args: Dict[str, Any], n_copies: int) -> float:
    batch = envs.BATCH_REGISTRY[env](n_copies, **{**env_args, "seed": 1})
    random = torch.Generator().manual_seed(1)
    steps, started = 0, None
    while started is None or time.perf_counter() - started < SECONDS:
        batch.reset()
        running = torch.ones(n_copies, dtype=torch.bool)
        while running.any():
            steps += int(running.sum())
            avail = torch.tensor(batch.get_avail_actions())
            chances = torch.rand(avail.shape, generator=random) * avail
            _, over, _ = batch.step(chances.argmax(dim=2).numpy())
            running = torch.tensor(~over)
        if started is None:  # the first episode was for compiling
            steps, started = 0, time.perf_counter()
    return steps / (time.perf_counter() - started)


def training(
    method: str, env: str, env_args: Dict[str, Any], settings: Dict[str, Any]
) -> float:
    """Steps per second of rollouts and updates."""
    arguments: Dict[str, Any] = {"seed": 1, "use_cuda": False, "buffer_size": 64}
    if env_args:
        arguments["env_args"] = env_args
    with wqmix.get_runner(method, env, **arguments, **settings) as runner:
        runner.play(EPISODES_FIRST)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            steps += runner.play(settings.get("batch_size_run", 1))
        return steps / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
