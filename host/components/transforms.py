"""Transforms that an EpisodeBatch applies to a field as it is written."""

from __future__ import annotations

from typing import Any, Tuple

import torch as th


class Transform:
    """Maps a field to a derived one; says beforehand what shape that has."""

    def transform(self, tensor: th.Tensor) -> th.Tensor:
        raise NotImplementedError

    def infer_output_info(
        self, vshape_in: Any, dtype_in: th.dtype
    ) -> Tuple[Any, th.dtype]:
        raise NotImplementedError


class OneHot(Transform):
    """Indices `[..., 1]` to one-hot vectors `[..., out_dim]`."""

    def __init__(self, out_dim: int) -> None:
        self.out_dim = out_dim

    def transform(self, tensor: th.Tensor) -> th.Tensor:
        one_hot = tensor.new_zeros(*tensor.shape[:-1], self.out_dim, dtype=th.float32)
        return one_hot.scatter_(-1, tensor.long(), 1)

    def infer_output_info(
        self, vshape_in: Any, dtype_in: th.dtype
    ) -> Tuple[Any, th.dtype]:
        return (self.out_dim,), th.float32
