"""Mixers, agent and controller."""

import numpy as np
import pytest
import torch as th

from wqmix.host.controllers import BasicMAC
from wqmix.host.modules.agents import REGISTRY as agents
from wqmix.host.modules.mixers import REGISTRY as mixers

from .doubles import N_ACTIONS, N_AGENTS, OBS, STATE, make_args, make_batch, make_scheme


@pytest.mark.parametrize("layers", [1, 2])
def test_qmix_is_monotonic(layers):
    """Finite differences: raising one agent's utility never lowers q_tot."""
    th.manual_seed(layers)
    mixer = mixers["qmix"](make_args(hypernet_layers=layers)).double()
    q = 3 * th.randn(20, 4, N_AGENTS, dtype=th.float64)
    states = th.randn(20, 4, STATE, dtype=th.float64)
    base = mixer(q, states)
    assert base.shape == (20, 4, 1)
    for agent in range(N_AGENTS):
        raised = q.clone()
        raised[..., agent] += 1e-3
        rise = mixer(raised, states) - base
        assert (rise >= 0).all() and rise.max() > 0


def test_qmix_equals_its_formula():
    th.manual_seed(0)
    mixer = mixers["qmix"](make_args(hypernet_layers=1)).double()
    q = th.randn(1, 1, N_AGENTS, dtype=th.float64)
    state = th.randn(1, 1, STATE, dtype=th.float64)
    p = {key: value.detach().numpy() for key, value in mixer.state_dict().items()}

    def linear(name, x):
        return p[f"{name}.weight"] @ x + p[f"{name}.bias"]

    s = state.numpy().ravel()
    w1 = np.abs(linear("hyper_w_1", s)).reshape(N_AGENTS, 3)
    hidden = q.numpy().ravel() @ w1 + linear("hyper_b_1", s)
    hidden = np.where(hidden > 0, hidden, np.expm1(hidden))
    v = linear("V.2", np.maximum(linear("V.0", s), 0))
    expected = hidden @ np.abs(linear("hyper_w_final", s)) + v
    assert mixer(q, state).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("layers, last", [(1, ""), (2, ".2")])
def test_the_scale_of_what_the_hypernetworks_draw(layers, last):
    """Their last layers alone, by exactly so much; the same random numbers."""
    built = []
    for factor in (1, 0.25):
        th.manual_seed(0)
        args = make_args(hypernet_layers=layers, mixer_init_scale=factor)
        built.append((mixers["qmix"](args).state_dict(), th.rand(1)))
    (published, drawn), (scaled, drawn_too) = built
    assert th.equal(drawn, drawn_too)
    ends = (f"hyper_w_1{last}.", f"hyper_w_final{last}.", "hyper_b_1.", "V.2.")
    for key, value in published.items():
        factor = 0.25 if key.startswith(ends) else 1
        assert th.equal(scaled[key], value * factor), key


def test_qmix_refuses_three_layers():
    with pytest.raises(ValueError, match="not 3"):
        mixers["qmix"](make_args(hypernet_layers=3))


def test_vdn_sums():
    q = th.tensor([[[1.0, 2.0], [3.0, -5.0]]])
    assert mixers["vdn"](make_args())(q, None).tolist() == [[[3.0], [-2.0]]]


def test_parameter_names_are_pymarls():
    """Checkpoints of PyMARL's networks load here, and the other way round."""
    agent = agents["rnn"](6, make_args())
    assert list(agent.state_dict()) == [
        "fc1.weight",
        "fc1.bias",
        "rnn.weight_ih",
        "rnn.weight_hh",
        "rnn.bias_ih",
        "rnn.bias_hh",
        "fc2.weight",
        "fc2.bias",
    ]
    names = list(mixers["qmix"](make_args()).state_dict())
    parts = ["hyper_w_1.0", "hyper_w_1.2", "hyper_w_final.0", "hyper_w_final.2"]
    parts += ["hyper_b_1", "V.0", "V.2"]
    assert names == [f"{p}.{kind}" for p in parts for kind in ("weight", "bias")]


class EchoAgent(th.nn.Module):
    """Returns its inputs as utilities."""

    def init_hidden(self):
        return th.zeros(1, 1)

    def forward(self, inputs, hidden_state):
        return inputs, hidden_state


def test_the_controllers_inputs():
    """Observation, then last action, then agent id, for each agent."""
    scheme, groups, _ = make_scheme()
    batch = make_batch(2, 3)
    mac = BasicMAC(batch.scheme, groups, make_args())
    assert mac.agent.fc1.in_features == OBS + N_ACTIONS + N_AGENTS
    mac.agent = EchoAgent()
    mac.init_hidden(2)
    batch.update({"obs": np.full((1, 2, 5), 7.0)}, bs=1, ts=1)
    batch.update({"actions": [[2, 1]]}, bs=1, ts=0)
    first, second = mac.forward(batch, 0), mac.forward(batch, 1)
    assert first[1].tolist() == [[0] * 8 + [1, 0], [0] * 8 + [0, 1]]
    assert second[1].tolist() == [
        [7] * 5 + [0, 0, 1] + [1, 0],
        [7] * 5 + [0, 1, 0] + [0, 1],
    ]


@pytest.mark.parametrize("last, number", [(True, False), (False, True), (False, False)])
def test_inputs_that_can_be_left_out(last, number):
    batch = make_batch(1, 1)
    args = make_args(obs_last_action=last, obs_agent_id=number)
    mac = BasicMAC(batch.scheme, batch.groups, args)
    mac.init_hidden(1)
    assert mac.forward(batch, 0).shape == (1, N_AGENTS, N_ACTIONS)
    assert mac.agent.fc1.in_features == OBS + last * N_ACTIONS + number * N_AGENTS


def test_actions_for_some_episodes_only():
    batch = make_batch(3, 1)
    batch.update({"avail_actions": np.ones((3, 2, 3))}, ts=0)
    batch.update({"avail_actions": [[[0, 1, 0], [0, 0, 1]]]}, bs=[2], ts=0)
    mac = BasicMAC(batch.scheme, batch.groups, make_args())
    mac.init_hidden(3)
    actions = mac.select_actions(batch, t_ep=0, t_env=0, bs=[2, 0])
    assert actions.shape == (2, N_AGENTS)
    assert actions[0].tolist() == [1, 2]


def test_orthogonal_and_normalised():
    """PyMARL2's `use_orthogonal`, `gain` and `use_layer_norm`."""
    args = make_args(use_orthogonal=True, gain=0.5, use_layer_norm=True)
    agent = agents["rnn"](6, args)
    for layer, gain in ((agent.fc1, 1.0), (agent.fc2, 0.5)):
        w = layer.weight.detach()
        w = w if w.shape[0] <= w.shape[1] else w.t()
        assert th.allclose(w @ w.t(), gain**2 * th.eye(len(w)), atol=1e-5)
        assert not layer.bias.any()
    x, h = th.randn(4, 6), th.randn(4, 7)
    q, new = agent(x, h)
    normal = (new - new.mean(1, keepdim=True)) / (new.var(1, unbiased=False) + 1e-5)[
        :, None
    ].sqrt()
    assert th.allclose(q, normal @ agent.fc2.weight.t(), atol=1e-5)
    mixer = mixers["qmix"](make_args(use_orthogonal=True, mixer_init_scale=0.1))
    w = mixer.hyper_w_final[2].weight.detach()  # [3, 6]
    assert th.allclose(w @ w.t(), 0.01 * th.eye(3), atol=1e-5)
    w = mixer.hyper_w_final[0].weight.detach()  # [6, 4]
    assert th.allclose(w.t() @ w, th.eye(4), atol=1e-5)
