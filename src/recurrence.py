"""Linear, ReLU and GRU over whole sequences in one call.

On the CPU one loop of few operations per slot, each on data that still lies in the
cache, forward and backward; on a GPU the library's own GRU. `T` time slots, `N`
sequences, `I` inputs, `F` units of the linear layer, `H` hidden units.
"""

from __future__ import annotations

from typing import Any, List, Tuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_relu_backward = torch.ops.aten.threshold_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def recurrent(linear: nn.Linear, cell: nn.GRUCell, x: Tensor) -> Tensor:
    """Run Linear, ReLU and a GRU cell from zero hidden states.

    Args:
        x: [B, T, A, I]; the A agents of an episode are sequences of their own. Fastest
            where the memory runs over T first, as `wqmix.inputs` lays it out.

    Returns:
        The hidden states [B, T, A, H].
    """
    b, t, a, _ = x.shape
    x = x.transpose(0, 1).reshape(t, b * a, -1)
    gru = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    if x.is_cuda or x.requires_grad:
        h0 = x.new_zeros(1, b * a, cell.hidden_size)
        x = torch.relu_(linear(x))
        h = torch.gru(x, h0, gru, True, 1, 0.0, cell.training, False, False)[0]
    else:
        h = _Recurrent.apply(x, linear.weight, linear.bias, *gru)
    return h.unflatten(1, (b, a)).transpose(0, 1)


class _Recurrent(torch.autograd.Function):
    """f = relu(W x + b); r, z = σ(V f + U h + c); n = tanh(V_n f + c + r (U_n h + d));
    h ← n + z (h − n).

    f and h lie side by side, so that the gates r, z and their gradients are one product
    each. tanh(y) is taken as 2 σ(2 y) − 1, which is several times faster here.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, w1: Tensor, b1: Tensor, *gru: Tensor) -> Tensor:
        w_ih, w_hh, b_ih, b_hh = gru
        (t_max, n_seq, _), size, f_size = x.shape, w_hh.shape[1], w_ih.shape[1]
        w_rz = torch.cat([w_ih[: 2 * size], w_hh[: 2 * size]], 1)
        b_rz = (b_ih + b_hh)[: 2 * size]
        w_n, u_n, b_n, d_n = (part[2 * size :] for part in gru)
        is_training = any(ctx.needs_input_grad)
        kept = t_max if is_training else 1  # else slots overwrite each other
        fh = x.new_empty(kept, n_seq, f_size + size)
        rz = x.new_empty(kept, n_seq, 2 * size)
        n, hn = x.new_empty(kept, n_seq, size), x.new_empty(kept, n_seq, size)
        h = x.new_empty(t_max, n_seq, size)
        for t in range(t_max):
            fh_t, rz_t, n_t, hn_t = (kind[t % kept] for kind in (fh, rz, n, hn))
            f_t, h_t = fh_t[:, :f_size], fh_t[:, f_size:]
            torch.addmm(b1, x[t], w1.t(), out=f_t).relu_()
            h_t.copy_(h[t - 1]) if t > 0 else h_t.zero_()
            torch.addmm(b_rz, fh_t, w_rz.t(), out=rz_t).sigmoid_()
            torch.addmm(b_n, f_t, w_n.t(), out=n_t)
            torch.addmm(d_n, h_t, u_n.t(), out=hn_t)
            n_t.addcmul_(rz_t[:, :size], hn_t).mul_(2).sigmoid_().mul_(2).sub_(1)
            torch.lerp(n_t, h_t, rz_t[:, size:], out=h[t])
        if is_training:
            ctx.save_for_backward(x, w_rz, w_n, u_n, fh, rz, n, hn)
        return h

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:
        x, w_rz, w_n, u_n, fh, rz, n, hn = ctx.saved_tensors
        (t_max, n_seq, size), f_size = n.shape, w_n.shape[1]
        ones = x.new_ones(n_seq)
        d_rz, d_fh = torch.empty_like(rz[0]), torch.empty_like(fh[0])
        d_h, d_n, d_hn, work, carry = (torch.empty_like(n[0]) for _ in range(5))
        d_f, carried = torch.empty_like(fh[0, :, :f_size]), d_fh[:, f_size:]
        carry.zero_()
        into_rz, into_n, into_hn = (_Gradient(w) for w in (w_rz, w_n, u_n))
        into_1 = _Gradient(x.new_empty(f_size, x.shape[2]))
        for t in reversed(range(t_max)):
            f_t, h_t = fh[t, :, :f_size], fh[t, :, f_size:]
            r, z = rz[t, :, :size], rz[t, :, size:]
            torch.add(grad[t], carry, out=d_h)
            torch.mul(d_h, z, out=carry)
            torch.sub(h_t, n[t], out=work).mul_(d_h)
            _sigmoid_backward(work, z, grad_input=d_rz[:, size:])
            _tanh_backward(d_h.sub_(carry), n[t], grad_input=d_n)
            torch.mul(d_n, hn[t], out=work)
            _sigmoid_backward(work, r, grad_input=d_rz[:, :size])
            torch.mul(d_n, r, out=d_hn)
            torch.mm(d_rz, w_rz, out=d_fh)
            carry.add_(carried).addmm_(d_hn, u_n)
            torch.addmm(d_fh[:, :f_size], d_n, w_n, out=d_f)
            _relu_backward(d_f, f_t, 0, grad_input=d_f)
            into_rz.add(d_rz, fh[t], ones)
            into_n.add(d_n, f_t, ones)
            into_hn.add(d_hn, h_t, ones)
            into_1.add(d_f, x[t], ones)
        gru = _gru_gradients(into_rz, into_n, into_hn, f_size)
        return (None, into_1.weight, into_1.bias, *gru)


class _Gradient:
    """Gradient of one linear map, summed slot by slot."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = torch.zeros_like(weight)
        self.bias = weight.new_zeros(weight.shape[0])

    def add(self, d_out: Tensor, inputs: Tensor, ones: Tensor) -> None:
        """Add one slot's share: d_outᵀ · inputs, and the sum of d_out over N."""
        self.weight.addmm_(d_out.t(), inputs)
        self.bias.addmv_(d_out.t(), ones)


def _gru_gradients(
    rz: _Gradient, n: _Gradient, hn: _Gradient, f_size: int
) -> List[Tensor]:
    """Gradients of a cell's (weight_ih, weight_hh, bias_ih, bias_hh)."""
    return [
        torch.cat([rz.weight[:, :f_size], n.weight]),
        torch.cat([rz.weight[:, f_size:], hn.weight]),
        torch.cat([rz.bias, n.bias]),
        torch.cat([rz.bias, hn.bias]),
    ]
