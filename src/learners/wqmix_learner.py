"""Weighted QMIX (Rashid et al., NeurIPS 2020), for any PyMARL-family host.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions,
`S` state size, `E = central_action_embed`.
"""

from __future__ import annotations

from typing import Any, Callable, ClassVar, Dict, NamedTuple, Optional, Tuple, Type

import torch
from torch import Tensor, nn

from .. import central, diagnostics
from ..errors import ConfigError
from ..inputs import agent_inputs
from ..modules.mixers.free import FreeMixer
from ..settings import WQMixSettings
from .base import Learner, Loss, Networks, Transitions, parameters


class Inputs(NamedTuple):
    """What the per-agent networks see, [P, A, ·] in the order of `data.slots`."""

    utility: Tensor
    central: Tensor


class Values(NamedTuple):
    """What one update computes before its weights and losses; void in padding."""

    q: Tensor  # Q_i(τ, ·) [B, T+1, A, U]
    q_tot: Tensor  # Q_tot(s, u) [B, T, 1]
    q_star_i: Optional[Tensor]  # per-agent part of Q̂* [B, T+1, A, U, E]
    q_star: Optional[Tensor]  # Q̂*(s, u) [B, T, 1]
    greedy: Tensor  # û [B, T+1, A, 1]
    greedy_value: Tensor  # v = Q̂*⁻(s, û) [B, T, 1]
    target: Tensor  # y [B, T, 1]


class WQMixLearner(Learner):
    """Learner of CW-QMIX, OW-QMIX and their relatives, with PyMARL's interface."""

    settings_class: ClassVar[Type[WQMixSettings]] = WQMixSettings
    settings: WQMixSettings

    def loss(self, data: Transitions, t_env: int) -> Loss:
        """The two losses of Weighted QMIX, in the paper's order.

        Targets y: Eq. 8; weights w: Eqs. 12 and 13; losses: Eqs. 10 and 11.
        """
        inputs = self._inputs(data)
        # Q_i(τ, ·) of the utilities, and of Q̂*'s own agents (None: there is no Q̂*)
        q, q_star_i = self._unroll(data, inputs)
        # Q_tot(s, u) and Q̂*(s, u) of the actions taken
        q_taken = central.take(q[:, :-1], data.actions)
        q_tot = data.mix(self.mixer, q_taken)
        q_star = None
        if q_star_i is not None:
            chosen = central.take(q_star_i[:, :-1], data.actions)
            q_star = data.mix(self.central_mixer, chosen)
        with torch.no_grad():
            # û = argmax Q_i(τ, ·), and Q̂*⁻(s, û)
            greedy, value, bootstrap = self._greedy_value(data, q.detach(), inputs)
            # y = r + γ Q̂*⁻(s′, û′)
            y = self.td_targets(data, bootstrap)
            values = Values(q, q_tot, q_star_i, q_star, greedy, value[:, :-1], y)
            # w = 1 where y > Q̂*⁻(s, û) or u = û (CW), where Q_tot < y (OW); else α
            w = self.weights(data, values, t_env)
        settings = self.settings
        # Σ m w (Q_tot − y)² / Σ m, and Σ m (Q̂* − y)² / Σ m
        terms = {"qmix_loss": (settings.qmix_loss, data.mean(w * (q_tot - y).square()))}
        if q_star is not None:
            central_loss = data.mean((q_star - y).square())
            terms["central_loss"] = (settings.central_loss, central_loss)
        if settings.monotonicity_loss > 0:
            falls = data.mean(self._falls(q_tot, q_taken))
            terms["monotonicity_loss"] = (settings.monotonicity_loss, falls)
        return Loss(terms, values, w, lambda: self._logged(data, values, w))

    def weights(
        self, data: Transitions, values: Any, t_env: int, **judges: Callable[[], Tensor]
    ) -> Tensor:
        """w(s, u) of the actions taken [B, T, 1]."""
        judges["is_optimal_joint"] = lambda: self._is_optimal_joint(data, values)
        return super().weights(data, values, t_env, **judges)

    def _falls(self, q_tot: Tensor, q_taken: Tensor) -> Tensor:
        """Σ_i max(0, −∂Q_tot/∂Q_i)^p [B, T, 1], differentiable.

        What R-QMIX (O'Brien and Xu 2026) penalises instead of forbidding it.
        """
        (slopes,) = torch.autograd.grad(q_tot.sum(), q_taken, create_graph=True)
        falls: Tensor = (-slopes).clamp(min=0) ** self.settings.monotonicity_power
        return falls.sum(-1, keepdim=True)

    def _unroll(
        self, data: Transitions, inputs: Inputs
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Q_i(τ, ·) [B, T+1, A, U] and the per-agent part of Q̂*, if there is one."""
        net, utility, slots = self.central_agent, inputs.utility, data.slots
        if net is not None and inputs.central is utility:
            return self.unroll.beside(self.mac, data.batch, utility, slots, net)
        q = self.unroll(self.mac, data.batch, utility, slots)
        return q, None if net is None else slots.unpack(net(inputs.central, slots))

    def _inputs(self, data: Transitions) -> Inputs:
        utility = agent_inputs(data.batch, self.args, data.slots)
        if self.settings.central_inputs == "obs":
            return Inputs(utility, utility)
        of_state = agent_inputs(data.batch, self.args, data.slots, "state")
        return Inputs(utility, of_state)

    def _greedy_value(
        self, data: Transitions, q: Tensor, inputs: Inputs
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """û [B, T+1, A, 1], v = Q̂*⁻(s, û) and what targets use of it, [B, T+1, 1].

        Targets use v; with `bootstrap: taken` (SARSA; Hu et al. 2026, Eq. 29) Q̂*⁻(s, u)
        at the joint actions that were taken, û where none was: in last states. Where
        there is no Q̂* (`central_loss: 0`), the target Q_tot takes its place.
        """
        nets, slots = self.target_networks, data.slots
        greedy, per_agent = self._greedy(data, q, inputs.utility)
        mixer = nets.get("mixer")
        if mixer is None:
            per_agent = slots.unpack(nets["central_agent"](inputs.central, slots))
            mixer = nets["central_mixer"]
        assert per_agent is not None  # beside a target mixer there is a target MAC
        value = slots.each(mixer, central.take(per_agent, greedy), data.state)
        if self.settings.bootstrap == "greedy":
            return greedy, value, value
        was_taken = data.mask.unsqueeze(-1) > 0
        actions = greedy.clone()
        actions[:, :-1] = torch.where(was_taken, data.actions, greedy[:, :-1])
        at_taken = slots.each(mixer, central.take(per_agent, actions), data.state)
        return greedy, value, at_taken

    def _is_optimal_joint(self, data: Transitions, values: Values) -> Tensor:
        assert self.central_mixer is not None and values.q_star_i is not None
        return central.is_optimal_joint(
            self.central_mixer,
            values.q_star_i[:, :-1].detach(),
            data.state[:, :-1],
            data.actions,
            data.avail_actions[:, :-1],
        )

    def _logged(
        self, data: Transitions, values: Values, weights: Tensor
    ) -> Dict[str, Tensor]:
        logged = {} if values.q_star is None else {"q_star_mean": values.q_star}
        if self.settings.diagnostics:
            nets = diagnostics.Mixers(self.mixer, self.central_mixer)
            limit = self.settings.diagnostics_joint_actions
            logged.update(diagnostics.diagnose(nets, data, values, weights, limit))
        return logged

    # Construction

    def _build(self, scheme: Any) -> Networks:
        """Build Q̂*; with `central_loss: 0` there is none."""
        settings, args = self.settings, self.args
        if settings.mixing == "free":
            self.mixer = FreeMixer(self.mixer)
        if settings.weighting == "ideal":
            limit = settings.ideal_max_joint_actions
            central.check_enumerable(args.n_actions, args.n_agents, limit)
        self.central_agent: Optional[nn.Module] = None
        self.central_mixer: Optional[nn.Module] = None
        parts = {"agent": list(self.mac.parameters()), "mixer": parameters(self.mixer)}
        if settings.central_loss == 0:
            if settings.weighting == "ideal":
                raise ConfigError("weighting='ideal' needs Q̂*: set central_loss > 0")
            followed = {"mac": self.mac, "mixer": self.mixer}
            return Networks({"mixer": self.mixer}, parts, followed)
        self.central_agent = central.build_central_agent(scheme, args, settings)
        self.central_mixer = central.build_central_mixer(args, settings)
        nets = {
            "central_agent": self.central_agent,
            "central_mixer": self.central_mixer,
        }
        parts["central"] = parameters(self.central_agent, self.central_mixer)
        followed = nets if self.host.double_q else {"mac": self.mac, **nets}
        return Networks({"mixer": self.mixer, **nets}, parts, followed)

    @property
    def target_central_agent(self) -> Optional[nn.Module]:
        """Q̂*⁻'s per-agent network; None with `central_loss: 0`."""
        return self.target_networks.get("central_agent")

    @property
    def target_central_mixer(self) -> Optional[nn.Module]:
        """Q̂*⁻'s mixer; None with `central_loss: 0`."""
        return self.target_networks.get("central_mixer")
