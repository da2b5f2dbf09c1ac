"""Training on predator–prey: the published code against ours.

    python -m benchmarks.end_to_end CHECKOUT

CHECKOUT is a folder with oxwhirl/wqmix. The published side is its own environment,
episode runner, buffer and learner; ours the embedded host with `runner: vector` and as
many updates for each episode. Printed as by `benchmarks.rollout`.
"""

from __future__ import annotations

from .published import OurRun, PublishedRun
from .rollout import Side, in_turns, line, parse


def main() -> None:
    """Run the command line."""
    options = parse(__doc__)
    published = Side(options.threads, PublishedRun, options.checkout)
    ours = Side(options.threads, OurRun, 32)
    for run in (published, ours):  # fill the buffers, without updates
        run.play(32, True)
    rates = in_turns(published, ours, 8, 32, True, options.turns)
    print(line("training, 32 copies", rates))


if __name__ == "__main__":
    main()
