"""What a host's controller does with a batch, function by function.

Two slots are run on tensors that note which of PyTorch's functions they go through. Of
what only reshapes, and of linear layers, ReLU, GRU cells and layer norms, the outcome's
form cannot depend on the numbers in the batch: what is compared once holds for every
batch. Anything else (a mask, a comparison, `item`) might.
"""

from __future__ import annotations

from typing import Any, Optional

import torch
from torch import Tensor, nn

WEIGHTS_FROM = {"linear": 1, "gru_cell": 2, "layer_norm": 1}  # of the arguments
RESHAPING = set(
    "__get__ __getitem__ __len__ cat chunk clone concat contiguous dim double expand "
    "expand_as flatten float is_floating_point movedim narrow new new_zeros numel "
    "permute repeat reshape select size split squeeze stack swapaxes to transpose type "
    "type_as unbind unflatten unsqueeze view view_as zeros_like".split()
)
KNOWN = set(WEIGHTS_FROM) | RESHAPING | {"relu", "relu_"}
OF_A_BATCH = {"batch_size", "max_seq_length", "device", "scheme", "groups"}
SLOTS = 2  # the first has no last action


class _Noting(Tensor):
    """A tensor that notes the first use of a function that is not known."""

    unknown: Optional[str] = None

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(function, "__name__", repr(function))
        if name not in KNOWN:
            cls.note(f"`{name}`")
        elif name == "__getitem__" and not _is_by_place(args[1]):
            cls.note("an index of values")
        elif name in WEIGHTS_FROM and not _has_kept(name, args, kwargs or {}):
            cls.note(f"`{name}` of weights that are computed")
        forward: Any = super().__torch_function__  # which has no types
        return forward(function, types, args, kwargs or {})

    @classmethod
    def note(cls, what: str) -> None:
        """Keep the first."""
        _Noting.unknown = _Noting.unknown or what


class _Batch:
    """A host's EpisodeBatch whose tensors note what is done with them."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getitem__(self, key: Any) -> Any:
        value = self._batch[key]
        if isinstance(value, Tensor):
            return value.as_subclass(_Noting)
        is_part = isinstance(value, type(self._batch))
        return _Batch(value) if is_part else value  # PyMARLzoo+: batch["device"]

    def __getattr__(self, name: str) -> Any:
        if name not in OF_A_BATCH:
            _Noting.note(f"the batch's {name!r}")
        return getattr(self._batch, name)


@torch.no_grad()
def unknown_function(mac: Any, batch: Any) -> Optional[str]:
    """Return what a controller does whose outcome might depend on the data, or None.

    Its hidden states are those that an unroll of this batch has left.
    """
    _Noting.unknown = None
    try:
        for t in range(min(SLOTS, batch.max_seq_length)):
            mac.forward(_Batch(batch), t=t)
    except Exception as error:  # it needs more of a batch than this one is
        return f"what fails on a batch that is watched ({type(error).__name__})"
    return _Noting.unknown


def _is_by_place(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or isinstance(part, (int, slice)) for part in parts)


def _has_kept(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a layer's weights are parameters, not something made of them."""
    weights = [*args[WEIGHTS_FROM[name] :], *kwargs.values()]
    return all(isinstance(x, nn.Parameter) for x in weights if isinstance(x, Tensor))
