"""Adam and RMSprop on one vector, in torch's own order of operations and by its names.

torch's classes import `torch._dynamo` when they are built and at each step: as long
again as `import torch` takes (docs/performance.md).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Tuple

import torch
from torch import Tensor

Options = Dict[str, Any]


class UpdateRule(NamedTuple):
    """How one vector [N] is changed by its gradient [N].

    Attributes:
        name: of torch's class. `defaults`: its options, as its state dicts have them.
        moments: names of the vectors [N] that it keeps, 0 before the first step.
        change: (vector, gradient, state, options) → None; `state["step"]` [] counts
            from 1.
    """

    name: str
    defaults: Options
    moments: Tuple[str, ...]
    change: Callable[[Tensor, Tensor, Dict[str, Tensor], Mapping[str, Any]], None]

    def __call__(
        self, x: Tensor, state: Dict[str, Tensor], options: Mapping[str, Any]
    ) -> None:
        """Change `x` [N] by `x.grad` [N], and its state, which may be empty."""
        assert x.grad is not None
        if not state:
            state["step"] = torch.zeros((), device=x.device)
            state.update((name, torch.zeros_like(x)) for name in self.moments)
        state["step"] += 1
        grad, decay = x.grad, options["weight_decay"]
        self.change(x, grad.add(x, alpha=decay) if decay else grad, state, options)


def _adam(
    x: Tensor, grad: Tensor, state: Dict[str, Tensor], options: Mapping[str, Any]
) -> None:
    """Kingma and Ba (2015), algorithm 1."""
    (beta1, beta2), lr, eps = options["betas"], options["lr"], options["eps"]
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(grad, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if x.device.type == "cpu":
        step = state["step"].item()
        root = (1 - beta2**step) ** 0.5
        x.addcdiv_(
            mean, (square.sqrt() / root).add_(eps), value=-lr / (1 - beta1**step)
        )
        return
    # The count stays where it is: reading it would wait for the device.
    rate = -lr / (1 - beta1 ** state["step"])
    root = (1 - beta2 ** state["step"]).sqrt()
    x.addcdiv_(mean, (square.sqrt() / (root * rate)).add_(eps / rate))


def _rmsprop(
    x: Tensor, grad: Tensor, state: Dict[str, Tensor], options: Mapping[str, Any]
) -> None:
    """Tieleman and Hinton (2012), lecture 6.5; ε outside the root."""
    alpha, square = options["alpha"], state["square_avg"]
    square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
    x.addcdiv_(grad, square.sqrt().add_(options["eps"]), value=-options["lr"])


COMMON = {
    "weight_decay": 0.0,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
}
ADAM = UpdateRule(
    "Adam",
    {
        **{"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False},
        **{**COMMON, "fused": None},
    },
    ("exp_avg", "exp_avg_sq"),
    _adam,
)
RMSPROP = UpdateRule(
    "RMSprop",
    {
        **{"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0.0, "centered": False},
        **COMMON,
    },
    ("square_avg",),
    _rmsprop,
)
