"""Which slots of a batch are computed: padding can be left out.

`B` episodes, `T` transitions, `P` used slots of all episodes together.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .guard import is_read_at_once

MOST = 0.95  # all slots are computed where more than this share of them is used


class Slots:
    """The used slots, slot after slot, in each the longest episodes first.

    Args:
        n_episodes, n_slots: of the batch.
        lengths: how many of each episode's slots are used, from the first on
            [n_episodes]; None for all.

    Attributes:
        sizes: how many episodes are still there in each slot; never grows.
    """

    def __init__(
        self, n_episodes: int, n_slots: int, lengths: Optional[Tensor] = None
    ) -> None:
        self._shape = (n_episodes, n_slots)
        self.is_all = lengths is None
        self.sizes: List[int] = [n_episodes] * n_slots
        if lengths is not None:
            ordered, episode = lengths.sort(descending=True, stable=True)
            is_used = ordered > torch.arange(n_slots).unsqueeze(1)
            self.sizes = [n for n in is_used.sum(1).tolist() if n]
            self._slot, rank = is_used.nonzero(as_tuple=True)
            self._episode = episode[rank]

    def pack(self, x: Tensor) -> Tensor:
        """Take the used slots, [B, n_slots, …] → [P, …]."""
        if self.is_all:
            return x.transpose(0, 1).flatten(0, 1)
        return x[self._episode, self._slot]

    def pack_side_by_side(self, parts: Sequence[Tensor]) -> Tensor:
        """Take the used slots of several tensors as one, [B, n_slots, …, ·]."""
        if self.is_all:
            return torch.cat([x.transpose(0, 1) for x in parts], dim=-1).flatten(0, 1)
        return torch.cat([self.pack(x) for x in parts], dim=-1)

    def unpack(self, x: Tensor) -> Tensor:
        """Put values where they belong, [P, …] → [B, n_slots, …]; zero elsewhere."""
        b, t = self._shape
        slots: Tensor
        if self.is_all:
            slots = x.unflatten(0, (t, b))
            return slots.transpose(0, 1)
        padded = x.new_zeros(b * t, *x.shape[1:])
        at = self._episode * t + self._slot
        slots = padded.index_copy(0, at, x).unflatten(0, (b, t))
        return slots

    def each(self, function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
        """Apply a function of single slots; zero where a slot is not used.

        Args:
            function: [·, ·, …] → [·, ·, …], of any number of slots.
            tensors: its arguments [B, n_slots, …].
        """
        if self.is_all:
            return function(*tensors)
        packed = (self.pack(x).unsqueeze(0) for x in tensors)
        return self.unpack(function(*packed).squeeze(0))


def used_slots(mask: Tensor) -> Tuple[Slots, Slots]:
    """Slots that matter to the real transitions: of T + 1, and of T without the last.

    On a GPU all: to know which ones would mean to wait for it.

    Args:
        mask: [B, T, 1], 0 where a transition is not real.
    """
    b, t, _ = mask.shape
    if is_read_at_once(mask.device):
        steps = ((mask.squeeze(2) > 0) * torch.arange(1, t + 1)).amax(1).clamp(min=1)
        if steps.sum() <= MOST * b * t:
            return Slots(b, t + 1, steps + 1), Slots(b, t, steps)
    return Slots(b, t + 1), Slots(b, t)
