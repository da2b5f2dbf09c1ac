"""The parity probe: is our update the host's own QMIX's, in this very process?

Before training, the host's learner and ours, with all weights 1 and without Q̂*, are
built on copies of the same networks and updated on the same made-up batches. What they
then hold, log and return must be equal. Where it is not, the facts that a host can
differ in are tried one after the other, and those that make both equal are adopted:
what is measured wins over what an adapter assumes.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import importlib
import io
import itertools
import math
import random
from types import SimpleNamespace
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

import numpy as np
import torch
from torch import Tensor

from ..config import schema
from ..errors import ConfigError
from ..settings import HostSettings, TargetUpdate
from .configs import OUR_CONFIGS, read_yaml
from .hosts import HostAdapter
from .hosts.base import nothing, taking_state
from .hosts.pymarl2 import empty, td_errors_abs
from .notes import note

TOLERANCE = 1e-5  # of float32, on numbers of about one
EPISODES, STEPS = 6, 8
INTERVAL = 3
TRIALS = 400
LONGEST_STEP = 1e-3
# How far networks are from their targets: so that greedy actions differ, and no more.
NOISE = (0.3, 0.1)  # of the agents and the mixer
# Episodes so far at each update: a target update each `INTERVAL` episodes comes after
# the second, third and last one, each `INTERVAL` updates after the third and sixth.
EPISODE_NUMBERS = (1, 4, 7, 8, 9, 10)
COMPARED = ("loss", "loss_td", "grad_norm", "q_taken_mean", "target_mean")
# A norm is a float32 sum over all parameters: its last digits depend on their order.
ROUNDING = {"grad_norm": 0.1}
# What our settings must be so that nothing but the host's QMIX is left of them.
PLAIN = {"weighting": "uniform", "central_loss": 0, "qmix_loss": 1, "alpha": 1}
PLAIN.update(alpha_schedule="constant", central_inputs="obs", diagnostics=False)
PLAIN.update(mixing="host", monotonicity_loss=0, bootstrap="greedy")
# Settings for both learners: no device, no workers, log at each update, target updates
# soon; and nothing that the embedded host's learner can do too, but others cannot.
QUIET = {"use_cuda": False, "device": "cpu", "learner_log_interval": 0}
QUIET.update(use_per=False, enable_parallel_computing=False, cpu_inference=False)
QUIET.update(state_norm=False, lr_anneal_time=0)


class Side(NamedTuple):
    """What one learner came to, update by update."""

    params: List[List[Tensor]]  # all parameters after each update
    logged: List[Dict[str, float]]
    returned: Any


def settled(
    host: HostAdapter,
    settings: HostSettings,
    mac: Any,
    scheme: Mapping[str, Any],
    logger: Any,
    args: Any,
) -> HostSettings:
    """Return the host's facts as measured, and say what was found.

    Args:
        host, settings: the adapter, and what it assumes.
        mac, scheme, logger, args: as the host hands them to its learners.

    Raises:
        ConfigError: no known facts make both learners equal, and `parity` is not
            `warn`.
    """
    mode = mode_of(host, args)
    if mode == "off":
        return settings
    amount, lr = settings.target_update.amount, settings.lr
    try:
        with apart():
            probe = Probe(host, mac, scheme, args)
            assumed = dataclasses.replace(settings, lr=getattr(probe.args, "lr", lr))
            found, difference = probe.settle(following(assumed, INTERVAL))
            told = "" if difference <= TOLERANCE else probe.told(found)
    except NotMeasured as reason:
        note(f"parity with {host.title}'s own QMIX was not measured: {reason}")
        return settings
    logger.log_stat("parity_difference", difference, 0)
    if difference <= TOLERANCE:
        found = dataclasses.replace(following(found, amount), lr=lr)
        changed = differences(settings, found)
        also = f"; adopted: {', '.join(changed)}" if changed else ""
        logger.console_logger.info(
            f"parity: {len(EPISODE_NUMBERS)} updates equal those of {host.title}'s "
            f"{probe.key} (largest difference {difference:.1e}){also}"
        )
        return found
    message = (
        f"{host.title}: its own {probe.key} updates otherwise than ours with all "
        f"weights 1 and no Q̂*: {told}; tried: {', '.join(TRIED)}"
    )
    if mode == "check":
        raise ConfigError(f"{message}. parity=warn goes on all the same")
    note(f"parity: {message}")
    return settings


def following(settings: HostSettings, amount: float) -> HostSettings:
    """Return the facts with copies of the target networks each so many of its unit."""
    unit = settings.target_update.unit
    if unit == "soft":
        return settings
    return dataclasses.replace(settings, target_update=TargetUpdate(unit, amount))


def mode_of(host: HostAdapter, args: Any) -> str:
    """Return `check`, `warn` or `off` (YAML's own reading of `off` is False).

    `auto` is `check` but in the embedded host: its learner is compared by our tests.

    Raises:
        ConfigError: it is something else.
    """
    mode = getattr(args, "parity", "off")
    mode = "off" if mode is False else mode
    wrong = schema.wrong("parity", mode)
    if wrong is not None:
        raise ConfigError(wrong)
    if mode == "auto":
        mode = "off" if host.compared_by_tests else "check"
    return "off" if getattr(args, "evaluate", False) else mode


class NotMeasured(Exception):
    """The host's own learner cannot be built or run outside of its training."""


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Leave random numbers and the terminal as they are."""
    states = random.getstate(), np.random.get_state()
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(
            io.StringIO()
        ):
            torch.manual_seed(0)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_num_threads(threads)


# Both learners ------------------------------------------------------------------------


class Probe:
    """Copies of a host's networks, its own learner, ours, and batches for both.

    Args:
        host, mac, scheme, args: as in `settled`.

    Raises:
        NotMeasured: the host's learner cannot be built or run on the batches.
    """

    def __init__(
        self, host: HostAdapter, mac: Any, scheme: Mapping[str, Any], args: Any
    ) -> None:
        self.host, self.scheme = host, scheme
        self.key = getattr(args, "base_learner", None)
        if self.key is None:
            raise NotMeasured("no configuration names its learner")
        self.args = quiet(args)
        with only_failures_of_the_host(host):
            self.mac = copy.deepcopy(mac)
            each: Any
            for each in (self.mac, getattr(self.mac, "agent", None)):
                if hasattr(each, "args"):
                    each.args = self.args
            buffer = importlib.import_module(host.module("components.episode_buffer"))
            self.batches = [
                made_up(buffer.EpisodeBatch, scheme, self.args, seed)
                for seed in range(len(EPISODE_NUMBERS))
            ]
            self.theirs = self._theirs()

    def _theirs(self) -> Side:
        learners = importlib.import_module(self.host.module("learners"))
        args = SimpleNamespace(**{**vars(self.args), "learner": self.key})
        logger = Logger()
        build = learners.REGISTRY[self.key]
        learner = build(copy.deepcopy(self.mac), self.scheme, logger, args)
        if getattr(learner, "mixer", None) is None:
            raise NotMeasured(f"its {self.key} has no mixer")
        self.mixer = copy.deepcopy(learner.mixer)
        return self._updated(learner, learner.mac, learner.mixer, logger)

    def ours(self, settings: HostSettings, updates: int = len(EPISODE_NUMBERS)) -> Side:
        """Return what our learner comes to with these facts."""
        from ..learners import WQMixLearner

        logger = Logger()
        values = {**vars(self.args), **read_yaml(OUR_CONFIGS / "cw_qmix.yaml"), **PLAIN}
        args = SimpleNamespace(**values, wqmix_host=settings)
        learner = WQMixLearner(copy.deepcopy(self.mac), self.scheme, logger, args)
        learner.mixer.load_state_dict(self.mixer.state_dict())
        learner.target_networks.copy_all()
        return self._updated(learner, learner.mac, learner.mixer, logger, updates)

    def _updated(
        self,
        learner: Any,
        mac: Any,
        mixer: Any,
        logger: Any,
        updates: int = len(EPISODE_NUMBERS),
    ) -> Side:
        """Update a learner; its online networks are first moved off their targets."""
        parameters = [*mac.parameters(), *mixer.parameters()]
        noise = torch.Generator().manual_seed(1)
        for size, network in zip(NOISE, (mac, mixer)):
            for p in network.parameters():
                p.data += size * torch.randn(p.shape, generator=noise)
        found, returned = [], None
        for number, batch in zip(EPISODE_NUMBERS[:updates], self.batches):
            returned = learner.train(copy.deepcopy(batch), number * STEPS, number)
            found.append([p.detach().clone() for p in parameters])
        return Side(found, logger.rounds, returned)

    # What differs ---------------------------------------------------------------------

    def settle(self, settings: HostSettings) -> Tuple[HostSettings, float]:
        """Return the facts that come nearest to the host's learner, and how near."""
        settings = self.with_its_returns(settings)
        difference = self.difference(settings)
        for stage in STAGES:
            if difference <= TOLERANCE:
                break
            tried = [
                (max(self.difference(each, stage), TOLERANCE), number, each)
                for number, each in enumerate(stage.facts(settings, self.args))
            ]
            nearest, _, settings = min(tried)  # the first one of those that are equal
            difference = self.difference(settings)
            if nearest > TOLERANCE:  # no later stage explains it
                break
        return settings, difference

    def difference(
        self, settings: HostSettings, stage: Optional[Stage] = None
    ) -> float:
        """Return the largest difference of parameters and logged numbers.

        Numbers above one count by their ratio. A stage looks at so many
        updates only, and perhaps at what is logged only.
        """
        stage = STAGES[-1] if stage is None else stage
        mine, found = self.ours(settings, stage.updates), []
        if stage.params:
            found += [gap(*pair) for pair in zip(mine.params, self.theirs.params)]
        for ours, theirs in zip(mine.logged, self.theirs.logged):
            found += [
                apart_by(key, ours, theirs)
                for key in COMPARED
                if key in ours and key in theirs
            ]
        return max(found) if found and not any(map(math.isnan, found)) else math.inf

    def with_its_returns(self, settings: HostSettings) -> HostSettings:
        """Return the facts with what the host's `train` returns, if it is known."""
        if getattr(self.args, "used_per", False):
            return settings  # its learner was asked without
        returned = self.theirs.returned
        if returned is None:
            return dataclasses.replace(settings, train_returns=nothing)
        if isinstance(returned, dict):
            known = td_errors_abs if "td_errors_abs" in returned else empty
            return dataclasses.replace(settings, train_returns=known)
        return settings

    def told(self, settings: HostSettings) -> str:
        """Say the first number that differs."""
        mine = self.ours(settings)
        rounds = zip(mine.logged, self.theirs.logged)
        for number, (ours, theirs) in enumerate(rounds, 1):
            for key in COMPARED:
                if key in ours and key in theirs:
                    if not apart_by(key, ours, theirs) <= TOLERANCE:
                        a, b = theirs[key], ours[key]
                        return f"{key} at update {number} is {a:.6g}, ours {b:.6g}"
        for number, pair in enumerate(zip(mine.params, self.theirs.params), 1):
            if not gap(*pair) <= TOLERANCE:
                return f"parameters after update {number} differ by {gap(*pair):.2g}"
        return "what they log differs"


def vouched_mixer(
    host: HostAdapter, mac: Any, scheme: Mapping[str, Any], args: Any
) -> Callable[[Any], Any]:
    """Return what builds the mixer of the host's own learner, if it is monotonic.

    Raises:
        ConfigError: it cannot be had, or Q_tot falls somewhere as a utility rises.
    """
    key = getattr(args, "base_learner", None)
    try:
        with apart():
            build = importlib.import_module(host.module("learners")).REGISTRY[key]
            theirs = SimpleNamespace(**{**vars(quiet(args)), "learner": key})
            mixer = build(copy.deepcopy(mac), scheme, Logger(), theirs).mixer
            taking_state(mixer, host.title)
            fall = largest_fall(mixer, args)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{host.title}: monotonic_mixer={args.mixer!r}: the host's {key} does not "
            f"give its mixer ({type(error).__name__}: {error})"
        ) from None
    if fall > TOLERANCE:
        raise ConfigError(
            f"{host.title}: monotonic_mixer={args.mixer!r}: it is not; raising one "
            f"utility by 1 lowers Q_tot by {fall:.3g} in some state"
        )
    note(f"mixer {args.mixer}: Q_tot fell nowhere as a utility rose ({TRIALS} trials)")
    return lambda _: copy.deepcopy(mixer)


@torch.no_grad()
def largest_fall(mixer: Any, args: Any) -> float:
    """Return by how much Q_tot falls at most when one utility rises by one.

    Over random states and utilities, and parameters moved at random.
    """
    draw, worst = torch.Generator().manual_seed(0), 0.0
    mixer = copy.deepcopy(mixer)
    size = args.state_shape
    size = size if isinstance(size, int) else math.prod(size)
    for _ in range(4):
        q = 3 * torch.randn(1, TRIALS // 4, args.n_agents, generator=draw)
        state = torch.randn(1, TRIALS // 4, size, generator=draw)
        before = mixer(q, state)
        for agent in range(args.n_agents):
            higher = q.clone()
            higher[..., agent] += 1
            worst = max(worst, (before - mixer(higher, state)).max().item())
        for p in mixer.parameters():
            p += 0.3 * torch.randn(p.shape, generator=draw)
    return worst


def apart_by(key: str, ours: Dict[str, float], theirs: Dict[str, float]) -> float:
    """Return how far two logged numbers are from each other, above one by ratio."""
    ratio = abs(ours[key] - theirs[key]) / max(1.0, abs(theirs[key]))
    return ratio * ROUNDING.get(key, 1.0)


def gap(ours: List[Tensor], theirs: List[Tensor]) -> float:
    """Return how far two sets of parameters are from each other.

    The largest difference but for one in a thousand numbers: where a gradient is
    almost zero, rounding decides which way Adam and RMSprop step. In no tensor may
    half of them differ.
    """
    gaps = [(a - b).abs() / b.abs().clamp(min=1) for a, b in zip(ours, theirs)]
    each = torch.cat([x.flatten() for x in gaps])
    most = each.kthvalue(math.ceil(0.999 * each.numel())).values
    return max(most.item(), *(x.median().item() for x in gaps))


class Logger:
    """Keeps what a learner logs, update by update."""

    def __init__(self) -> None:
        self.rounds: List[Dict[str, float]] = []
        self.console_logger = self
        self._t: Optional[int] = None

    def log_stat(self, key: str, value: Any, t: int, *_: Any, **__: Any) -> None:
        if t != self._t:
            self._t = t
            self.rounds.append({})
        self.rounds[-1][key] = float(value)

    def info(self, *_: Any) -> None:
        pass

    debug = warning = info


@contextlib.contextmanager
def only_failures_of_the_host(host: HostAdapter) -> Iterator[None]:
    """Turn whatever a host's own code raises into `NotMeasured`."""
    try:
        yield
    except NotMeasured:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise NotMeasured(f"its own learner does not run alone ({reason})") from None


def quiet(args: Any) -> SimpleNamespace:
    """Return the run's arguments for two small learners on the CPU."""
    values = {**vars(args), "used_per": getattr(args, "use_per", False)}
    values.update({key: value for key, value in QUIET.items() if key in values})
    values["learner_log_interval"] = 0
    # Steps so long that rounding grows with them would show differences that are none.
    if isinstance(values.get("lr"), float):
        values["lr"] = min(values["lr"], LONGEST_STEP)
    if "target_update_interval" in values:
        values["target_update_interval"] = INTERVAL
    if values.get("target_update_interval_or_tau", 0) > 1:
        values["target_update_interval_or_tau"] = INTERVAL
    return SimpleNamespace(**values)


# Batches ------------------------------------------------------------------------------


def made_up(episode_batch: Any, scheme: Mapping[str, Any], args: Any, seed: int) -> Any:
    """Make a batch of the host's: lengths, ends and unavailable actions of all kinds.

    Every other episode ends in a terminal state, after 1 to T steps; the others are cut
    off after T. (PyMARL2's TD(λ) lets what follows a cut leak into an episode that is
    cut earlier; ours does not, see docs/hosts.md.) No padding where
    returns are standardised: EPyMARL counts it among them, ours does not.
    """
    fields = {key: value for key, value in scheme.items() if key != "filled"}
    groups = {field.get("group") for field in fields.values()} - {None}
    sizes = {group: args.n_agents for group in groups}
    batch = episode_batch(fields, sizes, EPISODES, STEPS + 1, device="cpu")
    data, draw = batch.data.transition_data, torch.Generator().manual_seed(seed)
    for x in data.values():
        if x.is_floating_point():
            size = math.sqrt(x.shape[-1])  # whatever the size, numbers of about one
            x.copy_(torch.randn(x.shape, generator=draw) / size)
    lengths = torch.randint(1, STEPS + 1, (EPISODES,), generator=draw)
    lengths[1::2] = STEPS
    if getattr(args, "standardise_returns", False):
        lengths[:] = STEPS
    slots = torch.arange(STEPS + 1)
    filled = slots <= lengths[:, None]  # [B, T+1]
    is_end = (slots == lengths[:, None] - 1) & (torch.arange(EPISODES) % 2 == 0)[
        :, None
    ]
    set_to(data["filled"], filled[..., None])
    set_to(data["terminated"], is_end[..., None])
    available = torch.rand(data["avail_actions"].shape, generator=draw) < 0.7
    available[..., 0] |= ~available.any(-1)
    set_to(data["avail_actions"], available)
    chosen = torch.multinomial(
        available.flatten(0, -2).float(), 1, generator=draw
    ).view(data["actions"].shape)
    set_to(data["actions"], chosen)
    if "actions_onehot" in data:
        one_hot = torch.nn.functional.one_hot(chosen.squeeze(-1), args.n_actions)
        set_to(data["actions_onehot"], one_hot)
    if "probs" in data:
        data["probs"].fill_(1.0 / args.n_actions)
    for key, x in data.items():
        if key != "filled":  # padding is zero, as in the host's buffer
            x.mul_(filled.view(*filled.shape, *[1] * (x.dim() - 2)).to(x.dtype))
    # None of a last slot; in every other batch so large that gradients are clipped.
    data["reward"].mul_((slots < lengths[:, None])[..., None] * (30, 1)[seed % 2])
    return batch


def set_to(field: Tensor, values: Tensor) -> None:
    """Write values into a field of a batch, in its type."""
    field.copy_(values.to(field.dtype))


# The facts that are tried -------------------------------------------------------------

TRIED = (
    "λ, standardised rewards and returns, double Q, the loss's factor",
    "optimiser, its constants, weight decay, clipping",
    "when targets follow",
)


def of_the_loss(settings: HostSettings, args: Any) -> Iterator[HostSettings]:
    """Facts that the first update's loss shows."""
    named = {v for k, v in vars(args).items() if "lambda" in k and is_share(v)}
    for td_lambda, rewards, returns, double_q, factor in itertools.product(
        [settings.td_lambda, *sorted(named | {0.0})],
        either(settings.standardise_rewards),
        either(settings.standardise_returns),
        either(settings.double_q),
        sorted((1.0, 0.5), key=settings.loss_factor.__ne__),
    ):
        yield dataclasses.replace(
            settings,
            td_lambda=td_lambda,
            standardise_rewards=rewards,
            standardise_returns=returns,
            double_q=double_q,
            loss_factor=factor,
        )


def of_the_step(settings: HostSettings, args: Any) -> Iterator[HostSettings]:
    """Facts that the parameters show after an update."""
    values = vars(args)
    decays = {v for k, v in values.items() if "decay" in k and is_share(v)} | {0.0}
    epsilons = {values.get("optim_eps", 1e-5), 1e-5, 1e-8}
    clips = {settings.grad_norm_clip, values.get("grad_norm_clip", 10.0), 1e9}
    kinds = [("adam", 0.0, 0.0)]
    kinds += [("rmsprop", values.get("optim_alpha", 0.99), eps) for eps in epsilons]
    for (kind, alpha, eps), decay, clip in itertools.product(
        kinds, sorted(decays), sorted(clips)
    ):
        yield dataclasses.replace(
            settings,
            optimizer=kind,
            optim_alpha=alpha,
            optim_eps=eps,
            weight_decay=decay,
            grad_norm_clip=clip,
        )


def of_the_targets(settings: HostSettings, args: Any) -> Iterator[HostSettings]:
    """When target networks follow."""
    taus = {v for k, v in vars(args).items() if "tau" in k and is_share(v)}
    rules = [TargetUpdate("episodes", INTERVAL), TargetUpdate("steps", INTERVAL)]
    for rule in [*rules, *(TargetUpdate("soft", tau) for tau in sorted(taus))]:
        yield dataclasses.replace(settings, target_update=rule)


def either(assumed: bool) -> Tuple[bool, bool]:
    """Return what is assumed, and the other; of equal ones the first is taken."""
    return assumed, not assumed


def is_share(value: Any) -> bool:
    """Whether it is a number in (0, 1]."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value <= 1


class Stage(NamedTuple):
    """Facts to try, and what shows whether they are right."""

    facts: Any
    updates: int
    params: bool = True


STAGES = (
    Stage(of_the_loss, 1, params=False),
    Stage(of_the_step, 1),
    Stage(of_the_targets, len(EPISODE_NUMBERS)),
)


def differences(before: HostSettings, after: HostSettings) -> List[str]:
    """Return `fact=value` for each fact that changed."""
    return [
        f"{field.name}={getattr(after, field.name)}"
        for field in dataclasses.fields(after)
        if getattr(before, field.name) != getattr(after, field.name)
    ]
