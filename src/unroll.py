"""Utilities of the host's controller over all slots of a batch.

`B` episodes, `T` time slots, `P` of them in the order of `Slots`, `A` agents, `I`
inputs, `U` actions.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn

from .errors import ConfigError
from .inputs import agent_inputs
from .recording import unknown_function
from .recurrence import recurrent_agents
from .slots import Slots

KNOWN_PARTS = {
    "fc1": (nn.Linear,),
    "rnn": (nn.GRUCell, nn.Linear),
    "layer_norm": (nn.LayerNorm,),
    "fc2": (nn.Linear,),
}
COMPARED_EPISODES = 4  # of the first batch: the step path's graph of all is large


def step_unroll(mac: Any, batch: Any, n_actions: int) -> Tensor:
    """Run the controller slot by slot, as the host does it.

    Returns:
        Q_i(τ, ·) [B, T, A, U].

    Raises:
        ConfigError: the controller's output has another shape.
    """
    mac.init_hidden(batch.batch_size)
    q = torch.stack([mac.forward(batch, t=t) for t in range(batch.max_seq_length)], 1)
    expected = (*batch["actions"].shape[:3], n_actions)
    if tuple(q.shape) != expected:
        raise ConfigError(
            f"the agent network's output over time has shape {tuple(q.shape)}, not "
            f"(episodes, slots, agents, actions) = {expected}: Weighted QMIX needs one "
            "value per action (agent_output_type: q)"
        )
    return q


class Unroll:
    """Unrolls a controller in one call where that equals the host's own path.

    A network of known parts (Linear, ReLU, GRUCell or Linear and ReLU, an optional
    LayerNorm, Linear; shared or one for each agent) is run over whole sequences. On the
    first episodes of the first batch its output and its gradients are compared with the
    step path, and what the controller does is followed: nothing in it may depend on the
    numbers in a batch (`recording`), so that what holds for this batch holds for all.
    On any difference, and for any other controller, the step path is used.

    Args:
        mode: `auto`, or `step` for the step path always.
        args: the host's arguments.
        log: takes one line about the choice.
    """

    def __init__(self, mode: str, args: Any, log: Callable[[str], None]) -> None:
        self._args, self._log = args, log
        self._is_fast: Optional[bool] = False if mode == "step" else None

    def __call__(self, mac: Any, batch: Any, inputs: Tensor, slots: Slots) -> Tensor:
        """Return Q_i(τ, ·) [B, T, A, U].

        Args:
            mac: the host's controller.
            batch: the host's EpisodeBatch.
            inputs: what the controller would build, `agent_inputs` [P, A, I].
            slots: which ones they are; elsewhere the values mean nothing.
        """
        if self._can_run_fast(mac, batch):
            return slots.unpack(run_sequences(mac.agent, inputs, slots))
        return step_unroll(mac, batch, self._args.n_actions)

    def beside(
        self, mac: Any, batch: Any, inputs: Tensor, slots: Slots, net: Any
    ) -> Tuple[Tensor, Tensor]:
        """Return Q_i(τ, ·), and what a central network gives for the same inputs.

        Their recurrences share one loop where both have one.
        """
        if self._can_run_fast(mac, batch):
            agent = mac.agent
            if has_recurrence(agent) and has_recurrence(net):
                parts = [(agent.fc1, agent.rnn), (net.fc1, net.rnn)]
                h, h_net = recurrent_agents(parts, inputs, slots)
                return slots.unpack(_head(agent, h)), slots.unpack(net.head(h_net))
        return self(mac, batch, inputs, slots), slots.unpack(net(inputs, slots))

    def _can_run_fast(self, mac: Any, batch: Any) -> bool:
        if self._is_fast is None:
            problem = self._problem(mac, batch[:COMPARED_EPISODES])
            self._is_fast = problem is None
            if problem is not None:
                self._log(f"unroll: step by step, as the host does it ({problem})")
        return self._is_fast

    def _problem(self, mac: Any, batch: Any) -> Optional[str]:
        """Return why the fast path cannot be used, or None."""
        agent: Any = getattr(mac, "agent", None)
        slots = Slots(batch.batch_size, batch.max_seq_length)
        inputs = agent_inputs(batch, self._args, slots)
        problem = unknown_part(agent, inputs.shape)
        if problem is not None:
            return problem
        expected = step_unroll(mac, batch, self._args.n_actions)
        q = slots.unpack(run_sequences(agent, inputs, slots))
        if q.shape != expected.shape:
            return f"shape {tuple(q.shape)} is not {tuple(expected.shape)}"
        # Positive weights: a sum that cancels would show rounding, not a difference.
        probe = torch.linspace(0.5, 1.5, q.numel()).to(q).view_as(q)
        params = [p for p in agent.parameters() if p.requires_grad]
        pairs = {"outputs": ([q.detach()], [expected.detach()])}
        if params and expected.requires_grad:
            pairs["gradients"] = (
                _gradients((q * probe).mean(), params),
                _gradients((expected * probe).mean(), params),
            )
        for name, (ours, theirs) in pairs.items():
            if not _close(ours, theirs):
                return f"its {name} differ from the host's own path"
        found = unknown_function(mac, batch)
        return found and f"{type(agent).__name__} or its controller uses {found}"


def _gradients(value: Tensor, params: List[nn.Parameter]) -> List[Tensor]:
    """Return ∂value/∂params, zeros where a parameter is not used."""
    found = torch.autograd.grad(value, params, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for g, p in zip(found, params)]


def _close(ours: List[Tensor], theirs: List[Tensor]) -> bool:
    """Whether tensors are equal to within rounding, on their common scale."""
    tolerance = 1e-10 if theirs[0].dtype == torch.float64 else 1e-5
    scale = max(x.abs().max().item() for x in theirs)
    error = max((x - y).abs().max().item() for x, y in zip(ours, theirs))
    return error <= tolerance * scale


def unknown_part(agent: Any, shape: Any) -> Optional[str]:
    """Return what in a network is not of the known parts, or None.

    Args:
        agent: the host's utility network.
        shape: [P, A, I] of its inputs.
    """
    if not isinstance(agent, nn.Module):
        return "the controller has no network `agent`"
    if any(m._forward_pre_hooks or m._forward_hooks for m in agent.modules()):
        return f"{type(agent).__name__} has hooks"
    children = dict(agent.named_children())
    if set(children) == {"agents"} and isinstance(children["agents"], nn.ModuleList):
        if len(children["agents"]) != shape[1]:
            return "its networks are not one for each agent"
        problems = (unknown_part(each, shape) for each in children["agents"])
        return next((problem for problem in problems if problem), None)
    return _unknown_child(type(agent).__name__, children, shape[2])


def _unknown_child(
    name: str, children: Dict[str, nn.Module], n_inputs: int
) -> Optional[str]:
    missing = {"fc1", "rnn", "fc2"} - set(children)
    if missing:
        return f"{name} has no {', '.join(sorted(missing))}"
    for key, child in children.items():
        if type(child) not in KNOWN_PARTS.get(key, ()):
            return f"{name}.{key} is a {type(child).__name__}"
        if any(getattr(child, bias, 0) is None for bias in ("bias", "bias_ih")):
            return f"{name}.{key} has no bias"
    if children["fc1"].in_features != n_inputs:
        found = children["fc1"].in_features
        return f"{name} takes {found} inputs, not the usual {n_inputs}"
    return None


def run_sequences(agent: Any, inputs: Tensor, slots: Slots) -> Tensor:
    """Run a network of known parts, [P, A, I] → [P, A, U]."""
    if hasattr(agent, "agents"):
        single = inputs.split(1, dim=1)
        outputs = [run_sequences(net, x, slots) for net, x in zip(agent.agents, single)]
        return torch.cat(outputs, dim=1)
    if has_recurrence(agent):
        h = recurrent_agents([(agent.fc1, agent.rnn)], inputs, slots)[0]
        return _head(agent, h)
    h = torch.relu_(agent.rnn(torch.relu_(agent.fc1(inputs.flatten(0, 1)))))
    q: Tensor = _head(agent, h).unflatten(0, inputs.shape[:2])
    return q


def has_recurrence(net: nn.Module) -> bool:
    """Whether a network is Linear, ReLU, GRU cell and a head."""
    return isinstance(getattr(net, "rnn", None), nn.GRUCell)


def _head(agent: Any, h: Tensor) -> Tensor:
    """Outputs of hidden states, [..., H] → [..., U]."""
    if hasattr(agent, "layer_norm"):
        h = agent.layer_norm(h)
    q: Tensor = agent.fc2(h)
    return q
