"""The recurrent utility network of the QMIX papers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Tuple

import torch as th
import torch.nn as nn
import torch.nn.functional as F

from ...utils.initial import orthogonal


class RNNAgent(nn.Module):
    """Linear, ReLU, GRU cell, Linear: inputs `[N, I]` to utilities `[N, U]`.

    PyMARL2's options: `use_layer_norm` normalises the hidden state before the last
    layer; with `use_orthogonal` both linear layers start orthogonal, the last one times
    `gain`.
    """

    def __init__(self, input_shape: int, args: SimpleNamespace) -> None:
        super().__init__()
        self.args = args
        self.fc1 = nn.Linear(input_shape, args.rnn_hidden_dim)
        self.rnn = nn.GRUCell(args.rnn_hidden_dim, args.rnn_hidden_dim)
        self.fc2 = nn.Linear(args.rnn_hidden_dim, args.n_actions)
        if args.use_layer_norm:
            self.layer_norm = nn.LayerNorm(args.rnn_hidden_dim)
        if args.use_orthogonal:
            orthogonal(self.fc1)
            orthogonal(self.fc2, args.gain)

    def init_hidden(self) -> th.Tensor:
        """A zero state `[1, H]` on the network's device."""
        return self.fc1.weight.new_zeros(1, self.args.rnn_hidden_dim)

    def forward(
        self, inputs: th.Tensor, hidden_state: th.Tensor
    ) -> Tuple[th.Tensor, th.Tensor]:
        """Returns utilities `[N, U]` and the next hidden state `[N, H]`."""
        x = F.relu(self.fc1(inputs))
        h_in = hidden_state.reshape(-1, self.args.rnn_hidden_dim)
        h = self.rnn(x, h_in)
        return self.fc2(self.layer_norm(h) if self.args.use_layer_norm else h), h
