"""Linear, ReLU and GRU over whole sequences in one call, for several networks at once.

On the CPU one loop of few operations per slot, each on data that still lies in the
cache, forward and backward; on a GPU the library's own GRU.

Sequences of different lengths lie slot after slot without padding, the longest first in
each: `T` slots with N_0 ≥ N_1 ≥ … sequences, `R` = Σ N_t rows of all. `K` networks, `I`
inputs, `F` units of the linear layer, `H` hidden units.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .slots import Slots

_relu_backward = torch.ops.aten.threshold_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input

Part = Tuple[nn.Linear, nn.GRUCell]


def recurrent(parts: Sequence[Part], x: Tensor, sizes: List[int]) -> List[Tensor]:
    """Run networks of Linear, ReLU and a GRU cell from zero hidden states.

    Args:
        parts: (linear, cell) of each network; those of equal sizes share one loop.
        x: [R, I].
        sizes: N_0, N_1 …

    Returns:
        The hidden states of each network [R, H].
    """
    if x.is_cuda or x.requires_grad:
        return [_library_gru(linear, cell, x, sizes) for linear, cell in parts]
    if len({_kind(*part) for part in parts}) == 1:
        return list(_together(parts, x, sizes))
    return [h for part in parts for h in _together([part], x, sizes)]


def recurrent_agents(parts: Sequence[Part], x: Tensor, slots: Slots) -> List[Tensor]:
    """As `recurrent`, where the A agents of an episode are sequences of their own.

    Args:
        x: [P, A, I].
        slots: which ones they are.

    Returns:
        The hidden states of each network [P, A, H].
    """
    shape = x.shape[:2]
    sizes = [n * shape[1] for n in slots.sizes]
    return [h.unflatten(0, shape) for h in recurrent(parts, x.flatten(0, 1), sizes)]


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Let a GPU's recurrences compute in float32: cuDNN's default is TF32 of 10 bits.

    With it they would differ from the hosts' own cells, which are not cuDNN's.
    """
    where: Any = torch.backends.cudnn
    exact: Any
    if hasattr(getattr(where, "rnn", None), "fp32_precision"):  # since torch 2.9
        where, flag, exact = where.rnn, "fp32_precision", "ieee"
    else:
        flag, exact = "allow_tf32", False
    before = getattr(where, flag)
    setattr(where, flag, exact)
    try:
        yield
    finally:
        setattr(where, flag, before)


def _kind(linear: nn.Linear, cell: nn.GRUCell) -> Tuple[Any, ...]:
    """What networks that share a loop have in common."""
    weight = linear.weight
    return weight.shape, cell.hidden_size, weight.dtype, weight.requires_grad


def _gru_weights(cell: nn.GRUCell) -> Tuple[Tensor, ...]:
    return cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh


def _library_gru(
    linear: nn.Linear, cell: nn.GRUCell, x: Tensor, sizes: List[int]
) -> Tensor:
    h0 = x.new_zeros(1, sizes[0], cell.hidden_size)
    f = torch.relu_(linear(x))
    # Without dropout "training" only says whether a GPU can go backward: a host's
    # controller may have been left in evaluation.
    options = (_gru_weights(cell), True, 1, 0.0, torch.is_grad_enabled(), False)
    if len(set(sizes)) == 1:
        f = f.unflatten(0, (len(sizes), sizes[0]))
        return torch.gru(f, h0, *options, False)[0].flatten(0, 1)
    return torch.gru(f, torch.tensor(sizes), h0, *options)[0]


def _together(parts: Sequence[Part], x: Tensor, sizes: List[int]) -> Sequence[Tensor]:
    weights: List[Tensor] = []
    for linear, cell in parts:
        weights += (linear.weight, linear.bias, *_gru_weights(cell))
    if not torch.is_grad_enabled():  # the function below sees what requires one alone
        weights = [w.detach() for w in weights]
    run: Callable[..., Sequence[Tensor]] = _Recurrent.apply
    return run(x, sizes, *weights)


def _gates(x: Tensor, size: int) -> List[Tensor]:
    """Cut [..., 4 H] into n, r, z, m, and r–z, n–z, r–m, that lie side by side."""
    ends = ((0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (0, 3), (1, 4))
    return [x.narrow(-1, i * size, (j - i) * size) for i, j in ends]


def _slots(sizes: List[int], *tensors: Tensor) -> List[Tuple[Tensor, ...]]:
    """Cut [K, R, ...] into T tuples of [K, N_t, ...]."""
    return list(zip(*(x.split(sizes, 1) for x in tensors)))


def _first(sizes: List[int], *tensors: Tensor) -> Dict[int, Tuple[Tensor, ...]]:
    """The first N_t rows of [K, N_0, ...], for each N_t that there is."""
    return {n: tuple(x.narrow(1, 0, n) for x in tensors) for n in set(sizes)}


class _Recurrent(torch.autograd.Function):
    """f = relu(W x + b); r, z = σ(V f + U h + c); m = U_m h + d; n = tanh(V_n f + c_n +
    r m); h ← n + z (h − n).

    tanh(y) is taken as 2 σ(2 y) − 1, several times faster here; V_n, c_n are doubled
    for it.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, sizes: List[int], *weights: Tensor
    ) -> Tuple[Tensor, ...]:
        stacked = [torch.stack(weights[i::6]) for i in range(6)]  # [K, ...]
        w1, b1, w_ih, w_hh, b_ih, b_hh = stacked
        (count, f_size, _), n_rows = w1.shape, len(x)
        size = w_hh.shape[2]
        is_training = any(ctx.needs_input_grad)
        kept = n_rows if is_training else sizes[0]  # else slots overwrite each other
        widths = ((sizes[0] + n_rows, size), (kept, f_size), (kept, 4 * size))
        shapes = [(count, rows, width) for rows, width in widths]
        numbers = [math.prod(shape) for shape in shapes]
        ctx.buffer = _BUFFERS.take(sum(numbers), x) if is_training else None
        memory = x.new_empty(sum(numbers)) if ctx.buffer is None else ctx.buffer
        parts = memory[: sum(numbers)].split(numbers)
        h, f, gates = (part.view(shape) for part, shape in zip(parts, shapes))
        h[:, : sizes[0]] = 0

        w_ih = w_ih.roll(size, 1)  # its rows as the gates lie: n, r, z
        doubled = torch.cat([2 * w_ih[:, :size], w_ih[:, size:]], 1).transpose(1, 2)
        bias = _gate_biases(b_ih, b_hh, size).unsqueeze(1)
        b1, w1_t, w_hh_t = b1.unsqueeze(1), w1.transpose(1, 2), w_hh.transpose(1, 2)
        minus_one = x.new_tensor(-1.0)
        views = (f, gates, *_gates(gates, size))
        if is_training:
            slots = _slots(sizes, *views)
        else:
            first = _first(sizes, *views)
            slots = [first[n] for n in sizes]
        hidden = h.split([sizes[0], *sizes], 1)
        steps = zip(_for_each(count, x).split(sizes, 1), hidden, hidden[1:], slots)
        for x_t, h_t, h_next, (f_t, slot, n, r, z, m, rz, nrz, rzm) in steps:
            h_t = h_t.narrow(1, 0, h_next.shape[1])  # of the sequences that go on
            torch.baddbmm(b1, x_t, w1_t, out=f_t).relu_()
            slot.copy_(bias)
            nrz.baddbmm_(f_t, doubled)
            rzm.baddbmm_(h_t, w_hh_t)
            rz.sigmoid_()
            n.addcmul_(r, m, value=2).sigmoid_()
            torch.add(minus_one, n, alpha=2, out=n)
            torch.lerp(n, h_t, z, out=h_next)
        if is_training:
            ctx.sizes = sizes
            ctx.save_for_backward(x, w_ih, w_hh, h, f, gates)
        states: Tuple[Tensor, ...] = h[:, sizes[0] :].unbind(0)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tuple[Any, ...]:
        sizes, (x, w_ih, w_hh, h, f, gates) = ctx.sizes, ctx.saved_tensors
        (count, _, f_size), size, n_seq = f.shape, h.shape[2], sizes[0]
        d_all = x.new_empty(count, n_seq, 4 * size + f_size)  # of n, r, z, m, f
        d_gates, d_f = d_all.split([4 * size, f_size], 2)
        d_n, d_r, d_z, d_m, _, d_nrz, d_rzm = _gates(d_gates, size)
        d_f_in = x.new_empty(count, n_seq, f_size)
        d_h, work = (x.new_empty(count, n_seq, size) for _ in range(2))
        carry = x.new_zeros(count, n_seq, size)
        ones = x.new_ones(count, n_seq, 1)
        g1 = x.new_zeros(count, f_size, x.shape[1])
        g_ih, g_hh = torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        g_bias = x.new_zeros(count, 1, d_all.shape[2])
        views = (d_all, d_n, d_r, d_z, d_m, d_nrz, d_rzm, d_f, d_f_in, d_h, work, carry)
        first = _first(sizes, *views, ones)
        slots = _slots(sizes, f, *_gates(gates, size)[:4], _for_each(count, x))
        hidden = h.split([sizes[0], *sizes], 1)[:-1]
        grads_t = zip(*(grad.split(sizes) for grad in grads))
        steps = list(zip(grads_t, hidden, slots))
        for grad_t, h_t, (f_t, n, r, z, m, x_t) in reversed(steps):
            here = first[len(grad_t[0])]
            d_all, d_n, d_r, d_z, d_m, d_nrz, d_rzm, d_f, d_f_in, d_h, *rest = here
            (work, carry, one), h_t = rest, h_t.narrow(1, 0, len(grad_t[0]))
            for grad_k, d_h_k, carry_k in zip(grad_t, d_h, carry):
                torch.add(grad_k, carry_k, out=d_h_k)
            torch.mul(d_h, z, out=carry)
            torch.sub(h_t, n, out=work).mul_(d_h)
            _sigmoid_backward(work, z, grad_input=d_z)
            _tanh_backward(d_h.sub_(carry), n, grad_input=d_n)
            torch.mul(d_n, m, out=work)
            _sigmoid_backward(work, r, grad_input=d_r)
            torch.mul(d_n, r, out=d_m)
            carry.baddbmm_(d_rzm, w_hh)
            torch.bmm(d_nrz, w_ih, out=d_f_in)
            _relu_backward(d_f_in, f_t, 0, grad_input=d_f)
            g1.baddbmm_(d_f.transpose(1, 2), x_t)
            g_ih.baddbmm_(d_nrz.transpose(1, 2), f_t)
            g_hh.baddbmm_(d_rzm.transpose(1, 2), h_t)
            g_bias.baddbmm_(one.transpose(1, 2), d_all)
        if ctx.buffer is not None:
            _BUFFERS.give(ctx.buffer)
            ctx.buffer = None
        g_bias = g_bias.squeeze(1)
        stacked = (
            g1,
            g_bias[:, 4 * size :],
            g_ih.roll(-size, 1),
            g_hh,
            g_bias[:, : 3 * size].roll(-size, 1),
            g_bias[:, size : 4 * size],
        )
        return (None, None, *(part for network in zip(*stacked) for part in network))


def _for_each(count: int, x: Tensor) -> Tensor:
    """Give each network the same inputs, [R, I] → [K, R, I], without a copy."""
    return x.expand(count, *x.shape)


def _gate_biases(b_ih: Tensor, b_hh: Tensor, size: int) -> Tensor:
    """Biases of n (doubled), r, z, m: two [K, 3 H] → [K, 4 H]."""
    both = (b_ih + b_hh)[:, : 2 * size]
    n, m = 2 * b_ih[:, 2 * size :], b_hh[:, 2 * size :]
    return torch.cat([n, both, m], 1)


class _Buffers:
    """Memory that outlives an update: fresh pages cost a quarter of a long one."""

    def __init__(self) -> None:
        self._free: List[Tensor] = []

    def take(self, size: int, like: Tensor) -> Tensor:
        """Return at least `size` elements as `like`'s are: the best that is free."""
        kind = like.dtype, like.device
        of_kind = [b for b in self._free if (b.dtype, b.device) == kind]
        fitting = [b for b in of_kind if len(b) >= size]
        if fitting:
            best = min(fitting, key=len)
        else:  # a smaller one will hardly be asked for again
            self._free = [b for b in self._free if (b.dtype, b.device) != kind]
            return like.new_empty(size)
        self._free = [b for b in self._free if b is not best]
        return best

    def give(self, buffer: Tensor) -> None:
        """Take back what nobody reads any more."""
        self._free.append(buffer)


_BUFFERS = _Buffers()
