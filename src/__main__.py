"""The front door: `python -m wqmix …`, or `wqmix …`."""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from typing import List, Optional

HELP = """\
Weighted QMIX (CW-QMIX, OW-QMIX) in any PyMARL-family checkout, or with none.

In your checkout, prefix the command that you know:
  python -m wqmix src/main.py --config=cw_qmix --env-config=sc2 \\
      with env_args.map_name=3s5z alpha=0.5
  python -m wqmix -m pymarlzooplus.main --config=ow_qmix --env-config=gymma \\
      with env_args.key=lbforaging:Foraging-8x8-2p-3f-v3

With no checkout, on the host that comes with this package:
  python -m wqmix --config=cw_qmix --env-config=matrix_game
  python -m wqmix --config=ow_qmix --env-config=predator_prey with t_max=200000

Named settings, laid alike over every algorithm (docs/recipes.md):
  python -m wqmix --config=qmix --env-config=smax --recipe smax with t_max=600000

Other commands:
{commands}

Before the script: --host NAME (use this adapter without looking), --no-shims (no help
for old hosts on new libraries), --version, --help. After it, all belongs to the host.
--config also takes the path of a YAML of yours (with `inherit: cw_qmix`, say), and
host:NAME for a file of the host's that has the name of one of ours.
"""

COMMANDS = {
    "list": ("wqmix.plugin.listing", "algorithms, weightings, mixers, hosts …"),
    "demo": (
        "wqmix.analysis.demos.demo",
        "QMIX fails, Weighted QMIX succeeds: watch it",
    ),
    "sweep": ("wqmix.analysis.sweep.cli", "many runs: algorithms, games, seeds: FILE"),
    "tune": ("wqmix.analysis.tune.cli", "search settings, for each algorithm: FILE"),
    "compare": ("wqmix.analysis.compare.cli", "report over finished runs: RESULTS…"),
    "plot": ("wqmix.analysis.plot", "one metric in the terminal: RESULTS…"),
    "doctor": ("wqmix.plugin.doctor", "does it work in this checkout? [src/main.py]"),
    "check-env": ("wqmix.host.check_env", "what is wrong with an environment: NAME"),
    "replay": (
        "wqmix.analysis.watching.replay",
        "an episode, as GIF or text: CHECKPOINT",
    ),
    "evaluate": (
        "wqmix.analysis.watching.evaluate",
        "many episodes, as CSV: CHECKPOINT",
    ),
    "export-configs": ("wqmix.plugin.export", "resolved YAMLs for your fork: DIR"),
    "completion": ("wqmix.plugin.completion", "for a shell: bash, zsh"),
    "theory": ("wqmix.theory.cli", "the paper's operators, exact, on a payoff: PAYOFF"),
}
WORKING = ("demo", "sweep", "tune")  # they go on, whether somebody listens or not


def main(argv: Optional[List[str]] = None) -> int:
    """Run a command of ours, or hand everything to the launcher.

    Returns:
        The exit code.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        return run(argv)
    except ModuleNotFoundError as error:
        from .config.extras import unmet

        told = unmet(error)
        if told is None:
            raise
        return refused(told)
    except KeyboardInterrupt as error:
        if getattr(error, "is_of_a_host", False):  # and told as the host tells it
            raise
        return 128 + signal.SIGINT


def run(argv: List[str]) -> int:
    """As `main`, where the packages that we require are installed."""
    if not argv or argv[0] in ("-h", "--help", "--version"):
        return command(argv)
    from .config.names import nearest
    from .config.reading import in_home

    argv = [in_home(word) for word in argv]
    if argv[0] in COMMANDS:
        return command(argv)
    if re.fullmatch(r"\w[\w-]*", argv[0]) and argv[0] != "with":
        if not os.path.exists(argv[0]):
            hint = nearest(argv[0], COMMANDS) or "; `wqmix --help` lists the commands"
            return refused(f"{argv[0]}: neither a command nor a script{hint}")
    from .plugin import launcher

    return launcher.main(argv)


def command(argv: List[str]) -> int:
    """Run a command of ours, or say what there is.

    Returns:
        The exit code: 1 where a disk, a folder or standard output refuses, in one line.
    """
    from .storage import streams

    is_working = argv[:1] and argv[0] in WORKING
    guard = streams.going_on if is_working else streams.ending_when_lost
    try:
        with guard():
            if not argv or argv[0] not in COMMANDS:
                print(about(argv))
                return 0
            run = importlib.import_module(COMMANDS[argv[0]][0]).main
            code: int = run(argv[1:])
            return code
    except streams.OutputLost as lost:
        if isinstance(lost.args[0], BrokenPipeError):
            return 141  # as of a program that SIGPIPE ended
        reason = f"standard output: {lost.args[0].strerror}"
    except OSError as error:
        place = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        reason = f"{place}{error.strerror or error}"
    with streams.going_on():
        print(f"error: {reason}", file=sys.stderr)
    return 1


def about(argv: List[str]) -> str:
    """Return the help, or the version."""
    if argv[:1] != ["--version"]:
        return HELP.format(commands=command_lines())
    from . import __version__

    return f"wqmix {__version__}"


def refused(reason: str) -> int:
    """Print a line for a mistake of the user's; return the exit code."""
    print(f"wqmix: error: {reason}", file=sys.stderr)
    return 2


def command_lines() -> str:
    """Return the commands, a line each."""
    return "\n".join(
        f"  wqmix {name:15} {about}" for name, (_, about) in COMMANDS.items()
    )


if __name__ == "__main__":
    sys.exit(main())
