"""Optimiser and gradient norms.

`N` numbers in all parameters of a group.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Optional, Sequence

import torch
from torch import Tensor, nn

from .guard import choose
from .settings import HostSettings
from .update_rules import ADAM, RMSPROP, UpdateRule


class FlatOptimiser:
    """An update rule over one vector [N] for each group of parameters.

    The numbers are those of torch's optimiser over the parameters themselves, whose
    many small calls take longer than a small update's arithmetic. State dicts are those
    of torch's too, parameter by parameter, so hosts load ours and theirs load here.

    Args:
        rule: Adam or RMSprop.
        groups: as torch takes them, `params` and the group's own options.
        options: of the rule, where a group has none of its own.
    """

    def __init__(
        self, rule: UpdateRule, groups: Sequence[Dict[str, Any]], **options: Any
    ) -> None:
        self._rule = rule
        self._params: List[List[nn.Parameter]] = [list(g["params"]) for g in groups]
        self._flat = [nn.Parameter(_join(params)) for params in self._params]
        self._state: List[Dict[str, Tensor]] = [{} for _ in groups]
        self._options = [{**rule.defaults, **options, **group} for group in groups]
        for own in self._options:
            del own["params"]
        self._rates = [own["lr"] for own in self._options]

    @property
    def name(self) -> str:
        """What torch calls its rule."""
        return self._rule.name

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
        grads = self._gather()
        norms: List[Tensor] = [grad.norm() for grad in grads]
        norm: Tensor = torch.stack(norms).norm() if len(norms) > 1 else norms[0]
        scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # as torch's clip_grad_norm_
        for grad in grads:
            grad.mul_(scale)
        return norm

    def scale_rates(self, share: float) -> None:
        """Set each group's learning rate to a share of that which it was built with."""
        for own, rate in zip(self._options, self._rates):
            own["lr"] = share * rate

    @torch.no_grad()
    def step(self, is_good: Optional[Tensor] = None) -> None:
        """Update every parameter that has a gradient.

        Args:
            is_good: [], on the device; where it is false nothing is changed.
        """
        if self._flat[0].grad is None:
            self._gather()
        before = [] if is_good is None else self._copies()
        for flat, state, options in zip(self._flat, self._state, self._options):
            self._rule(flat, state, options)
        if is_good is not None:
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
        return [{key: x.clone() for key, x in own.items()} for own in self._tensors()]

    def _choose(self, before: List[Dict[str, Tensor]], is_good: Tensor) -> None:
        """Leave what is now where `is_good` [] is true, else as before."""
        for own, old in zip(self._tensors(), before):
            for key, x in own.items():
                zero = torch.zeros_like(x)  # before the first step
                choose(is_good, [x], [old.get(key, zero)])

    def _tensors(self) -> List[Dict[str, Tensor]]:
        """Each vector and its state."""
        pairs = zip(self._flat, self._state)
        return [{"": flat.detach(), **state} for flat, state in pairs]

    def _gather(self) -> List[Tensor]:
        """Take parameters and gradients as they are now; none counts as zero."""
        self._refresh()
        gathered = []
        for params, flat in zip(self._params, self._flat):
            grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
            flat.grad = _join(grads)
            gathered.append(flat.grad)
        return gathered

    def _refresh(self) -> None:
        for params, flat in zip(self._params, self._flat):
            flat.data = _join(params)

    # Checkpoints, in torch's layout

    def state_dict(self, count: Optional[int] = None) -> Dict[str, Any]:
        """Return the state parameter by parameter, of the first `count` or of all.

        A host's own QMIX has just the first ones, and its optimiser can load this.
        """
        state: Dict[int, Dict[str, Tensor]] = {}
        groups, first = [], 0
        for own, options, params in zip(self._state, self._options, self._params):
            numbers = list(range(first, first + len(params)))
            state.update(zip(numbers, _each(own, params)))
            groups.append(
                {**options, "params": [i for i in numbers if _within(i, count)]}
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
        is_adam = "betas" in self._rule.defaults
        if any(("betas" in group) != is_adam for group in groups):
            raise ValueError(f"the state is not that of {self.name}")
        names = ("step", *self._rule.moments)
        state = []
        for group, params in zip(groups, self._params):
            each = [content["state"].get(i, {}) for i in group["params"]]
            state.append(_joined(each, params, names) if any(each) else {})
        self._refresh()
        self._state = state
        for own, group in zip(self._options, groups):
            own.update((key, group[key]) for key in own if key in group)


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
    state: Dict[str, Tensor], params: List[nn.Parameter]
) -> List[Dict[str, Tensor]]:
    """The state of a group's vector, parameter by parameter; nothing is shared."""
    found: List[Dict[str, Tensor]] = [{} for _ in params]
    for key, value in state.items():
        is_count = key == "step"
        parts = [value.cpu()] * len(params) if is_count else _split(value, params)
        for own, part in zip(found, parts):
            own[key] = part.clone()
    return found


def _joined(
    own: List[Dict[str, Any]], params: List[nn.Parameter], names: Sequence[str]
) -> Dict[str, Tensor]:
    """The state of a group's vector; zeros where a parameter has had no gradient.

    Raises:
        ValueError: it has other names, or shapes.
    """
    first, device = next(filter(None, own)), params[0].device
    if not set(names) <= set(first):
        raise ValueError(f"the optimiser's state has no {' and '.join(names)}")
    joined = {"step": torch.tensor(float(first["step"]), device=device)}
    for key in names[1:]:
        parts = [o.get(key, torch.zeros_like(p)).to(p) for o, p in zip(own, params)]
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
    if host.optimizer == "adam":
        return FlatOptimiser(ADAM, groups, **options)
    options.update(alpha=host.optim_alpha, eps=host.optim_eps)
    return FlatOptimiser(RMSPROP, groups, **options)


def grad_norm(params: Iterable[nn.Parameter]) -> Tensor:
    """L2 norm over the gradients of all given parameters; zero where there are none."""
    params = list(params)
    norms = [torch.linalg.norm(p.grad) for p in params if p.grad is not None]
    if not norms:
        return torch.zeros((), device=params[0].device)
    norm: Tensor = torch.linalg.norm(torch.stack(norms))
    return norm
