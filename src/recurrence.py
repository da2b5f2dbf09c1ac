"""Linear, ReLU and GRU over whole sequences in one call, for several networks at once.

On the CPU one loop of few operations per slot, each on data that still lies in the
cache, forward and backward; on a GPU the library's own GRU. `K` networks, `T` time
slots, `N` sequences, `I` inputs, `F` units of the linear layer, `H` hidden units.
"""

from __future__ import annotations

import math
from typing import Any, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_relu_backward = torch.ops.aten.threshold_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input

Part = Tuple[nn.Linear, nn.GRUCell]


def recurrent(parts: Sequence[Part], x: Tensor) -> List[Tensor]:
    """Run networks of Linear, ReLU and a GRU cell from zero hidden states.

    Args:
        parts: (linear, cell) of each network; those of equal sizes share one loop.
        x: [B, T, A, I]; the A agents of an episode are sequences of their own. Fastest
            where the memory runs over T first, as `wqmix.inputs` lays it out.

    Returns:
        The hidden states of each network [T, B, A, H], as they lie in memory.
    """
    b, t, a, _ = x.shape
    x = x.transpose(0, 1).reshape(t, b * a, -1)
    if x.is_cuda or x.requires_grad:
        hidden = [_library_gru(linear, cell, x) for linear, cell in parts]
    elif len({_kind(*part) for part in parts}) == 1:
        hidden = _together(parts, x)
    else:
        hidden = [h for part in parts for h in _together([part], x)]
    return [h.unflatten(1, (b, a)) for h in hidden]


def _kind(linear: nn.Linear, cell: nn.GRUCell) -> Tuple[Any, ...]:
    """What networks that share a loop have in common."""
    weight = linear.weight
    return weight.shape, cell.hidden_size, weight.dtype, weight.requires_grad


def _gru_weights(cell: nn.GRUCell) -> Tuple[Tensor, ...]:
    return cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh


def _library_gru(linear: nn.Linear, cell: nn.GRUCell, x: Tensor) -> Tensor:
    h0 = x.new_zeros(1, x.shape[1], cell.hidden_size)
    f, gru = torch.relu_(linear(x)), _gru_weights(cell)
    return torch.gru(f, h0, gru, True, 1, 0.0, cell.training, False, False)[0]


def _together(parts: Sequence[Part], x: Tensor) -> Sequence[Tensor]:
    weights: List[Tensor] = []
    for linear, cell in parts:
        weights += (linear.weight, linear.bias, *_gru_weights(cell))
    return _Recurrent.apply(x, *weights)


def _gates(x: Tensor, size: int) -> List[Tensor]:
    """Cut [..., 4 H] into n, r, z, m, and r–z, n–z, r–m, that lie side by side."""
    ends = ((0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (0, 3), (1, 4))
    return [x.narrow(-1, i * size, (j - i) * size) for i, j in ends]


def _slots(*tensors: Tensor) -> List[Tuple[Tensor, ...]]:
    """Cut [K, T, ...] into T tuples of [K, ...]."""
    return list(zip(*(x.unbind(1) for x in tensors)))


class _Recurrent(torch.autograd.Function):
    """f = relu(W x + b); r, z = σ(V f + U h + c); m = U_m h + d; n = tanh(V_n f + c_n +
    r m); h ← n + z (h − n).

    tanh(y) is taken as 2 σ(2 y) − 1, several times faster here; V_n, c_n are doubled
    for it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tuple[Tensor, ...]:
        stacked = [torch.stack(weights[i::6]) for i in range(6)]  # [K, ...]
        w1, b1, w_ih, w_hh, b_ih, b_hh = stacked
        (count, f_size, _), (t_max, n_seq, _) = w1.shape, x.shape
        size = w_hh.shape[2]
        is_training = any(ctx.needs_input_grad)
        kept = t_max if is_training else 1  # else slots overwrite each other
        widths = ((t_max + 1, size), (kept, f_size), (kept, 4 * size))
        shapes = [(count, slots, n_seq, width) for slots, width in widths]
        sizes = [math.prod(shape) for shape in shapes]
        ctx.buffer = _BUFFERS.take(sum(sizes), x) if is_training else None
        memory = x.new_empty(sum(sizes)) if ctx.buffer is None else ctx.buffer
        parts = memory[: sum(sizes)].split(sizes)
        h, f, gates = (part.view(shape) for part, shape in zip(parts, shapes))
        h[:, 0] = 0

        w_ih = w_ih.roll(size, 1)  # its rows as the gates lie: n, r, z
        doubled = torch.cat([2 * w_ih[:, :size], w_ih[:, size:]], 1).transpose(1, 2)
        bias = _gate_biases(b_ih, b_hh, size).unsqueeze(1)
        b1, w1_t, w_hh_t = b1.unsqueeze(1), w1.transpose(1, 2), w_hh.transpose(1, 2)
        minus_one = x.new_tensor(-1.0)
        hidden, slots = h.unbind(1), _slots(f, gates, *_gates(gates, size))
        for t, x_t in enumerate(_for_each(count, x)):
            h_t, (f_t, slot, n, r, z, m, rz, nrz, rzm) = hidden[t], slots[t % kept]
            torch.baddbmm(b1, x_t, w1_t, out=f_t).relu_()
            slot.copy_(bias)
            nrz.baddbmm_(f_t, doubled)
            rzm.baddbmm_(h_t, w_hh_t)
            rz.sigmoid_()
            n.addcmul_(r, m, value=2).sigmoid_()
            torch.add(minus_one, n, alpha=2, out=n)
            torch.lerp(n, h_t, z, out=hidden[t + 1])
        if is_training:
            ctx.save_for_backward(x, w_ih, w_hh, h, f, gates)
        return h[:, 1:].unbind(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tuple[Any, ...]:
        x, w_ih, w_hh, h, f, gates = ctx.saved_tensors
        (count, _, n_seq, f_size), size = f.shape, h.shape[3]
        d_all = x.new_empty(count, n_seq, 4 * size + f_size)  # of n, r, z, m, f
        d_n, d_r, d_z, d_m, _, d_nrz, d_rzm = _gates(d_all[..., : 4 * size], size)
        d_f, d_f_in = d_all[..., 4 * size :], x.new_empty(count, n_seq, f_size)
        d_h, work = (x.new_empty(count, n_seq, size) for _ in range(2))
        carry = x.new_zeros(count, n_seq, size)
        ones = x.new_ones(count, 1, n_seq)
        g1 = x.new_zeros(count, f_size, x.shape[2])
        g_ih, g_hh = torch.zeros_like(w_ih), torch.zeros_like(w_hh)
        g_bias = x.new_zeros(count, 1, d_all.shape[2])
        d_f_t, d_nrz_t, d_rzm_t = (d.transpose(1, 2) for d in (d_f, d_nrz, d_rzm))
        n_to_m = _gates(gates, size)[:4]
        slots = _slots(h[:, :-1], f, *n_to_m, _for_each(count, x).transpose(0, 1))
        each, grads_t = list(zip(d_h, carry)), list(zip(*(g.unbind(0) for g in grads)))
        for grad_t, (h_t, f_t, n, r, z, m, x_t) in zip(grads_t[::-1], slots[::-1]):
            for grad_k, (d_h_k, carry_k) in zip(grad_t, each):
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
            g1.baddbmm_(d_f_t, x_t)
            g_ih.baddbmm_(d_nrz_t, f_t)
            g_hh.baddbmm_(d_rzm_t, h_t)
            g_bias.baddbmm_(ones, d_all)
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
        return (None, *(part for network in zip(*stacked) for part in network))


def _for_each(count: int, x: Tensor) -> Tensor:
    """Give each network the same inputs, [T, N, I] → [T, K, N, I], without a copy."""
    return x.unsqueeze(1).expand(-1, count, -1, -1)


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
        """Return at least `size` elements of `like`'s type: the best that is free."""
        fitting = [b for b in self._free if b.dtype == like.dtype and len(b) >= size]
        if fitting:
            best = min(fitting, key=len)
        else:  # a smaller one will hardly be asked for again
            self._free = [b for b in self._free if b.dtype != like.dtype]
            return like.new_empty(size)
        self._free = [b for b in self._free if b is not best]
        return best

    def give(self, buffer: Tensor) -> None:
        """Take back what nobody reads any more."""
        self._free.append(buffer)


_BUFFERS = _Buffers()
