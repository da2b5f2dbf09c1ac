"""The front door: `python -m wqmix …`, or `wqmix …`."""

from __future__ import annotations

import importlib
import os
import re
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
    "demo": ("wqmix.analysis.demo", "QMIX fails, Weighted QMIX succeeds: watch it"),
    "sweep": ("wqmix.analysis.sweep.cli", "many runs: algorithms, games, seeds: FILE"),
    "tune": ("wqmix.analysis.tune.cli", "search settings, for each algorithm: FILE"),
    "compare": ("wqmix.analysis.compare.cli", "report over finished runs: RESULTS…"),
    "plot": ("wqmix.analysis.plot", "one metric in the terminal: RESULTS…"),
    "doctor": ("wqmix.plugin.doctor", "does it work in this checkout? [src/main.py]"),
    "check-env": ("wqmix.host.check_env", "what is wrong with an environment: NAME"),
    "replay": ("wqmix.analysis.replay", "watch an episode, as GIF or text: CHECKPOINT"),
    "evaluate": ("wqmix.analysis.evaluate", "episodes one by one, as CSV: CHECKPOINT"),
    "export-configs": ("wqmix.plugin.export", "resolved YAMLs for your fork: DIR"),
    "theory": ("wqmix.theory.cli", "the paper's operators, exact, on a payoff: PAYOFF"),
}


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


def run(argv: List[str]) -> int:
    """As `main`, where the packages that we require are installed."""
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP.format(commands=command_lines()))
        return 0
    if argv[0] == "--version":
        from . import __version__

        print(f"wqmix {__version__}")
        return 0
    from .config.names import nearest
    from .config.reading import in_home

    argv = [in_home(word) for word in argv]
    if argv[0] in COMMANDS:
        module = importlib.import_module(COMMANDS[argv[0]][0])
        return module.main(argv[1:])
    if re.fullmatch(r"\w[\w-]*", argv[0]) and argv[0] != "with":
        if not os.path.exists(argv[0]):
            hint = nearest(argv[0], COMMANDS) or "; `wqmix --help` lists the commands"
            return refused(f"{argv[0]}: neither a command nor a script{hint}")
    from .plugin import launcher

    return launcher.main(argv)


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
