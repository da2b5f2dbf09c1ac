"""The fast unroll: equal to the host's own path, or not used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wqmix import recurrence
from wqmix.inputs import agent_inputs
from wqmix.slots import Slots
from wqmix.unroll import Unroll, run_sequences, step_unroll

from .doubles import RNN, Mac, make_args, make_batch, make_learner

U, A = 4, 3


def unroll(mac, mode="auto", batch=None):
    """(utilities, log lines, steps of the controller)."""
    lines = []
    batch = make_batch() if batch is None else batch
    call = Unroll(mode, mac.args, lines.append)
    slots = Slots(batch.batch_size, batch.max_seq_length)
    inputs = agent_inputs(batch, mac.args, slots)
    call(mac, batch, inputs, slots)
    mac.unrolls = 0
    q = call(mac, batch, inputs, slots)
    return q, lines, mac.unrolls


def make_mac(network=None):
    torch.manual_seed(0)
    mac = Mac(make_args(), torch.float64)
    if network is not None:
        mac.agent = network.double()
    return mac


class FeedForward(RNN):
    """EPyMARL's network with `use_rnn: False`."""

    def __init__(self):
        super().__init__(13, 5, U)
        self.rnn = nn.Linear(5, 5)

    def forward(self, x, h):
        h = torch.relu(self.rnn(torch.relu(self.fc1(x))))
        return self.fc2(h), h


class Normed(RNN):
    """PyMARL2's network with `use_layer_norm: True`."""

    def __init__(self):
        super().__init__(13, 5, U)
        self.layer_norm = nn.LayerNorm(5)

    def forward(self, x, h):
        h = self.rnn(torch.relu(self.fc1(x)), h)
        return self.fc2(self.layer_norm(h)), h


class NonShared(nn.Module):
    """EPyMARL's networks of one agent each."""

    def __init__(self):
        super().__init__()
        self.agents = nn.ModuleList(RNN(13, 5, U) for _ in range(A))
        self.fc1 = None  # the double asks for a weight's type and device

    def forward(self, x, h):
        x, h = x.unflatten(0, (-1, A)), h.unflatten(0, (-1, A))
        pairs = [net(x[:, i], h[:, i]) for i, net in enumerate(self.agents)]
        q, h = (torch.stack(parts, 1).flatten(0, 1) for parts in zip(*pairs))
        return q, h


class Tanh(RNN):
    """Of the same parts, put together otherwise."""

    def forward(self, x, h):
        h = self.rnn(torch.tanh(self.fc1(x)), h)
        return self.fc2(h), h


class Detached(RNN):
    """The same outputs, other gradients."""

    def forward(self, x, h):
        h = self.rnn(torch.relu(self.fc1(x)).detach(), h)
        return self.fc2(h), h


class DeadAreZero(RNN):
    """Zero for an agent that observes nothing but zeros, as where it is dead."""

    def forward(self, x, h):
        q, h = super().forward(x, h)
        return q * (x[:, :6] != 0).any(dim=1, keepdim=True), h


class Branching(RNN):
    """Another path, which the first batch does not take."""

    def forward(self, x, h):
        if x.abs().max().item() > 1e6:
            return torch.zeros(len(x), U, dtype=x.dtype), h
        return super().forward(x, h)


class Masked(RNN):
    """A layer's weights are computed; at first they come out as they are."""

    def forward(self, x, h):
        weight = self.fc1.weight * torch.ones_like(self.fc1.weight)
        x = torch.relu(nn.functional.linear(x, weight, self.fc1.bias))
        h = self.rnn(x, h)
        return self.fc2(h), h


def with_hook():
    net = RNN(13, 5, U)
    net.fc1.register_forward_hook(lambda module, x, y: None)
    return net


class NoBias(RNN):
    """A layer and a cell that add nothing."""

    def __init__(self, name):
        super().__init__(13, 5, U)
        layer = {"fc1": nn.Linear(13, 5, bias=False), "rnn": nn.GRUCell(5, 5, False)}
        setattr(self, name, layer[name])


class Noisy(RNN):
    """A part that is not known."""

    def __init__(self):
        super().__init__(13, 5, U)
        self.noise = nn.Linear(5, 5)


@pytest.mark.parametrize("network", [None, FeedForward, Normed, NonShared])
def test_known_networks_run_fast_and_equal(network):
    mac = make_mac(network and network())
    if network is NonShared:
        mac.agent.__dict__["fc1"] = mac.agent.agents[0].fc1
    q, lines, steps = unroll(mac)
    assert steps == 0 and lines == []
    batch = make_batch()
    expected = step_unroll(mac, batch, U)
    assert q.shape == (4, 7, A, U) and (q - expected).abs().max() < 1e-12
    weights = torch.randn_like(q)
    params = list(mac.parameters())
    ours = torch.autograd.grad((q * weights).sum(), params)
    theirs = torch.autograd.grad((expected * weights).sum(), params)
    for mine, their in zip(ours, theirs):
        assert (mine - their).abs().max() < 1e-10


@pytest.mark.parametrize(
    "network, reason",
    [
        (lambda: Tanh(13, 5, U), "outputs differ"),
        (lambda: Detached(13, 5, U), "gradients differ"),
        (Noisy, "Noisy.noise is a Linear"),
        (lambda: NoBias("fc1"), "NoBias.fc1 has no bias"),
        (lambda: NoBias("rnn"), "NoBias.rnn has no bias"),
        (lambda: Branching(13, 5, U), "Branching or its controller uses `"),
        (lambda: Masked(13, 5, U), "uses `linear` of weights that are computed"),
        (with_hook, "RNN has hooks"),
    ],
)
def test_anything_else_goes_step_by_step_and_says_why(network, reason):
    mac = make_mac(network())
    q, lines, steps = unroll(mac)
    assert steps == 1 and len(lines) == 1 and reason in lines[0]
    assert torch.equal(q, step_unroll(mac, make_batch(), U))


def test_other_inputs_go_step_by_step():
    """A controller whose inputs are not the usual ones, though of the same size."""
    mac = make_mac()
    forward = mac.forward

    def shifted(batch, t):
        return forward(batch, max(t - 1, 0))

    mac.forward = shifted
    _, lines, steps = unroll(mac)
    assert steps == 1 and "outputs differ" in lines[0]


def test_a_controller_that_looks_at_the_data_goes_step_by_step():
    """Available actions matter to it where there is none: in padding alone."""
    mac = make_mac()
    forward = mac.forward

    def masking(batch, t):
        is_there = batch["avail_actions"][:, t].sum(dim=2, keepdim=True) > 0
        return torch.where(is_there, forward(batch, t), 0.0)

    mac.forward = masking
    lengths = (6, 6)  # nobody pads the first batch
    _, lines, steps = unroll(mac, batch=make_batch(lengths=lengths))
    assert steps == 1 and "uses" in lines[0]


@pytest.mark.parametrize("name", ["data", "to"])
def test_a_controller_that_takes_the_batch_apart_goes_step_by_step(name):
    mac = make_mac()
    forward = mac.forward

    def taking(batch, t):
        getattr(batch, name, None)
        return forward(batch, t)

    mac.forward = taking
    _, lines, steps = unroll(mac)
    assert steps == 1 and f"the batch's {name!r}" in lines[0]


def test_a_controller_may_ask_the_batch_for_its_device_by_name():
    """As PyMARLzoo+'s does."""
    mac = make_mac()
    forward, batch = mac.forward, make_batch()
    batch.data["device"] = "cpu"

    def asking(batch, t):
        torch.zeros(1, device=batch["device"])
        return forward(batch, t)

    mac.forward = asking
    _, lines, _ = unroll(mac, batch=batch)
    assert "uses" not in "".join(lines)


def test_a_controller_that_fails_on_a_watched_batch_goes_step_by_step():
    mac = make_mac()
    forward = mac.forward

    def exact(batch, t):
        assert type(batch["obs"]) is torch.Tensor
        return forward(batch, t)

    mac.forward = exact
    _, lines, steps = unroll(mac)
    assert steps == 1 and "watched (AssertionError)" in lines[0]


def test_what_only_later_batches_show_trains_as_the_step_path():
    """No agent observes zeros alone at first; 20 updates, and no difference at all."""
    pair = [make_learner(unroll=mode, lr=1e-2) for mode in ("auto", "step")]
    for learner in pair:
        torch.manual_seed(1)
        learner.mac.agent = DeadAreZero(13, 5, U).double()
    pair = [make_learner_of(learner) for learner in pair]
    for step in range(20):
        for learner in pair:
            batch = make_batch(step, (6, 6, 6) if step == 0 else (6, 4, 3, 5))
            if step > 0:
                batch.data["obs"][:, 2:, 1] = 0
            learner.train(batch, step, 100 * step)
    assert pair[0].mac.unrolls == 21
    for p, q in zip(*(learner.params for learner in pair)):
        assert torch.equal(p, q)


def make_learner_of(learner):
    """A learner over that one's controller, whose network was replaced."""
    args, scheme = learner.args, {"obs": {"vshape": 6}, "state": {"vshape": 5}}
    torch.manual_seed(2)
    built = type(learner)(learner.mac, scheme, learner.logger, args)
    for module in built._modules().values():
        if isinstance(module, nn.Module):
            module.double()
    return built


def test_step_mode_says_nothing():
    _, lines, steps = unroll(make_mac(), mode="step")
    assert steps == 1 and lines == []


SIZES = [[3], [4, 4], [9] * 9, [7, 7, 6, 2, 2, 1]]  # sequences in each slot


@pytest.mark.parametrize("sizes", SIZES)
def test_recurrent_against_the_cell(sizes):
    torch.manual_seed(0)
    linear, cell = nn.Linear(5, 6).double(), nn.GRUCell(6, 7).double()
    x = torch.randn(sum(sizes), 5, dtype=torch.float64)
    h, expected = x.new_zeros(sizes[0], 7), []
    for x_t in x.split(sizes):
        h = cell(torch.relu(linear(x_t)), h[: len(x_t)])
        expected.append(h)
    expected = torch.cat(expected)
    found = recurrence.recurrent([(linear, cell)], x, sizes)[0]
    with torch.no_grad():  # slots overwrite each other
        again = recurrence.recurrent([(linear, cell)], x, sizes)[0]
    assert torch.equal(again, found)
    assert (found - expected).abs().max() < 1e-14
    weights = torch.randn_like(found)
    wrt = [*linear.parameters(), *cell.parameters()]
    for mine, their in zip(
        torch.autograd.grad((found * weights).sum(), wrt),
        torch.autograd.grad((expected * weights).sum(), wrt),
    ):
        assert (mine - their).abs().max() < 1e-12
    x.requires_grad_()  # the library's path, also taken on a GPU
    other = recurrence.recurrent([(linear, cell)], x, sizes)[0]
    assert (other - expected).abs().max() < 1e-14


@pytest.mark.parametrize("sizes", [[4, 4], [3, 2, 2, 1]])
def test_recurrent_gradcheck(sizes):
    torch.manual_seed(0)
    linear, cell = nn.Linear(2, 4).double(), nn.GRUCell(4, 3).double()
    x = torch.randn(8, 2, dtype=torch.float64)
    params = (linear.weight, linear.bias, cell.weight_ih, cell.weight_hh)
    params += (cell.bias_ih, cell.bias_hh)
    apply = recurrence._Recurrent.apply
    assert torch.autograd.gradcheck(lambda *w: apply(x, sizes, *w), params)


def test_networks_that_share_a_loop_equal_those_that_do_not():
    torch.manual_seed(0)
    parts = [(nn.Linear(5, 6).double(), nn.GRUCell(6, 7).double()) for _ in range(3)]
    sizes = [8, 7, 3]
    x = torch.randn(18, 5, dtype=torch.float64)
    other_size = (nn.Linear(5, 6).double(), nn.GRUCell(6, 4).double())
    wrt = [
        p for linear, cell in parts for p in (*linear.parameters(), *cell.parameters())
    ]
    shared = recurrence.recurrent(parts, x, sizes)
    alone = recurrence.recurrent([*parts, other_size], x, sizes)
    assert [h.shape[-1] for h in alone] == [7, 7, 7, 4]
    weights = [torch.randn_like(h) for h in shared]
    grads = []
    for found in (shared, alone):
        value = sum((h * w).sum() for h, w in zip(found, weights))
        grads.append(torch.autograd.grad(value, wrt))
    for mine, theirs in zip([*shared, *grads[0]], [*alone[:3], *grads[1]]):
        assert (mine - theirs).abs().max() < 1e-12


def test_memory_of_an_update_is_not_shared_with_one_that_is_still_needed():
    torch.manual_seed(0)
    part = (nn.Linear(5, 6).double(), nn.GRUCell(6, 7).double())
    lengths = [[6] * 3, [7, 5, 5, 1], [6] * 5]
    xs = [torch.randn(sum(sizes), 5, dtype=torch.float64) for sizes in lengths]
    one_by_one = []
    for x, sizes in zip(xs, lengths):
        h = recurrence.recurrent([part], x, sizes)[0]
        one_by_one.append(torch.autograd.grad(h.square().sum(), part[1].weight_hh)[0])
    hidden = [recurrence.recurrent([part], *both)[0] for both in zip(xs, lengths)]
    for h, expected in zip(hidden, one_by_one):
        found = torch.autograd.grad(h.square().sum(), part[1].weight_hh)[0]
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    "dtype, tolerance", [(torch.float64, 1e-10), (torch.float32, 1e-5)]
)
@pytest.mark.parametrize("weighting", ["cw", "ow"])
def test_twenty_updates_agree_with_the_step_path(weighting, dtype, tolerance):
    """Losses within tolerance of each other at every update, and the parameters."""
    pair = [
        make_learner(dtype=dtype, unroll=mode, weighting=weighting, lr=1e-3)
        for mode in ("auto", "step")
    ]
    for step in range(20):
        for learner in pair:
            batch = make_batch(step, dtype=dtype)
            learner.train(batch, step, 100 * step)
        fast, slow = (learner.logger.stats for learner in pair)
        for key in ("loss", "qmix_loss", "central_loss", "grad_norm"):
            mine, theirs = fast[key][-1][1], slow[key][-1][1]
            assert abs(mine - theirs) < tolerance * max(1.0, abs(theirs)), (step, key)
    assert pair[0].mac.unrolls == 1 and pair[1].mac.unrolls == 20
    for p, q in zip(pair[0].params, pair[1].params):
        assert torch.allclose(p, q, rtol=0, atol=tolerance * 10)


def test_run_sequences_needs_no_controller():
    mac = make_mac()
    slots = Slots(4, 7)
    inputs = agent_inputs(make_batch(), mac.args, slots)
    assert run_sequences(mac.agent, inputs, slots).shape == (28, A, U)
