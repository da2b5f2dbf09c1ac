"""Updates whose losses or gradients are not finite change nothing.

On the CPU that is known at once. A GPU would have to be waited for: there the update is
made harmless on the device itself, and what was found is read on log steps.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn


def is_read_at_once(device: torch.device) -> bool:
    """Whether to read a tensor there is not to wait for earlier work."""
    return device.type == "cpu"


class Bad(NamedTuple):
    """The first update that was not finite: when, and its losses and gradient norm."""

    t_env: int
    terms: Dict[str, float]


class FiniteGuard:
    """Whether all updates so far were finite, kept on their device.

    From the first that is not, `judge` says no for all that follow: the networks stay
    those before it.
    """

    def __init__(self) -> None:
        self._names: Tuple[str, ...] = ()
        self._found: Optional[Tuple[Tensor, Tensor, Tensor]] = None

    def judge(self, terms: Dict[str, Tensor], t_env: int) -> Tensor:
        """Say whether this update's step may be taken, [] of bool on the device.

        Args:
            terms: its losses and gradient norm, all of [].
        """
        values = torch.stack([value.detach() for value in terms.values()])
        is_good = values.isfinite().all()
        now = torch.full_like(is_good, t_env, dtype=torch.int64)
        if self._found is not None and self._names == tuple(terms):
            so_far, first, then = self._found
            now = torch.where(so_far, now, first)
            values = torch.where(so_far, values, then)
            is_good = is_good & so_far
        self._names, self._found = tuple(terms), (is_good, now, values)
        return is_good

    def first_bad(self) -> Optional[Bad]:
        """Read the device: the first update that was not finite, and forget it."""
        if self._found is None or self._found[0].item():
            return None
        _, t_env, values = self._found
        self._found = None
        return Bad(int(t_env.item()), dict(zip(self._names, values.tolist())))


class Snapshot:
    """What parts of a learner were before an update.

    Args:
        parts: each has `snapshot()`, and `restore(taken, unless)` that puts back what
            that returned, but where `unless` [] is true.
    """

    def __init__(self, parts: Iterable[Any]) -> None:
        self._taken = [(part, part.snapshot()) for part in parts]

    def restore(self, unless: Tensor) -> None:
        """Put everything back, unless `unless` [] is true; nothing is waited for."""
        for part, taken in self._taken:
            part.restore(taken, unless)


class Statistics:
    """What networks keep besides parameters (of a batch normalisation, say)."""

    def __init__(self, nets: Iterable[nn.Module]) -> None:
        self._buffers = [buffer for net in nets for buffer in net.buffers()]

    def snapshot(self) -> List[Tensor]:
        """Return copies."""
        return [buffer.clone() for buffer in self._buffers]

    def restore(self, taken: List[Tensor], unless: Tensor) -> None:
        """Put copies back, unless `unless` [] is true."""
        choose(unless, self._buffers, taken)


def chosen(
    keep: Tensor, now: Iterable[Tensor], before: Iterable[Tensor]
) -> Tuple[Tensor, ...]:
    """Return `now` where `keep` [] is true, else `before`.

    What was not replaced stays as it is, on whatever device: it may be another than
    that of `keep`.
    """
    return tuple(
        new if new is old else torch.where(keep, new, old.to(new))
        for new, old in zip(now, before)
    )


@torch.no_grad()
def choose(keep: Tensor, tensors: Iterable[Tensor], before: Iterable[Tensor]) -> None:
    """Leave `tensors` as they are where `keep` [] is true, else as `before`."""
    for tensor, old in zip(tensors, before):
        tensor.copy_(torch.where(keep, tensor, old))
