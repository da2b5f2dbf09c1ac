"""One `train` step: ours against the published learner, same weights, same batches.

    python -m benchmarks.train_step CHECKOUT [--shape NAME …] [--device cuda]

CHECKOUT is a folder with oxwhirl/wqmix. Before anything is timed, three steps of both
must agree in loss and gradient norm. Then both are timed in turns. Printed: median
milliseconds, their ratio with the 10th and 90th percentile over the pairs of turns,
achieved GFLOP/s of the update's matrix products over the measured ceiling, and the peak
memory of a step beyond what was there before it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch

from .published import Shape, build_pair

SHAPES = {
    "matrix_game": Shape(2, 3, 1, 1, 2),
    "predator_prey": Shape(8, 6, 75, 300, 201),
    "3s5z": Shape(8, 14, 128, 216, 61),
    "3s5z_121": Shape(8, 14, 128, 216, 121),
    "27m_vs_30m": Shape(27, 36, 285, 1170, 61),
    "corridor": Shape(6, 30, 156, 282, 121),
}
QUIET = 10**9  # no log step after the first: timing is of plain updates


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--shape", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument(
        "--padded", action="store_true", help="episodes of all lengths in a batch"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    ceiling = matrix_product_ceiling(options.device)
    print(f"{_machine(options.device)}; matrix products: {ceiling / 1e9:.0f} GFLOP/s")
    print(
        f"{'shape':14} {'published':>10} {'ours':>9} {'ratio':>6} {'10–90 %':>13} "
        f"{'floor':>9} {'GFLOP/s':>8} {'memory':>17}"
    )
    for name in options.shape:
        print(_line(name, options, ceiling), flush=True)


def _line(name: str, options: Any, ceiling: float) -> str:
    shape = replace(SHAPES[name], padded=options.padded)
    pair = build(options.checkout, shape, options.device)
    try:
        check_agreement(*pair)
    except Disagreement as error:
        raise SystemExit(str(error)) from None
    times = in_turns(*pair, options.rounds, options.device)
    theirs, ours = (statistics.median(column) * 1e3 for column in zip(*times))
    ratio, low, high = spread([t / o for t, o in times])
    used = statistics.mean(float(b["filled"].float().mean()) for b in pair[2])
    work = update_flops(shape) * used
    del pair
    memory = [
        peak_memory(options.checkout, shape, options.device, which) for which in (0, 1)
    ]
    return (
        f"{name:14} {theirs:7.1f} ms {ours:6.1f} ms {ratio:6.2f} "
        f"{low:5.2f} – {high:5.2f} {work / ceiling * 1e3:6.1f} ms "
        f"{work / ours / 1e6:8.0f} {memory[0]:5.0f} → {memory[1]:4.0f} MiB"
    )


def build(checkout: Path, shape: Shape, device: str) -> Tuple[Any, Any, List[Any]]:
    """Return (published, ours, batches) on a device."""
    pair = build_pair(checkout, shape, 3, use_cuda=device == "cuda")
    if device == "cuda":
        for learner in pair[:2]:
            learner.cuda()
        for batch in pair[2]:
            batch.to("cuda")
    return pair


class Disagreement(Exception):
    """Ours and the published learner did not compute the same."""


def check_agreement(published: Any, ours: Any, batches: List[Any]) -> None:
    """A step on each batch must agree to 1e-4, relatively, or nothing is timed."""
    for step, batch in enumerate(batches):
        for learner in (published, ours):
            learner.train(batch, step, step)
        for key in ("loss", "grad_norm"):
            theirs = float(published.logger.stats[key][-1][1])
            mine = ours.logger.stats[key][-1][1]
            if abs(theirs - mine) > 1e-4 * max(1.0, abs(theirs)):
                raise Disagreement(f"{key} at step {step}: {mine} is not {theirs}")
    for learner in (published, ours):
        learner.args.learner_log_interval = QUIET


def in_turns(
    published: Any, ours: Any, batches: List[Any], rounds: int, device: str
) -> List[Tuple[float, float]]:
    """Time both in turns, each round with another batch; the first is dropped."""
    times = []
    for i in range(rounds + 1):
        batch = batches[i % len(batches)]
        times.append(tuple(_timed(x, batch, i, device) for x in (published, ours)))
    return times[1:]


def spread(ratios: List[float]) -> Tuple[float, float, float]:
    """Return the median, and the 10th and 90th percentile."""
    ordered = sorted(ratios)
    tenth = len(ordered) // 10
    return statistics.median(ordered), ordered[tenth], ordered[-1 - tenth]


def _timed(learner: Any, batch: Any, step: int, device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    learner.train(batch, 10 + step, 10 + step)
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def matrix_product_ceiling(device: str) -> float:
    """FLOP/s of the best of several large products, in the float32 of the update."""
    best = 0.0
    for rows, inner, columns in ((51200, 64, 192), (2048, 2048, 2048)):
        a = torch.randn(rows, inner, device=device)
        b = torch.randn(inner, columns, device=device)
        for _ in range(10):
            started = time.perf_counter()
            a @ b
            if device == "cuda":
                torch.cuda.synchronize()
            seconds = time.perf_counter() - started
            best = max(best, 2.0 * rows * inner * columns / seconds)
    return best


def update_flops(shape: Shape, hidden: int = 64, mixing: int = 256) -> float:
    """Floating-point operations of the matrix products that an update cannot avoid.

    Two online recurrent networks forward and backward, one target forward; the
    monotonic mixer and the central mixer forward and backward, one target forward.
    """
    rows = shape.episodes * shape.slots * shape.n_agents
    inputs = shape.obs_shape + shape.n_actions + shape.n_agents
    first, gates = rows * inputs * hidden, rows * hidden * 3 * hidden
    last = rows * hidden * shape.n_actions
    forward = first + 2 * gates + last
    backward = forward + 2 * gates + last  # weights, then inputs but those of `first`
    states = shape.episodes * shape.slots
    central = states * mixing * (shape.state_shape + shape.n_agents + 2 * mixing)
    central += states * mixing * (shape.state_shape + 2)
    mixer = states * 64 * (2 * shape.state_shape + 32 * shape.n_agents + 32)
    mixer += states * 2 * 32 * shape.state_shape
    networks = 3 * forward + 2 * backward + 3 * (central + mixer) + central
    return 2.0 * networks


def peak_memory(checkout: Path, shape: Shape, device: str, which: int) -> float:
    """Peak memory [MiB] of train steps beyond what was there before, in a process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak_memory, (checkout, shape, device, which))


def _peak_memory(checkout: Path, shape: Shape, device: str, which: int) -> float:
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    pair = build(checkout, shape, device)
    learner, batch = pair[which], pair[2][0]
    if device == "cuda":
        before = torch.cuda.memory_allocated()
    else:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # a new peak
        before = _peak_resident()
    for step in range(3):
        learner.train(batch, step, step)
    if device == "cuda":
        after = torch.cuda.max_memory_allocated()
    else:
        after = _peak_resident()
    return (after - before) / 2**20


def _peak_resident() -> int:
    """Peak resident memory of this process since it was last cleared, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _machine(device: str) -> str:
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}"
    model: Dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        model.setdefault(key.strip(), value.strip())
    threads = torch.get_num_threads()
    return f"{model.get('model name', 'CPU')}, {threads} threads, {torch.__version__}"


if __name__ == "__main__":
    main()
