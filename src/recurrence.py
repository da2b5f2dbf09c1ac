"""A GRU over whole sequences in one call, with a backward pass of few operations.

`T` time slots, `N` sequences, `I` inputs, `H` hidden units.
"""

from __future__ import annotations

from typing import Any, Tuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_tanh_backward = torch.ops.aten.tanh_backward.grad_input


def gru(cell: nn.GRUCell, x: Tensor) -> Tensor:
    """Run a GRU cell from zero hidden states.

    Args:
        x: [T, N, I].

    Returns:
        The hidden states [T, N, H].
    """
    weights = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
    if x.is_cuda:
        h0 = x.new_zeros(1, x.shape[1], cell.hidden_size)
        return torch.gru(x, h0, weights, True, 1, 0.0, cell.training, False, False)[0]
    return _GRU.apply(x, *weights)


def gru_over_episodes(cell: nn.GRUCell, x: Tensor) -> Tensor:
    """Run a GRU cell over the sequences of all agents of all episodes.

    Args:
        x: [B, T, A, I].

    Returns:
        The hidden states [B, T, A, H].
    """
    b, t, a, _ = x.shape
    h = gru(cell, x.transpose(0, 1).reshape(t, b * a, -1))
    return h.unflatten(1, (b, a)).transpose(0, 1)


class _GRU(torch.autograd.Function):
    """GRU on the CPU: gates of all slots at once, then one loop of in-place steps.

    r, z = σ(W x + b + U h), n = tanh(W_n x + b + r (U_n h + c)), h ← n + z (h − n).
    The backward loop only carries ∂h; all weight gradients are products after it.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor
    ) -> Tensor:
        t_max, n_seq, _ = x.shape
        size = w_hh.shape[1]
        w_rz, w_n = w_hh[: 2 * size].t(), w_hh[2 * size :].t()
        bias_rz = b_ih[: 2 * size] + b_hh[: 2 * size]
        flat = x.reshape(t_max * n_seq, -1)
        rz = torch.addmm(bias_rz, flat, w_ih[: 2 * size].t())
        n = torch.addmm(b_ih[2 * size :], flat, w_ih[2 * size :].t())
        rz, n = rz.view(t_max, n_seq, 2 * size), n.view(t_max, n_seq, size)
        h = x.new_empty(t_max + 1, n_seq, size)
        hn = x.new_empty(t_max, n_seq, size)
        h[0], hn[0] = 0, b_hh[2 * size :]  # no product with the first, zero state
        for t in range(t_max):
            rz_t, n_t, hn_t = rz[t], n[t], hn[t]
            if t > 0:
                rz_t.addmm_(h[t], w_rz)
                torch.addmm(b_hh[2 * size :], h[t], w_n, out=hn_t)
            rz_t.sigmoid_()
            n_t.addcmul_(rz_t[:, :size], hn_t).tanh_()
            torch.lerp(n_t, h[t], rz_t[:, size:], out=h[t + 1])
        ctx.save_for_backward(flat, w_ih, w_hh, rz, n, hn, h)
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, ...]:
        x, w_ih, w_hh, rz, n, hn, h = ctx.saved_tensors
        t_max, n_seq, size = n.shape
        w_rz, w_n = w_hh[: 2 * size], w_hh[2 * size :]
        d_rz, d_n, d_hn = torch.empty_like(rz), torch.empty_like(n), torch.empty_like(n)
        carry = x.new_zeros(n_seq, size)
        d_h, work = torch.empty_like(carry), torch.empty_like(carry)
        for t in reversed(range(t_max)):
            r, z = rz[t, :, :size], rz[t, :, size:]
            torch.add(grad[t], carry, out=d_h)
            torch.mul(d_h, z, out=carry)
            torch.sub(h[t], n[t], out=work).mul_(d_h)
            _sigmoid_backward(work, z, grad_input=d_rz[t, :, size:])
            _tanh_backward(d_h.sub_(carry), n[t], grad_input=d_n[t])
            torch.mul(d_n[t], hn[t], out=work)
            _sigmoid_backward(work, r, grad_input=d_rz[t, :, :size])
            torch.mul(d_n[t], r, out=d_hn[t])
            if t > 0:
                carry.addmm_(d_rz[t], w_rz).addmm_(d_hn[t], w_n)
        d_rz, d_n = d_rz.view(-1, 2 * size), d_n.view(-1, size)
        d_hn, h = d_hn.view(-1, size), h[:-1].reshape(-1, size)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (d_rz @ w_ih[: 2 * size]).addmm_(d_n, w_ih[2 * size :])
            d_x = d_x.view(t_max, n_seq, -1)
        d_w_ih = torch.cat([d_rz.t() @ x, d_n.t() @ x])
        d_w_hh = torch.cat([d_rz.t() @ h, d_hn.t() @ h])
        sum_rz = d_rz.sum(0)
        d_b_ih = torch.cat([sum_rz, d_n.sum(0)])
        return d_x, d_w_ih, d_w_hh, d_b_ih, torch.cat([sum_rz, d_hn.sum(0)])
