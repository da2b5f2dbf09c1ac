"""What `wqmix replay` and `wqmix evaluate` share: their arguments, their errors."""

from __future__ import annotations

import argparse
import logging
from typing import Callable, List

from ...config.ending import tell
from ...storage.errors import UserError


def parse(parser: argparse.ArgumentParser, argv: List[str]) -> argparse.Namespace:
    """Add the arguments of both commands, and parse; `words` are those after `with`."""
    parser.add_argument(
        "checkpoint", help="results/models/<run>/<step>, or <run>: its last step"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the episodes")
    parser.add_argument(
        "--env-config",
        metavar="NAME",
        help="an environment's name, YAML or file.py, in place of the one trained on",
    )
    cut = argv.index("with") if "with" in argv else len(argv)
    arguments = parser.parse_args(argv[:cut])
    arguments.words = argv[cut + 1 :]
    return arguments


def guarded(command: Callable[[], None]) -> int:
    """Run a command; a mistake or failure is one line and an exit code."""
    logging.getLogger("pymarl").setLevel(logging.WARNING)
    try:
        command()
    except UserError as error:
        return tell(error)
    except KeyboardInterrupt:
        return 130
    return 0
