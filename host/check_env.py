"""`wqmix check-env`: what is wrong with an environment, before training on it."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ..config.reading import one_line
from . import envs
from .config import load_env_config
from .envs import contract
from .envs.contract import Report
from .errors import HostError

_EPILOG = """\
examples:
  wqmix check-env my_game.py
  wqmix check-env my_game.py:MyGame
  wqmix check-env my_package.my_game:MyGame with env_args.options.size=7
  wqmix check-env gymma with env_args.key=rware:rware-tiny-2ag-v2
  wqmix check-env my_env.yaml

exit code: 0 nothing wrong (there may be warnings), 1 something is, 2 no environment"""


def main(argv: Optional[List[str]] = None) -> int:
    """Check one environment and print what was found; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="wqmix check-env",
        description="Play a few episodes at random; say which method of the "
        "environment returned what, and what is expected.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "env",
        help="what --env-config takes: a name, a YAML, package.module:Class, "
        "path/to/file.py:Class, or a file that has one environment",
    )
    parser.add_argument("--episodes", type=int, default=3, help="to play (default 3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("settings", nargs="*", help="with env_args.key=value ...")
    arguments = parser.parse_args(argv)
    if arguments.episodes < 1:
        parser.error("--episodes: at least 1")
    try:
        name, env_args = _settings(arguments.env, arguments.settings)
        env_args["seed"] = arguments.seed
        make = partial(envs.REGISTRY[name], **env_args)
        report = contract.check(make, arguments.episodes)
    except HostError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return error.exit_code
    _print(name, report)
    return 1 if report.errors else 0


def _settings(env: str, words: List[str]) -> Tuple[str, Dict[str, Any]]:
    """The registered name and the env_args that the command line means."""
    updates = words[1:] if words[:1] == ["with"] else words
    config = load_env_config(env, updates)
    return config["env"], dict(config["env_args"])


def _print(name: str, report: Report) -> None:
    if report.info:
        sizes = ", ".join(f"{key} {value}" for key, value in report.info.items())
        print(f"{name}: {sizes}")
    if report.lengths:
        print(
            f"{len(report.lengths)} episodes at random: length "
            f"{np.mean(report.lengths):.1f}, return {np.mean(report.returns):.2f}"
        )
    for finding in report.findings:
        word = "wrong" if finding.is_error else "note"
        print(f"{word:6}{finding.method}")
        print(f"        returned  {finding.returned}")
        print(f"        expected  {finding.expected}")
    if report.steps_per_second is not None:
        print(f"{report.steps_per_second:,.0f} steps/s, alone and at random")
    n_wrong, n_notes = len(report.errors), len(report.findings) - len(report.errors)
    print(f"{n_wrong} wrong, {n_notes} to note" if report.findings else "nothing wrong")


if __name__ == "__main__":
    sys.exit(main())
