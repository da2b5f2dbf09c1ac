"""The sections of `benchmarks.gpu`: each takes a `Run` and reports rows."""

from __future__ import annotations

import importlib
import os
import statistics
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Tuple

import torch
import yaml

import wqmix
import wqmix.config
from wqmix.plugin.configs import ConfigFiles
from wqmix.plugin.hosts.embedded import EMBEDDED_ROOT, Embedded
from wqmix.plugin.registration import learner_keys

from . import train_step
from .published import Shape, new_batches

QUIET = train_step.QUIET
SMALL_GAME = {"world_shape": [4, 4], "n_agents": 2, "n_prey": 1, "episode_limit": 10}
BITS = {torch.float64: 1e-9, torch.float32: 2e-3}  # tolerated, of the largest number
# Joint actions are drawn by each device's own generator: without them.
WITHOUT_DRAWS = {"proj_advantage_qmix": {"advantage_value": "network"}}
SHAPES = {
    "8 x 61 x 32": Shape(8, 14, 128, 216, 61),
    "8 x 61 x 32, padded": Shape(8, 14, 128, 216, 61, padded=True),
    "8 x 61 x 128": Shape(8, 14, 128, 216, 61, 128),
    "8 x 61 x 128, padded": Shape(8, 14, 128, 216, 61, 128, padded=True),
    "8 x 201 x 32": Shape(8, 6, 75, 300, 201),
    "64 x 61 x 32": Shape(64, 14, 128, 216, 61),
    "8 x 61 x 512": Shape(8, 14, 128, 216, 61, 512),
    "2 x 2 x 32": Shape(2, 3, 1, 1, 2),
}
TINY = {"2 x 5 x 4": Shape(2, 3, 4, 5, 5, 4)}
TUNED = dict(
    runner="vector",
    batch_size=128,
    optimizer="adam",
    lr=0.001,
    epsilon_anneal_time=100000,
    buffer_size=1000,
)


class Skipped(Exception):
    """A section that cannot be run here; says why."""


class Run:
    """What a section needs.

    Args:
        options: the command line's.
        end: of `time.monotonic()`.
        row: takes a dict of what was found.
    """

    def __init__(self, options: Any, end: float, row: Callable) -> None:
        self.device, self.is_small = options.device, options.small
        self.published, self.row, self._end = options.published, row, end
        warnings.simplefilter("ignore")
        torch.set_num_threads(1 if options.small else min(8, os.cpu_count() or 1))

    @property
    def on_gpu(self) -> bool:
        """Whether there is one."""
        return self.device == "cuda"

    def left(self) -> float:
        """Seconds that are left."""
        return self._end - time.monotonic()

    def check(self, what: str, passed: bool, **more: Any) -> None:
        """Report a check."""
        self.row({"check": what, "passed": bool(passed), **more})

    def wait(self) -> None:
        """Until the device has done its work."""
        if self.on_gpu:
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], rounds: int) -> float:
        """The median time of some work, the first two left out."""
        times = []
        for number in range(rounds + 2):
            self.wait()
            started = time.perf_counter()
            work()
            self.wait()
            times.append(time.perf_counter() - started)
            if number > 2 and self.left() < 1:
                break
        return statistics.median(times[2:])


# Learners that are compared


def algorithms(run: Run) -> List[str]:
    """All that are ours and run in the embedded host; few of them in the small form."""
    files = ConfigFiles(Embedded(), EMBEDDED_ROOT, learner_keys(EMBEDDED_ROOT))
    ours = [name for name in files.ours() if name not in ("iql", "vdn", "qmix")]
    return ["cw_qmix", "pow_qmix", "proj_qmix"] if run.is_small else ours


def session(algorithm: str, cuda: bool, **settings: Any) -> Any:
    """A small game in the embedded host; equal seeds, equal networks."""
    common = dict(
        use_cuda=cuda, runner="vector", batch_size_run=8, batch_size=8, buffer_size=32
    )
    common.update(env_args=SMALL_GAME, rnn_hidden_dim=16, learner_log_interval=QUIET)
    common.update(settings)
    return wqmix.get_runner(algorithm, "predator_prey", seed=1, **common)


def batches_of(owner: Any, count: int) -> List[Any]:
    """Batches out of its replay buffer, of different lengths, on the CPU."""
    for _ in range(3):
        owner.buffer.insert_episode_batch(owner.rollout(test_mode=False))
    torch.manual_seed(0)
    batches = [owner.buffer.sample(8) for _ in range(count)]
    return [batch[:, : batch.max_t_filled()] for batch in batches]


def on(device: str, batch: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A copy of a batch on a device."""
    copy = batch[:]
    fields = copy.data.transition_data
    for key, value in fields.items():
        value = value.clone().to(device)
        fields[key] = value.to(dtype) if value.dtype == torch.float32 else value
    copy.device = device
    return copy


def numbers(learner: Any) -> Dict[str, torch.Tensor]:
    """Everything of a learner that an update changes, on the CPU, by name."""
    found: Dict[str, torch.Tensor] = {}
    states = {stem: net.state_dict() for stem, net in learner._modules().items()}
    states["agent"] = learner.mac.agent.state_dict()
    states["moments"] = learner.reward_moments.state_dict()
    _flatten(states, "", found)
    return found


def _flatten(value: Any, name: str, found: Dict[str, torch.Tensor]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}/{key}", found)
    elif isinstance(value, torch.Tensor):
        found[name] = value.detach().cpu().clone()


def difference(
    one: Dict[str, torch.Tensor], other: Dict[str, torch.Tensor]
) -> Tuple[float, str]:
    """The largest difference of a tensor's numbers, of its largest one; which it is."""
    worst = (0.0, "")
    for key in sorted(set(one) | set(other)):
        x, y = one.get(key), other.get(key)
        if x is None or y is None:
            return float("inf"), f"{key} is missing"
        if not y.numel():
            continue
        scale = max(1e-6, y.double().abs().max().item())
        gap = (x.double() - y.double()).abs().max().item() / scale
        worst = max(worst, (gap if gap == gap else float("inf"), key))
    return worst


def as_type(learner: Any, dtype: torch.dtype) -> None:
    """Turn all networks of a learner into a type."""
    nets = [learner.mac.agent, *learner.networks.nets.values()]
    nets += [getattr(x, "agent", x) for x in learner.target_networks.nets().values()]
    for net in nets:
        net.to(dtype)


# Checks


def equals_the_cpu_64(run: Run) -> None:
    """Updates there and on the CPU in float64, where rounding explains nothing."""
    _equals_the_cpu(run, torch.float64)


def equals_the_cpu_32(run: Run) -> None:
    """Updates there and on the CPU, as in use."""
    _equals_the_cpu(run, torch.float32)


def _equals_the_cpu(run: Run, dtype: torch.dtype) -> None:
    """20 updates from equal networks, on equal batches."""
    updates, batches = 3 if run.is_small else 20, None
    for name in algorithms(run):
        if run.left() < 3:
            raise Skipped("no time was left for the others")
        changes = WITHOUT_DRAWS.get(name, {})
        pair = [session(name, cuda, **changes) for cuda in (False, run.on_gpu)]
        batches = batches or batches_of(pair[0], updates)
        here, there = (each.learner for each in pair)
        _train_as(here, "cpu", dtype, batches)
        _train_as(there, run.device, dtype, batches)
        gap, key = difference(numbers(here), numbers(there))
        facts = {"type": str(dtype)[6:], "difference": gap, "of": key}
        tolerated = BITS[dtype]
        if gap > tolerated and dtype == torch.float32:
            # A weight or û that flips: is the CPU as far from its own float64?
            exact = session(name, False, **changes).learner
            _train_as(exact, "cpu", torch.float64, batches)
            rounding, _ = difference(numbers(here), numbers(exact))
            facts["of_float64"] = rounding
            tolerated = 10 * rounding
        is_fast = there.unroll._is_fast
        title = f"{name} = CPU's after {updates} updates"
        is_equal = gap <= tolerated and is_fast
        run.check(title, is_equal, **facts, whole_sequences=is_fast)


def _train_as(
    learner: Any, device: str, dtype: torch.dtype, batches: List[Any]
) -> None:
    as_type(learner, dtype)
    for step, batch in enumerate(batches):
        learner.train(on(device, batch, dtype), 200 * step, step)


def equals_the_step_path(run: Run) -> None:
    """Whole sequences at once against the host's own step path, on the device."""
    for dtype, tolerance in BITS.items():
        pair = [
            session("cw_qmix", run.on_gpu, unroll=unroll) for unroll in ("auto", "step")
        ]
        batches = batches_of(pair[0], 3 if run.is_small else 20)
        for each in pair:
            as_type(each.learner, dtype)
            for step, batch in enumerate(batches):
                each.learner.train(on(run.device, batch, dtype), 200 * step, step)
        gap, key = difference(*(numbers(each.learner) for each in pair))
        is_fast = pair[0].learner.unroll._is_fast
        run.check(
            "whole sequences = step by step",
            gap <= tolerance and is_fast,
            type=str(dtype)[6:],
            difference=gap,
            of=key,
            whole_sequences=is_fast,
        )


def nothing_is_waited_for(run: Run) -> None:
    """An update off log steps never waits for the device."""
    if not run.on_gpu:
        raise Skipped("there is no GPU")
    for name in algorithms(run):
        owner = session(name, True)
        batches = [on("cuda", batch) for batch in batches_of(owner, 3)]
        for step in range(2):
            owner.learner.train(batches[step], step, step)
        torch.cuda.synchronize()
        waited = ""
        torch.cuda.set_sync_debug_mode("error")
        try:
            owner.learner.train(batches[2], 2, 2)
        except RuntimeError as error:
            waited = " ".join(traceback.format_exc(limit=-3).split())
            waited = f"{error}: {waited}"
        finally:
            torch.cuda.set_sync_debug_mode("default")
        run.check(f"{name}: nothing is waited for", not waited, waited=waited)


def not_finite(run: Run) -> None:
    """A NaN reward changes nothing, and is named at the next log step."""
    for name in ("cw_qmix", "pow_qmix"):
        for optimizer in ("rmsprop", "adam"):
            _not_finite(run, name, optimizer)


def _not_finite(run: Run, name: str, optimizer: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = dict(learner_log_interval=100, local_results_path=folder)
        owner = session(name, run.on_gpu, optimizer=optimizer, **settings)
        good = [on(run.device, batch) for batch in batches_of(owner, 3)]
        bad = on(run.device, good[2])
        bad["reward"][0, 0] = float("nan")
        learner = owner.learner
        learner.train(good[0], 0, 0)
        learner.train(good[1], 50, 1)
        before, message = numbers(learner), ""
        try:
            learner.train(bad, 60, 2)  # on the CPU it is raised here
            learner.train(good[0], 70, 3)
            learner.train(good[1], 110, 4)
        except SystemExit as ended:  # what a registered learner makes of its errors
            message = str(ended.__context__)
        changed, key = difference(before, numbers(learner))
        run.check(
            f"NaN reward, {name}, {optimizer}: nothing changes",
            changed == 0 and "t_env=60" in message,
            difference=changed,
            of=key,
            message=message.replace(folder, "…"),
        )


def resumed(run: Run) -> None:
    """Save, load into another process' learner, go on: the same to the last bit."""
    for name, optimizer in (("cw_qmix", "adam"), ("ow_qmix", "rmsprop")):
        with tempfile.TemporaryDirectory() as folder:
            straight, first = (
                session(name, run.on_gpu, optimizer=optimizer) for _ in range(2)
            )
            batches = [on(run.device, b) for b in batches_of(straight, 8)]
            _train(straight, batches)
            _train(first, batches[:4])
            first.learner.save_models(f"{folder}/4")
            second = session(name, run.on_gpu, optimizer=optimizer)
            second.learner.load_models(f"{folder}/4")
            _train(second, batches[4:], 4)
            gap, key = difference(*(numbers(x.learner) for x in (straight, second)))
            twice = session(name, run.on_gpu, optimizer=optimizer)
            _train(twice, batches)
            same, _ = difference(*(numbers(x.learner) for x in (straight, twice)))
            run.check(
                f"{name}, {optimizer}: saved, loaded, continued",
                gap == 0,
                difference=gap,
                of=key,
                same_seed_twice=same,
            )


def _train(owner: Any, batches: List[Any], first: int = 0) -> None:
    for step, batch in enumerate(batches, first):
        owner.learner.train(batch, 200 * step, step)


# Times


def shapes(run: Run) -> Dict[str, Shape]:
    """The batches whose updates are timed."""
    return TINY if run.is_small else SHAPES


def ours(run: Run, shape: Shape, device: str, **changes: Any) -> Tuple[Any, List[Any]]:
    """A CW-QMIX learner of the embedded host's parts, and its batches."""
    from . import published

    args = published.arguments(shape, use_cuda=device == "cuda", seed=0)
    args = SimpleNamespace(**{**_defaults(), **vars(args)})  # what it has besides
    load = _embedded
    torch.manual_seed(0)
    batches = new_batches(load, shape, 2)
    groups, scheme = {"agents": shape.n_agents}, batches[0].scheme
    mac = load("controllers").REGISTRY["basic_mac"](scheme, groups, args)
    mixer_of = load("modules.mixers.qmix").QMixer
    given = published.ours_arguments(args, mixer_of, published.OXWHIRL)
    vars(given).update(learner_log_interval=QUIET, **changes)
    learner = published.WQMixLearner(mac, scheme, published.Log(), given)
    if device == "cuda":
        learner.cuda()
        for batch in batches:
            batch.to("cuda")
    return learner, batches


def _defaults() -> Dict[str, Any]:
    path = Path(wqmix.config.__file__).parent / "default.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _embedded(name: str) -> Any:
    return importlib.import_module(f"wqmix.host.{name}")


def update(run: Run) -> None:
    """An update, ours and the published one in turns; and ours on the CPU."""
    for name, shape in shapes(run).items():
        if run.left() < 8:
            raise Skipped("no time was left for the others")
        row: Dict[str, Any] = {"agents x slots x episodes": name}
        try:
            row.update(_update(run, shape))
        except Exception as error:  # the next shape may do
            row["error"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            if run.on_gpu:
                torch.cuda.empty_cache()
        run.row(row)


def _update(run: Run, shape: Shape) -> Dict[str, Any]:
    rounds = 2 if run.is_small else 9
    found: Dict[str, Any] = {}
    if run.published is None:
        learner, batches = ours(run, shape, run.device)
        learner.train(batches[0], 0, 0)
        found["ours ms"] = 1e3 * run.seconds(
            lambda: learner.train(batches[1], 1, 1), rounds
        )
    else:
        published, learner, batches = train_step.build(run.published, shape, run.device)
        try:
            train_step.check_agreement(published, learner, batches[:2])
        except train_step.Disagreement as error:
            found["disagreement"] = str(error)
        for each in (published, learner):
            each.args.learner_log_interval = QUIET
        times = train_step.in_turns(published, learner, batches, rounds, run.device)
        theirs, mine = zip(*times)
        found["published ms"] = 1e3 * statistics.median(theirs)
        found["ours ms"] = 1e3 * statistics.median(mine)
        found["ratio"], found["10 %"], found["90 %"] = train_step.spread(
            [t / o for t, o in times]
        )
        if run.on_gpu:
            found["published MiB"] = _peak(published, batches[0])
    if run.on_gpu:
        found["ours MiB"] = _peak(learner, batches[0])
        if run.left() > 15:
            on_cpu, batches = ours(run, shape, "cpu")
            seconds = run.seconds(lambda: on_cpu.train(batches[0], 1, 1), 2)
            found[f"ours on {torch.get_num_threads()} CPU threads, ms"] = 1e3 * seconds
    return found


def _peak(learner: Any, batch: Any) -> float:
    """Peak memory of an update beyond what was there before [MiB]."""
    learner.train(batch, 10**6, 10**6)
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    learner.train(batch, 10**6, 10**6)
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def where_the_time_goes(run: Run) -> None:
    """The kernels of an update: how many, and the most expensive ones."""
    from torch.profiler import ProfilerActivity, profile

    shape = next(iter(shapes(run).values()))
    learner, batches = ours(run, shape, run.device)
    for step in range(3):
        learner.train(batches[0], step, step)
    run.wait()
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * run.on_gpu
    with profile(activities=kinds) as found:
        learner.train(batches[1], 4, 4)
        run.wait()
    key = "self_device_time_total" if run.on_gpu else "self_cpu_time_total"
    events = [e for e in found.key_averages() if getattr(e, key, 0) > 0]
    total, count = sum(getattr(e, key) for e in events), sum(e.count for e in events)
    run.row({"kernel": "all", "calls": count, "µs": float(total)})
    for event in sorted(events, key=lambda e: -getattr(e, key))[:12]:
        took = float(getattr(event, key))
        run.row({"kernel": event.key[:70], "calls": event.count, "µs": took})


def precisions(run: Run) -> None:
    """An update under autocast to bfloat16 against float32, in turns."""
    for name, shape in shapes(run).items():
        if run.left() < 5:
            raise Skipped("no time was left for the others")
        pair = [ours(run, shape, run.device) for _ in range(2)]
        pair[1] = InBfloat16(pair[1][0], run.device), pair[1][1]
        batches = pair[0][1]
        for learner, _ in pair:
            learner.args.learner_log_interval = 0
            learner.train(batches[0], 0, 0)
            learner.args.learner_log_interval = QUIET
        logged = [learner.logger.stats for learner, _ in pair]
        losses = [stats["loss"][0][1] for stats in logged]
        norms = [stats["grad_norm"][0][1] for stats in logged]
        rounds = 2 if run.is_small else 9
        times = train_step.in_turns(pair[0][0], pair[1][0], batches, rounds, run.device)
        plain, fast = (statistics.median(column) * 1e3 for column in zip(*times))
        run.row(
            {
                "agents x slots x episodes": name,
                "float32 ms": plain,
                "bf16 ms": fast,
                "ratio": train_step.spread([p / f for p, f in times])[0],
                "loss, relative": abs(losses[1] / losses[0] - 1),
                "grad norm, relative": abs(norms[1] / norms[0] - 1),
            }
        )


class InBfloat16:
    """A learner whose updates' products are in bfloat16, by torch's autocast."""

    def __init__(self, learner: Any, device: str) -> None:
        self._learner, self._device = learner, device
        self.args, self.logger = learner.args, learner.logger

    def train(self, *batch_and_steps: Any) -> None:
        """One update."""
        with torch.autocast(self._device, torch.bfloat16):
            self._learner.train(*batch_and_steps)


def captured(run: Run) -> None:
    """An update as a captured CUDA graph: equal to the eager one, and its time."""
    if not run.on_gpu:
        raise Skipped("CUDA graphs need a GPU")
    for name, shape in shapes(run).items():
        if run.left() < 5:
            raise Skipped("no time was left for the others")
        if shape.padded:
            continue
        run.row({"agents x slots x episodes": name, **_captured(run, shape)})


def _captured(run: Run, shape: Shape) -> Dict[str, Any]:
    (eager, batches), (learner, own) = (ours(run, shape, "cuda") for _ in range(2))
    fixed = own[0]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # the first is a log step, the others are not
        for step in range(4):
            learner.train(fixed, step, 0)
            eager.train(batches[0], step, 0)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        learner.train(fixed, 5, 0)
    replays = 10
    for step in range(replays):
        for key, value in batches[step % 2].data.transition_data.items():
            fixed.data.transition_data[key].copy_(value)
        graph.replay()
        eager.train(batches[step % 2], 6 + step, 0)
    torch.cuda.synchronize()
    pairs = zip(learner.params, eager.params)
    gap = max(((p - q).abs().max() / q.abs().max()).item() for p, q in pairs)

    def with_batch() -> None:
        for key, value in batches[1].data.transition_data.items():
            fixed.data.transition_data[key].copy_(value)
        graph.replay()

    plain = 1e3 * run.seconds(lambda: eager.train(batches[1], 50, 0), 9)
    alone = 1e3 * run.seconds(graph.replay, 9)
    whole = 1e3 * run.seconds(with_batch, 9)
    return {
        "eager ms": plain,
        "graph ms": alone,
        "graph and batch ms": whole,
        "ratio": plain / whole,
        f"difference after {replays}": gap,
        "passed": gap < 1e-4,
    }


def acting(run: Run) -> None:
    """Steps per second without updates, on the CPU and on the device."""
    places = [("cpu", 1)] if run.is_small else [("cpu", 1), ("cpu", 8)]
    places += [("cuda", 1), ("cuda, cpu_inference", 1)] if run.on_gpu else []
    for copies in (2,) if run.is_small else (8, 128):
        for place, threads in places:
            settings = dict(batch_size_run=copies, rnn_hidden_dim=64)
            settings.update(buffer_size=max(copies, 8))
            settings.update(cpu_inference=place.endswith("inference"))
            settings.update(env_args=SMALL_GAME if run.is_small else {})
            torch.set_num_threads(threads)
            with session("cw_qmix", place != "cpu", **settings) as owner:
                owner.play(copies, train=False)
                rates = [_rate(owner, copies, False) for _ in range(3)]
            row = {"copies": copies, "acting on": place, "threads": threads}
            run.row({**row, "steps/s": max(rates)})


def _rate(owner: Any, episodes: int, train: bool) -> float:
    started = time.perf_counter()
    steps = owner.play(episodes, train=train)
    return steps / (time.perf_counter() - started)


def smax_on_the_cpu(run: Run) -> None:
    """SMAX 2s3z end to end, the games in JAX on the CPU."""
    _smax(run, "cpu")


def smax_on_the_device(run: Run) -> None:
    """SMAX 2s3z end to end, the games in JAX on the GPU too."""
    if not run.on_gpu:
        raise Skipped("there is no GPU")
    _smax(run, "cuda")


def _smax(run: Run, platform: str) -> None:
    os.environ["JAX_PLATFORMS"] = platform
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    try:
        importlib.import_module("jaxmarl.environments.smax")
    except ImportError as error:
        raise Skipped(f"JaxMARL cannot be imported: {error}") from None
    torch.set_num_threads(1)
    places = ["cpu"]
    if run.on_gpu:
        places = (
            ["cuda, cpu_inference", "cuda", "cpu"] if platform == "cpu" else ["cuda"]
        )
    for copies, batch_size in [(2, 2)] if run.is_small else [(8, 128), (128, 128)]:
        for place in places:
            if run.left() < 15:
                raise Skipped("no time was left for the others")
            row = {"copies": copies, "torch on": place}
            run.row({**row, **_end_to_end(run, copies, batch_size, place)})


def _end_to_end(run: Run, copies: int, batch_size: int, place: str) -> Dict[str, Any]:
    settings = {**TUNED, "batch_size": batch_size, "batch_size_run": copies}
    settings.update(use_cuda=place != "cpu", learner_log_interval=QUIET)
    settings.update(cpu_inference=place.endswith("inference"))
    settings.update(episodes_per_update=2 if run.is_small else 8)
    if run.is_small:
        settings["env_args"] = {"time_limit": 5}
    found: Dict[str, Any] = {}
    with wqmix.get_runner("cw_qmix", "smax", "2s3z", seed=0, **settings) as owner:
        started = time.perf_counter()
        owner.play(copies, train=False)
        found["first rollout, s"] = time.perf_counter() - started
        rates = [_rate(owner, copies, False) for _ in range(3)]
        found["steps/s without updates"] = max(rates)
        owner.play(batch_size, train=True)  # fills the buffer
        until = time.monotonic() + min(6.0, run.left() - 5)
        rates = []
        while len(rates) < 2 or (time.monotonic() < until and not run.is_small):
            rates.append(_rate(owner, copies, True))
        found["steps/s with updates"] = statistics.median(rates)
        found["rollouts"] = len(rates)
    return found


CHECKS = {
    "equals_the_cpu_64": equals_the_cpu_64,
    "equals_the_cpu_32": equals_the_cpu_32,
    "equals_the_step_path": equals_the_step_path,
    "nothing_is_waited_for": nothing_is_waited_for,
    "not_finite": not_finite,
    "resumed": resumed,
}
SECTIONS: Dict[str, Callable[[Run], None]] = {
    **CHECKS,
    "update": update,
    "where_the_time_goes": where_the_time_goes,
    "captured": captured,
    "precisions": precisions,
    "acting": acting,
    "smax_on_the_cpu": smax_on_the_cpu,
    "smax_on_the_device": smax_on_the_device,
}
