"""Training on predator–prey: the published code against ours.

    python -m benchmarks.end_to_end CHECKOUT [--checkpoint FOLDER]

CHECKOUT is a folder with oxwhirl/wqmix. The published side is its own environment,
episode runner, buffer and learner; ours the embedded host with `runner: vector` and as
many updates for each episode. Printed as by `benchmarks.rollout`.

At the beginning all episodes are as long as can be. With a FOLDER that a CW-QMIX run of
ours on predator-prey has saved (results/models/…/300204, say), both go on from there,
where many end early: from 32 episodes of the beginning and 32 of that policy on.
"""

from __future__ import annotations

from pathlib import Path

from .published import OurRun, PublishedRun
from .rollout import Side, header, in_turns, line, parser

FILLING = 32  # episodes, as many as a batch: no more than one update before the last


def main() -> None:
    """Run the command line."""
    known = parser(__doc__)
    known.add_argument("--checkpoint", type=Path, metavar="FOLDER")
    options = known.parse_args()
    print(header(options))
    published = Side(options.threads, PublishedRun, options.checkout)
    ours = Side(options.threads, OurRun, 32)
    for run in (published, ours):
        run.play(FILLING, True)
        if options.checkpoint is not None:
            run.load(options.checkpoint)
            run.play(FILLING, True)
    rates = in_turns(published, ours, 8, 32, True, options.turns)
    print(line("training, 32 copies", rates))


if __name__ == "__main__":
    main()
