"""The update of Weighted QMIX in plain numpy float64, one step and episode at a time.

Written from the paper, apart from the learner: loops over episodes, slots and agents,
no autograd, nothing imported from `wqmix`.
"""

from __future__ import annotations

import itertools

import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def arrays(module):
    return {k: v.detach().numpy() for k, v in module.state_dict().items()}


def linear(p, name, x):
    return p[f"{name}.weight"] @ x + p[f"{name}.bias"]


def relu(x):
    return np.maximum(x, 0.0)


def gru_cell(p, x, h):
    gi = p["rnn.weight_ih"] @ x + p["rnn.bias_ih"]
    gh = p["rnn.weight_hh"] @ h + p["rnn.bias_hh"]
    n = len(h)
    r = sigmoid(gi[:n] + gh[:n])
    z = sigmoid(gi[n : 2 * n] + gh[n : 2 * n])
    c = np.tanh(gi[2 * n :] + r * gh[2 * n :])
    return (1 - z) * c + z * h


def recurrent(p, inputs):
    """inputs [slots][agents][I] → outputs [slots][agents][...]."""
    hidden = [np.zeros(p["rnn.weight_hh"].shape[1]) for _ in inputs[0]]
    out = []
    for slot in inputs:
        row = []
        for i, x in enumerate(slot):
            hidden[i] = gru_cell(p, relu(linear(p, "fc1", x)), hidden[i])
            row.append(linear(p, "fc2", hidden[i]))
        out.append(row)
    return np.array(out)


def feed_forward(p, inputs):
    """As `recurrent`, without memory."""

    def one(x):
        return linear(p, "fc3", relu(linear(p, "fc2", relu(linear(p, "fc1", x)))))

    return np.array([[one(x) for x in slot] for slot in inputs])


def agent_inputs(episode):
    slots, n, u = episode["avail_actions"].shape
    inputs = []
    for t in range(slots):
        row = []
        for i in range(n):
            last = np.zeros(u)
            if t > 0:
                last = episode["actions_onehot"][t - 1, i].astype(float)
            row.append(np.concatenate([episode["obs"][t, i], last, np.eye(n)[i]]))
        inputs.append(row)
    return inputs


def monotonic(p, q, s):
    return float(np.abs(linear(p, "w", s)) @ q + linear(p, "b", s)[0])


def state_value(p, s):
    return linear(p, "V.2", relu(linear(p, "V.0", s)))[0]


def central_ff(p, q, s):
    """q [A, E]."""
    x = np.concatenate([s, q.reshape(-1)])
    for layer in ("net.0", "net.2", "net.4"):
        x = relu(linear(p, layer, x))
    return float(linear(p, "net.6", x)[0] + state_value(p, s))


def central_atten(p, q, s):
    n, e = q.shape
    a = linear(p, "atten_layer.2", relu(linear(p, "atten_layer.0", s))).reshape(n, -1)
    a = np.exp(a - a.max(axis=0))
    a = a / a.sum(axis=0)
    x = np.concatenate([q[:, k] @ a for k in range(e)])
    for layer in ("net.0", "net.2"):
        x = relu(linear(p, layer, x))
    return float(linear(p, "net.4", x)[0] + state_value(p, s))


def update(
    learner,
    batch,
    weighting,
    gamma,
    alpha,
    td_lambda=None,
    double_q=True,
    temperature=1.0,
):
    """Return losses, and y, w, Q_tot, Q̂* of all real transitions by (episode, t)."""
    agent, mixer = arrays(learner.mac.agent), arrays(learner.mixer)
    mix_star = {"ff": central_ff, "atten": central_atten}[
        learner.settings.central_mixer
    ]
    central, star = arrays(learner.central_agent), arrays(learner.central_mixer)
    central_net = feed_forward if "fc3.bias" in central else recurrent
    central_t = arrays(learner.target_central_agent)
    star_t = arrays(learner.target_central_mixer)
    out = {"y": {}, "w": {}, "q_tot": {}, "q_star": {}}
    for b in range(batch.batch_size):
        ep = {key: value[b].numpy() for key, value in batch.data.items()}
        length = int(ep["filled"].sum()) - 1
        slots, n, u = ep["avail_actions"].shape
        inputs = agent_inputs(ep)
        q = recurrent(agent, inputs)
        q_c = central_net(central, inputs).reshape(slots, n, u, -1)
        q_ct = central_net(central_t, inputs).reshape(slots, n, u, -1)
        q_greedy = q
        if not double_q:
            target_agent = arrays(learner.target_networks.mac.agent)
            q_greedy = recurrent(target_agent, inputs)
        greedy, v = [], []
        for t in range(length + 1):
            best = []
            for i in range(n):
                allowed = [k for k in range(u) if ep["avail_actions"][t, i, k]]
                best.append(max(allowed, key=lambda k: (q_greedy[t, i, k], -k)))
            greedy.append(best)
            chosen = np.array([q_ct[t, i, best[i]] for i in range(n)])
            v.append(mix_star(star_t, chosen, ep["state"][t]))
        y = [0.0] * length
        for t in reversed(range(length)):
            alive = 1.0 - float(ep["terminated"][t, 0])
            tail = v[t + 1]
            if td_lambda is not None and t + 1 < length:
                tail = (1 - td_lambda) * v[t + 1] + td_lambda * y[t + 1]
            y[t] = float(ep["reward"][t, 0]) + gamma * alive * tail
        for t in range(length):
            u_t = [int(k) for k in ep["actions"][t, :, 0]]
            s = ep["state"][t]
            q_tot = monotonic(mixer, np.array([q[t, i, u_t[i]] for i in range(n)]), s)

            def value_of(joint, q_t=q_c[t], s=s):
                rows = np.array([q_t[i, k] for i, k in enumerate(joint)])
                return mix_star(star, rows, s)

            q_star = value_of(u_t)
            soft = 0.0
            if weighting == "cw":
                full = u_t == greedy[t] or y[t] > v[t]
            elif weighting == "ow":
                full = q_tot < y[t]
            elif weighting == "ideal":
                joints = itertools.product(
                    *[np.flatnonzero(ep["avail_actions"][t, i]) for i in range(n)]
                )
                full = q_star >= max(value_of(joint) for joint in joints) - 1e-12
            elif weighting == "greedy":
                full = u_t == greedy[t]
            elif weighting == "soft_cw":
                full = u_t == greedy[t]
                soft = sigmoid((y[t] - v[t]) / temperature)
            elif weighting == "soft_ow":
                full, soft = False, sigmoid((y[t] - q_tot) / temperature)
            else:
                full = True
            out["y"][b, t], out["q_tot"][b, t] = y[t], q_tot
            out["q_star"][b, t] = q_star
            out["w"][b, t] = 1.0 if full else alpha + (1 - alpha) * soft
    keys = list(out["y"])
    w, y, q_tot, q_star = (
        np.array([out[name][key] for key in keys])
        for name in ("w", "y", "q_tot", "q_star")
    )
    out["qmix_loss"] = float((w * (q_tot - y) ** 2).sum() / len(keys))
    out["central_loss"] = float(((q_star - y) ** 2).sum() / len(keys))
    return out


def losses_at(learner, batch, fixed, qmix_loss, central_loss):
    """The loss at the present online networks, with y and w held at `fixed`."""
    now = update(learner, batch, "uniform", 0.0, 1.0)
    total = 0.0
    for key, y in fixed["y"].items():
        total += qmix_loss * fixed["w"][key] * (now["q_tot"][key] - y) ** 2
        total += central_loss * (now["q_star"][key] - y) ** 2
    return total / len(fixed["y"])
