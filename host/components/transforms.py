"""Transforms that an EpisodeBatch applies to a field as it is written."""

import torch as th


class Transform:
    """Maps a field to a derived one; says beforehand what shape that has."""

    def transform(self, tensor):
        raise NotImplementedError

    def infer_output_info(self, vshape_in, dtype_in):
        raise NotImplementedError


class OneHot(Transform):
    """Indices `[..., 1]` to one-hot vectors `[..., out_dim]`."""

    def __init__(self, out_dim):
        self.out_dim = out_dim

    def transform(self, tensor):
        one_hot = tensor.new_zeros(*tensor.shape[:-1], self.out_dim, dtype=th.float32)
        return one_hot.scatter_(-1, tensor.long(), 1)

    def infer_output_info(self, vshape_in, dtype_in):
        return (self.out_dim,), th.float32
