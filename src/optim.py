"""Optimiser and gradient norms.

`N` numbers in all parameters of a group.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, RMSprop

from .guard import choose
from .settings import HostSettings


class FlatOptimiser:
    """One of torch's optimisers over one vector [N] for each group of parameters.

    The numbers are those of the same optimiser over the parameters themselves, whose
    many small calls take longer than a small update's arithmetic. State dicts are those
    of torch's too, parameter by parameter, so hosts load ours and theirs load here.

    Args:
        build: makes torch's optimiser of a list of groups.
        groups: as torch takes them, `params` and the group's own options.
    """

    def __init__(self, build: Callable, groups: Sequence[Dict[str, Any]]) -> None:
        self._params: List[List[nn.Parameter]] = [list(g["params"]) for g in groups]
        self._flat = [nn.Parameter(_join(params)) for params in self._params]
        pairs = zip(groups, self._flat)
        self._inner = build([{**group, "params": [flat]} for group, flat in pairs])
        self._rates = [group["lr"] for group in self._inner.param_groups]

    @property
    def name(self) -> str:
        """What torch calls it."""
        return type(self._inner).__name__

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for params, flat in zip(self._params, self._flat):
            flat.grad = None
            for p in params:
                p.grad = None

    @torch.no_grad()
    def clip_grad_norm(self, max_norm: float) -> Tensor:
        """Scale what `step` will use so that its joint L2 norm is at most `max_norm`.

        The parameters' own `grad` stay as they are.

        Returns:
            The norm before.
        """
        self._gather()
        norms = [flat.grad.norm() for flat in self._flat]
        norm = torch.stack(norms).norm() if len(norms) > 1 else norms[0]
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # as torch's clip_grad_norm_
        for flat in self._flat:
            flat.grad.mul_(scale)
        return norm

    def scale_rates(self, share: float) -> None:
        """Set each group's learning rate to a share of that which it was built with."""
        for group, rate in zip(self._inner.param_groups, self._rates):
            group["lr"] = share * rate

    @torch.no_grad()
    def step(self, is_good: Optional[Tensor] = None) -> None:
        """Update every parameter that has a gradient.

        Args:
            is_good: [], on the device; where it is false nothing is changed.
        """
        if self._flat[0].grad is None:
            self._gather()
        before = None if is_good is None else self._copies()
        self._count_on_the_device()
        self._inner.step()
        if before is not None:
            self._choose(before, is_good)
        for params, flat in zip(self._params, self._flat):
            flat.grad = None
            for p, new in zip(params, _split(flat, params)):
                if p.grad is not None:
                    p.copy_(new)

    # What an update that is not finite must leave as it was

    @torch.no_grad()
    def snapshot(self) -> List[Dict[str, Tensor]]:
        """Return copies of the parameters and of the optimiser's state."""
        self._refresh()
        return self._copies()

    @torch.no_grad()
    def restore(self, taken: List[Dict[str, Tensor]], unless: Tensor) -> None:
        """Put back what `snapshot` returned, unless `unless` [] is true."""
        self._refresh()
        self._choose(taken, unless)
        for params, flat in zip(self._params, self._flat):
            for p, value in zip(params, _split(flat, params)):
                p.copy_(value)

    def _copies(self) -> List[Dict[str, Tensor]]:
        return [
            {key: x.clone() for key, x in self._tensors(flat).items()}
            for flat in self._flat
        ]

    def _choose(self, before: List[Dict[str, Tensor]], is_good: Tensor) -> None:
        """Leave what is now where `is_good` [] is true, else as before.

        A step count that torch keeps on the CPU would have to wait for a GPU; the
        count that matters, Adam's, is on the device (`capturable`).
        """
        for flat, old in zip(self._flat, before):
            for key, x in self._tensors(flat).items():
                if x.device == is_good.device:
                    zero = torch.zeros_like(x)  # before the first step
                    choose(is_good, [x], [old.get(key, zero)])

    def _tensors(self, flat: nn.Parameter) -> Dict[str, Tensor]:
        """A vector and its state."""
        state = self._inner.state[flat] if flat in self._inner.state else {}
        found = {k: x for k, x in state.items() if isinstance(x, Tensor)}
        return {"": flat.detach(), **found}

    def _gather(self) -> None:
        """Take parameters and gradients as they are now; none counts as zero."""
        self._refresh()
        for params, flat in zip(self._params, self._flat):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            flat.grad = _join(grads)

    def _refresh(self) -> None:
        for params, flat in zip(self._params, self._flat):
            flat.data = _join(params)

    def _count_on_the_device(self) -> None:
        for group in self._inner.param_groups:
            if "capturable" in group:
                group["capturable"] = group["params"][0].is_cuda

    # Checkpoints, in torch's layout

    def state_dict(self, count: Optional[int] = None) -> Dict[str, Any]:
        """Return the state parameter by parameter, of the first `count` or of all.

        A host's own QMIX has just the first ones, and its optimiser can load this.
        """
        inner, state, groups, first = self._inner.state_dict(), {}, [], 0
        for group, params in zip(inner["param_groups"], self._params):
            if "capturable" in group:  # what is loaded elsewhere need not be on a GPU
                group["capturable"] = False
            numbers = list(range(first, first + len(params)))
            state.update(zip(numbers, _each(inner["state"], group, params)))
            groups.append(
                {**group, "params": [i for i in numbers if _within(i, count)]}
            )
            first += len(params)
        kept = {i: own for i, own in state.items() if own and _within(i, count)}
        return {"state": kept, "param_groups": [g for g in groups if g["params"]]}

    def load_state_dict(self, content: Dict[str, Any]) -> None:
        """Take what `state_dict`, or torch's own optimiser, returned.

        Raises:
            ValueError: it is of other parameters.
        """
        groups = content["param_groups"]
        if [len(g["params"]) for g in groups] != [len(ps) for ps in self._params]:
            raise ValueError("the optimiser's state is of another number of parameters")
        is_adam = "betas" in self._inner.param_groups[0]
        if any(("betas" in group) != is_adam for group in groups):
            raise ValueError(f"the state is not that of {self.name}")
        state = {}
        for number, (group, params) in enumerate(zip(groups, self._params)):
            own = [content["state"].get(i, {}) for i in group["params"]]
            if any(own):
                state[number] = _joined(own, params)
        self._refresh()
        self._count_on_the_device()
        own = self._inner.param_groups
        groups = [
            {**group, **_where_it_counts(mine), "params": [i]}
            for i, (group, mine) in enumerate(zip(groups, own))
        ]
        self._inner.load_state_dict({"state": state, "param_groups": groups})


def _where_it_counts(group: Dict[str, Any]) -> Dict[str, Any]:
    """The option of a group by which torch keeps its step count on the device."""
    return {key: group[key] for key in ("capturable",) if key in group}


def _within(number: int, count: Optional[int]) -> bool:
    return count is None or number < count


def _join(tensors: Iterable[Tensor]) -> Tensor:
    """All elements, one after the other, as a copy [N]."""
    return torch.cat([x.detach().reshape(-1) for x in tensors])


def _split(flat: Tensor, params: Sequence[Tensor]) -> List[Tensor]:
    """Views of `flat` in the shapes of `params`; `_join` undone."""
    parts = flat.detach().split([p.numel() for p in params])
    return [part.view(p.shape) for part, p in zip(parts, params)]


def _each(
    state: Dict[int, Dict[str, Any]], group: Dict[str, Any], params: List[nn.Parameter]
) -> List[Dict[str, Any]]:
    """The state of a group's vector, parameter by parameter; nothing is shared."""
    found: List[Dict[str, Any]] = [{} for _ in params]
    for key, value in state.get(group["params"][0], {}).items():
        is_count = key == "step"
        if is_count and isinstance(value, Tensor):
            value = value.cpu()
        parts = [value] * len(params) if is_count else _split(value, params)
        for own, part in zip(found, parts):
            own[key] = part.clone() if isinstance(part, Tensor) else part
    return found


def _joined(own: List[Dict[str, Any]], params: List[nn.Parameter]) -> Dict[str, Any]:
    """The state of a group's vector; zeros where a parameter has had no gradient."""
    joined = {}
    for key, value in next(filter(None, own)).items():
        if key == "step":
            joined[key] = value.clone() if isinstance(value, Tensor) else value
            continue
        parts = [o.get(key, torch.zeros_like(p)) for o, p in zip(own, params)]
        if any(part.shape != p.shape for part, p in zip(parts, params)):
            raise ValueError(f"the optimiser's {key!r} is of other parameters")
        joined[key] = _join(parts)
    return joined


def build_optimiser(groups: Sequence[Any], host: HostSettings) -> FlatOptimiser:
    """Build the optimiser that the host's own QMIX uses.

    Args:
        groups: parameters, or groups of them as torch takes them.
        host: which one, and its options.
    """
    if not isinstance(groups[0], dict):
        groups = [{"params": groups}]
    options: Dict[str, Any] = {"lr": host.lr, "weight_decay": host.weight_decay}
    kind = Adam
    if host.optimizer != "adam":
        kind = RMSprop
        options.update(alpha=host.optim_alpha, eps=host.optim_eps)
    return FlatOptimiser(lambda flat: kind(flat, **options), groups)


def grad_norm(params: Iterable[nn.Parameter]) -> Tensor:
    """L2 norm over the gradients of all given parameters; zero where there are none."""
    params = list(params)
    norms = [torch.linalg.norm(p.grad) for p in params if p.grad is not None]
    if not norms:
        return torch.zeros((), device=params[0].device)
    return torch.linalg.norm(torch.stack(norms))
