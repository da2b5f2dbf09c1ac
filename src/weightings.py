"""Weightings w(s, u) of the QMIX loss: a registry of pure functions.

Each takes `WeightingInputs` and returns weights [B, T, 1] in [0, 1]. To add one::

    from wqmix.weightings import register, full_or_alpha

    @register("mine")
    def mine(x):
        \"\"\"One line for `wqmix list`.\"\"\"
        return full_or_alpha(x.target > 0, x)

after which `weighting: mine` selects it. `weighting: path/to/file.py:function`, on the
command line or in a user's own YAML, needs no registration, and an installed package no
import: its entry point `mine` in the group `wqmix.weightings` names such a function.

`B` episodes, `T` transitions.
"""

from __future__ import annotations

import importlib.util
import os
import traceback
from dataclasses import dataclass
from importlib import metadata
from typing import Callable, Dict, List, Optional, Set

import torch
from torch import Tensor

from .config.names import nearest
from .errors import ConfigError, WQMixError
from .storage.memory import is_out_of_memory

ENTRY_POINTS = "wqmix.weightings"


@dataclass(frozen=True)
class WeightingInputs:
    """What a weighting may look at; no tensor of it carries a gradient.

    Attributes:
        q_tot: Q_tot(s, u) of the actions taken [B, T, 1].
        target: y, Eq. 8 [B, T, 1].
        greedy_value: v = Q̂*⁻(s, û), target networks at the greedy joint action
            [B, T, 1].
        is_greedy_joint: whether every agent's u equals û [B, T, 1], bool.
        alpha: α at this time.
        temperature: τ, the width of the softened steps.
        t_env: environment steps so far, for schedules of one's own.
        is_optimal_joint: call it for whether u maximises Q̂*(s, ·) over all available
            joint actions [B, T, 1], bool; enumerates them, so it costs. None where the
            learner has no Q̂*.
        is_potentially_optimal: call it for whether POW's recogniser takes u for
            potentially optimal [B, T, 1], bool. None but in the learner that has one.
    """

    q_tot: Tensor
    target: Tensor
    greedy_value: Tensor
    is_greedy_joint: Tensor
    alpha: float
    temperature: float
    t_env: int
    is_optimal_joint: Optional[Callable[[], Tensor]] = None
    is_potentially_optimal: Optional[Callable[[], Tensor]] = None


Weighting = Callable[[WeightingInputs], Tensor]
WEIGHTINGS: Dict[str, Weighting] = {}
NEEDS: Dict[str, str] = {}  # weighting → the one of LEARNERS_OF that it needs
ALPHA_MAY_BE_ZERO: Set[str] = set()
ROUNDING = 1e-6
_LOADED: Dict[str, Set[str]] = {}  # a user's file → the names that it registered
LEARNERS_OF = {
    "is_optimal_joint": "Q̂*: use wqmix_learner (--config=cw_qmix)",
    "is_potentially_optimal": "a recogniser Q_r: use --config=pow_qmix",
}


def register(
    name: str, needs: Optional[str] = None, alpha_may_be_zero: bool = False
) -> Callable[[Weighting], Weighting]:
    """Decorate a weighting to make `weighting: name` select it.

    Args:
        name: what the YAML says.
        needs: the input of `WeightingInputs` without which it cannot work, if any.
        alpha_may_be_zero: whether α = 0 is accepted.

    Raises:
        ConfigError: the name is taken.
    """

    def add(function: Weighting) -> Weighting:
        if name in WEIGHTINGS:
            raise ConfigError(f"weighting {name!r} is registered already")
        WEIGHTINGS[name] = function
        if needs is not None:
            NEEDS[name] = needs
        if alpha_may_be_zero:
            ALPHA_MAY_BE_ZERO.add(name)
        return function

    return add


def find(name: str) -> Weighting:
    """Return a weighting; one of an installed package is imported now.

    Raises:
        ConfigError: the package's function cannot be imported.
    """
    if name not in WEIGHTINGS:
        point = _entry_points()[name]
        try:
            function = point.load()
        except Exception as error:  # whatever a foreign module raises
            raise ConfigError(
                f"weighting {name!r}: its package's entry point {point.value!r} cannot "
                f"be loaded ({type(error).__name__}: {error})"
            ) from error
        WEIGHTINGS.setdefault(name, function)
    return WEIGHTINGS[name]


def is_file_spec(name: object) -> bool:
    """Whether a weighting is named as path/to/file.py:function, or a file without."""
    if not isinstance(name, str):
        return False
    return (name.rpartition(":")[0] or name).endswith(".py")


def load(spec: str) -> None:
    """Run a user's file; register what `path/to/file.py:function` names.

    Only for what the user names: nothing that a checkpoint holds may come here. A file
    that was loaded before is run again.

    Raises:
        ConfigError: no such file or function, or it cannot be imported.
    """
    path, _, name = spec.rpartition(":")
    if not path or not name:
        raise ConfigError(f"weighting={spec!r}: write path/to/file.py:function")
    for each in _LOADED.pop(path, ()):
        WEIGHTINGS.pop(each, None)
    before, told = set(WEIGHTINGS), f"weighting={spec!r}"
    if not os.path.isfile(path):
        raise ConfigError(f"{told}: there is no such file")
    stem = os.path.splitext(os.path.basename(path))[0]
    found = importlib.util.spec_from_file_location(f"wqmix_weighting_{stem}", path)
    assert found is not None and found.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{told} does not import: {_raised(error)}") from error
    function = vars(module).get(name)
    if not callable(function):
        functions = [key for key, value in vars(module).items() if callable(value)]
        raise ConfigError(f"{told}: no such function in it{nearest(name, functions)}")
    for each in set(WEIGHTINGS) - before:  # the file may register it too
        if WEIGHTINGS[each] is function:
            NEEDS.update({spec: NEEDS[each]} if each in NEEDS else {})
            ALPHA_MAY_BE_ZERO.update({spec} if each in ALPHA_MAY_BE_ZERO else ())
    WEIGHTINGS[spec] = function
    _LOADED[path] = set(WEIGHTINGS) - before


def weigh(
    name: str, function: Weighting, x: WeightingInputs, mask: Tensor, is_read: bool
) -> Tensor:
    """Return w(s, u) [B, T, 1]; a user's weighting is held to its contract.

    Args:
        name: of the weighting. `function`: the weighting.
        x: what it sees.
        mask: 1 at real transitions [B, T, 1].
        is_read: whether to look at the values, which waits for the device.

    Raises:
        WQMixError: it raises, or returns anything but finite numbers [B, T, 1], within
            [0, 1] at real transitions.
    """
    if name in OURS:
        return function(x)
    try:
        weights = function(x)
    except Exception as error:  # whatever a user's function raises
        if isinstance(error, WQMixError) or is_out_of_memory(error):
            raise
        raise WQMixError(f"weighting {name!r} raised {_raised(error)}") from error
    shape = tuple(x.target.shape)
    told = f"weighting {name!r} returned"
    if not isinstance(weights, Tensor) or tuple(weights.shape) != shape:
        is_tensor = isinstance(weights, Tensor)
        what = f"shape {tuple(weights.shape)}" if is_tensor else type(weights).__name__
        raise WQMixError(f"{told} {what}; expected: a tensor [B, T, 1] = {shape}")
    weights = weights.to(x.target.dtype)
    if not is_read or not (x.q_tot + x.target).isfinite().all():
        return weights
    if not weights.isfinite().all():
        raise WQMixError(f"{told} NaN or infinity; expected: finite numbers everywhere")
    real = weights[mask > 0]
    if real.numel() and not (real.min() >= 0 and real.max() <= 1 + ROUNDING):
        interval = f"{real.min().item():g} to {real.max().item():g}"
        raise WQMixError(f"{told} weights from {interval}; expected: within [0, 1]")
    return weights


def _raised(error: BaseException) -> str:
    """An exception as one line, with where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:120]
    where = f"{os.path.basename(place.filename)}, line {place.lineno}"
    return f"{type(error).__name__}: {text} ({where})"


def names() -> List[str]:
    """Return the names of all weightings, those of installed packages included."""
    return sorted({*WEIGHTINGS, *_entry_points()})


def _entry_points() -> Dict[str, metadata.EntryPoint]:
    found = metadata.entry_points()
    if hasattr(found, "select"):  # Python 3.10 on
        return {point.name: point for point in found.select(group=ENTRY_POINTS)}
    return {point.name: point for point in found.get(ENTRY_POINTS, ())}


def full_or_alpha(is_full: Tensor, x: WeightingInputs) -> Tensor:
    """Return 1 where `is_full` [B, T, 1] and α elsewhere, typed as the target."""
    one = torch.ones((), dtype=x.target.dtype, device=x.target.device)
    return torch.where(is_full, one, one * x.alpha)


def soft_step(excess: Tensor, x: WeightingInputs) -> Tensor:
    """Return α + (1 − α) σ(excess / τ): the step at 0 of `full_or_alpha`, softened."""
    return x.alpha + (1 - x.alpha) * torch.sigmoid(excess / x.temperature)


# The paper's ----------------------------------------------------------------


@register("cw")
def centrally_weighted(x: WeightingInputs) -> Tensor:
    """CW-QMIX: 1 where u is the greedy joint action or y > Q̂*⁻(s, û) (Eq. 12)."""
    return full_or_alpha(x.is_greedy_joint | (x.target > x.greedy_value), x)


@register("ow")
def optimistically_weighted(x: WeightingInputs) -> Tensor:
    """OW-QMIX: 1 where Q_tot(s, u) underestimates the target (Eq. 13)."""
    return full_or_alpha(x.q_tot < x.target, x)


@register("ideal", needs="is_optimal_joint")
def idealised_central(x: WeightingInputs) -> Tensor:
    """Idealised central: 1 where u maximises Q̂* over all joint actions (Eq. 6)."""
    assert x.is_optimal_joint is not None  # `needs`
    return full_or_alpha(x.is_optimal_joint(), x)


@register("uniform")
def uniform(x: WeightingInputs) -> Tensor:
    """1 everywhere: QMIX's own projection (ablation)."""
    return torch.ones_like(x.target)


# Beyond it (docs/weightings.md) ---------------------------------------------


@register("soft_cw")
def softened_central(x: WeightingInputs) -> Tensor:
    """CW with a smooth step: 1 at û, else α + (1 − α) σ((y − Q̂*⁻(s, û)) / τ)."""
    soft = soft_step(x.target - x.greedy_value, x)
    return torch.where(x.is_greedy_joint, torch.ones_like(soft), soft)


@register("soft_ow")
def softened_optimistic(x: WeightingInputs) -> Tensor:
    """OW with a smooth step: α + (1 − α) σ((y − Q_tot(s, u)) / τ)."""
    return soft_step(x.target - x.q_tot, x)


@register("pow", needs="is_potentially_optimal", alpha_may_be_zero=True)
def potentially_optimal(x: WeightingInputs) -> Tensor:
    """POW: 1 where a recogniser takes u for potentially optimal (Huang et al. 2026)."""
    assert x.is_potentially_optimal is not None  # `needs`
    return full_or_alpha(x.is_potentially_optimal(), x)


@register("greedy", alpha_may_be_zero=True)
def greedy_only(x: WeightingInputs) -> Tensor:
    """1 where every agent took its greedy action: with α = 0, all or nothing."""
    return full_or_alpha(x.is_greedy_joint, x)


OURS = frozenset(WEIGHTINGS)  # which keep the contract, as tests say
