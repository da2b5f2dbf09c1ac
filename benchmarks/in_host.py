"""Inside a host: our `train` step against its own `qmix` learner's.

    python -m benchmarks.in_host CHECKOUT [--shape NAME …] [--set use_rnn=True …]

CHECKOUT is a folder with PyMARL2 or EPyMARL (or another host). Both learners are built
of the host's own controller, mixer and configuration (its default.yaml and qmix.yaml),
and timed in turns on the same batches of its own EpisodeBatch, of full length or, with
`--padded`, of all lengths. CW-QMIX trains twice the networks. Printed: median
milliseconds, and ours over the host's with the 10th and 90th percentile over the pairs
of turns.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import torch
import yaml

import wqmix.config
from wqmix.learners import WQMixLearner
from wqmix.plugin.detect import detect

from .published import Log, Shape, imported, new_batches
from .train_step import QUIET, SHAPES, in_turns, spread

SIZES = ("n_agents", "n_actions", "obs_shape", "state_shape")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    default = ["matrix_game", "3s5z", "3s5z_121"]
    parser.add_argument("--shape", nargs="+", default=default, choices=SHAPES)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument(
        "--padded", action="store_true", help="episodes of all lengths in a batch"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    changes = {key: yaml.safe_load(value) for key, _, value in _pairs(options.set)}
    for name in options.shape:
        shape = replace(SHAPES[name], padded=options.padded)
        theirs, ours, batches = build(options.checkout, shape, changes)
        times = in_turns(theirs, ours, batches, options.rounds, "cpu")
        medians = [statistics.median(column) * 1e3 for column in zip(*times)]
        ratio, low, high = spread([mine / their for their, mine in times])
        print(
            f"{name:14} its qmix {medians[0]:7.1f} ms   our cw_qmix {medians[1]:7.1f} "
            f"ms   {ratio:5.2f} times ({low:.2f} – {high:.2f})",
            flush=True,
        )


def _pairs(texts: List[str]) -> List[Tuple[str, str, str]]:
    return [text.partition("=") for text in texts]


def build(
    checkout: Path, shape: Shape, changes: Dict[str, Any]
) -> Tuple[Any, WQMixLearner, List[Any]]:
    """Return (the host's QMIX learner, ours, batches); equal weights."""
    adapter = detect(checkout / "src", None)
    args = host_arguments(checkout, shape, changes)
    groups = {"agents": shape.n_agents}
    torch.manual_seed(0)
    with imported(checkout) as load:
        batches = new_batches(load, shape, 3)
        scheme = batches[0].scheme
        mac_of = load("controllers").REGISTRY[args.mac]
        macs = [mac_of(scheme, groups, args) for _ in range(2)]
        learner_of = load("learners").REGISTRY[args.learner]
        theirs = learner_of(macs[0], scheme, Log(), args)
        macs[1].load_state(macs[0])
        ours_args = {**_yaml(_our_algs() / "cw_qmix.yaml"), **vars(args)}
        ours_args["wqmix_host"] = adapter.host_settings(vars(args))
        ours = WQMixLearner(macs[1], scheme, Log(), SimpleNamespace(**ours_args))
    ours.mixer.load_state_dict(theirs.mixer.state_dict())
    return theirs, ours, batches


def host_arguments(
    checkout: Path, shape: Shape, changes: Dict[str, Any]
) -> SimpleNamespace:
    """The host's own defaults and qmix.yaml, for a task of these sizes."""
    config = checkout / "src" / "config"
    values = {**_yaml(config / "default.yaml"), **_yaml(config / "algs" / "qmix.yaml")}
    values.update({key: getattr(shape, key) for key in SIZES})
    values.update(use_cuda=False, device="cpu", learner_log_interval=QUIET)
    values.update(env="benchmark", env_args={})
    return SimpleNamespace(**{**values, **changes})


def _our_algs() -> Path:
    return Path(wqmix.config.__file__).parent / "algs"


def _yaml(file: Path) -> Dict[str, Any]:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
