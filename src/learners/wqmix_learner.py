"""Weighted QMIX (Rashid et al., NeurIPS 2020), for any PyMARL-family host.

`B` episodes, `T` transitions (batches hold `T + 1` slots), `A` agents, `U` actions,
`S` state size, `E = central_action_embed`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .. import central, diagnostics
from ..errors import ConfigError
from ..inputs import agent_inputs
from ..modules.mixers.free import FreeMixer
from ..settings import WQMixSettings
from ..slots import Slots
from .base import Learner, Transitions, parameters


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
    falls: Optional[Tensor]  # Σ_i max(0, −∂Q_tot/∂Q_i)^p [B, T, 1]


class WQMixLearner(Learner):
    """Learner of CW-QMIX, OW-QMIX and their relatives, with PyMARL's interface."""

    settings_class = WQMixSettings

    def _values(self, batch: Any, data: Transitions, t_env: int) -> Values:
        """Q_tot, Q̂*, û and the targets y (Eq. 8)."""
        inputs = self._inputs(batch, data.slots)
        q, q_star_i = self._unroll(batch, data.slots, inputs)
        state, mix = data.state[:, :-1], data.steps.each
        q_taken = central.take(q[:, :-1], data.actions)
        q_tot = mix(self.mixer, q_taken, state)
        falls = self._falls(q_tot, q_taken)
        q_star = None
        if q_star_i is not None:
            chosen = central.take(q_star_i[:, :-1], data.actions)
            q_star = mix(self.central_mixer, chosen, state)
        with torch.no_grad():
            greedy, value, bootstrap = self._greedy_value(
                batch, data, q.detach(), inputs
            )
            target = self._targets(data, bootstrap)
        at_greedy = value[:, :-1]
        return Values(q, q_tot, q_star_i, q_star, greedy, at_greedy, target, falls)

    def _falls(self, q_tot: Tensor, q_taken: Tensor) -> Optional[Tensor]:
        """Σ_i max(0, −∂Q_tot/∂Q_i)^p [B, T, 1], differentiable; None if not asked for.

        What R-QMIX (O'Brien and Xu 2026) penalises instead of forbidding it.
        """
        if self.settings.monotonicity_loss == 0:
            return None
        (slopes,) = torch.autograd.grad(q_tot.sum(), q_taken, create_graph=True)
        falls = (-slopes).clamp(min=0) ** self.settings.monotonicity_power
        return falls.sum(-1, keepdim=True)

    def _unroll(
        self, batch: Any, slots: Slots, inputs: Inputs
    ) -> Tuple[Tensor, Optional[Tensor]]:
        """Q_i(τ, ·) [B, T+1, A, U] and the per-agent part of Q̂*, if there is one."""
        net, utility = self.central_agent, inputs.utility
        if net is not None and inputs.central is utility:
            return self.unroll.beside(self.mac, batch, utility, slots, net)
        q = self.unroll(self.mac, batch, utility, slots)
        return q, None if net is None else slots.unpack(net(inputs.central, slots))

    def _inputs(self, batch: Any, slots: Slots) -> Inputs:
        utility = agent_inputs(batch, self.args, slots)
        if self.settings.central_inputs == "obs":
            return Inputs(utility, utility)
        return Inputs(utility, agent_inputs(batch, self.args, slots, "state"))

    def _greedy_value(
        self, batch: Any, data: Transitions, q: Tensor, inputs: Inputs
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """û [B, T+1, A, 1], v = Q̂*⁻(s, û) and what targets use of it, [B, T+1, 1].

        Targets use v; with `bootstrap: taken` (SARSA; Hu et al. 2026, Eq. 29) Q̂*⁻(s, u)
        at the joint actions that were taken, û where none was: in last states. Where
        there is no Q̂* (`central_loss: 0`), the target Q_tot takes its place.
        """
        nets, slots = self.target_networks, data.slots
        greedy, per_agent = self._greedy(batch, data, q, inputs.utility)
        mixer = nets.get("mixer")
        if mixer is None:
            per_agent = slots.unpack(nets["central_agent"](inputs.central, slots))
            mixer = nets["central_mixer"]
        value = slots.each(mixer, central.take(per_agent, greedy), data.state)
        if self.settings.bootstrap == "greedy":
            return greedy, value, value
        was_taken = data.mask.unsqueeze(-1) > 0
        actions = greedy.clone()
        actions[:, :-1] = torch.where(was_taken, data.actions, greedy[:, :-1])
        at_taken = slots.each(mixer, central.take(per_agent, actions), data.state)
        return greedy, value, at_taken

    def _losses(
        self,
        values: Values,
        weights: Tensor,
        mask: Tensor,
        td_error: Tensor,
        scale: Tensor,
    ) -> Dict[str, Tensor]:
        """The two losses (Eqs. 10 and 11) and their sum.

        L = qmix_loss · Σ m w (Q_tot − y)² / Σ m + central_loss · Σ m (Q̂* − y)² / Σ m,
        each episode scaled by its importance weight of prioritised replay.
        """
        qmix_loss = (scale * weights * td_error.square()).sum()
        losses = {"loss": self.settings.qmix_loss * qmix_loss, "qmix_loss": qmix_loss}
        if values.q_star is not None:
            central_error = (values.q_star - values.target) * mask
            central_loss = (scale * central_error.square()).sum()
            losses["loss"] = losses["loss"] + self.settings.central_loss * central_loss
            losses["central_loss"] = central_loss
        if values.falls is not None:
            falls = (scale * mask * values.falls).sum()
            coefficient = self.settings.monotonicity_loss
            losses["loss"] = losses["loss"] + coefficient * falls
            losses["monotonicity_loss"] = falls
        return losses

    def _judges(self, data: Transitions, values: Values) -> Dict[str, Callable]:
        return {"is_optimal_joint": lambda: self._is_optimal_joint(data, values)}

    def _is_optimal_joint(self, data: Transitions, values: Values) -> Tensor:
        return central.is_optimal_joint(
            self.central_mixer,
            values.q_star_i[:, :-1].detach(),
            data.state[:, :-1],
            data.actions,
            data.avail_actions[:, :-1],
        )

    def _logged(
        self, data: Transitions, values: Values, weights: Tensor, td_error: Tensor
    ) -> Dict[str, Tensor]:
        logged = super()._logged(data, values, weights, td_error)
        if values.q_star is not None:
            logged["q_star_mean"] = values.q_star
        if self.settings.diagnostics:
            nets = diagnostics.Mixers(self.mixer, self.central_mixer)
            limit = self.settings.diagnostics_joint_actions
            logged.update(diagnostics.diagnose(nets, data, values, weights, limit))
        return logged

    # Construction

    def _build_mixer(self, args: Any) -> Any:
        mixer = super()._build_mixer(args)
        return FreeMixer(mixer) if self.settings.mixing == "free" else mixer

    def _build(self, scheme: Any) -> None:
        """Build Q̂*; with `central_loss: 0` there is none."""
        settings = self.settings
        if settings.weighting == "ideal":
            limit = settings.ideal_max_joint_actions
            central.check_enumerable(self.args.n_actions, self.args.n_agents, limit)
        self.central_agent: Optional[nn.Module] = None
        self.central_mixer: Optional[nn.Module] = None
        if settings.central_loss > 0:
            self.central_agent = central.build_central_agent(
                scheme, self.args, settings
            )
            self.central_mixer = central.build_central_mixer(self.args, settings)
        elif settings.weighting == "ideal":
            raise ConfigError("weighting='ideal' needs Q̂*: set central_loss > 0")

    def _nets(self) -> Dict[str, nn.Module]:
        nets = {"mixer": self.mixer}
        if self.central_agent is not None:
            nets["central_agent"] = self.central_agent
            nets["central_mixer"] = self.central_mixer
        return nets

    def _followed(self) -> Dict[str, Any]:
        """Online networks that have a target network."""
        online: Dict[str, Any] = {}
        if self.central_agent is None or not self.host.double_q:
            online["mac"] = self.mac
        if self.central_agent is None:
            online["mixer"] = self.mixer
        else:
            online["central_agent"] = self.central_agent
            online["central_mixer"] = self.central_mixer
        return online

    def _parts(self) -> Dict[str, List[nn.Parameter]]:
        """Parameters by part, in the order of the published learner's optimiser."""
        parts = {"agent": list(self.mac.parameters()), "mixer": parameters(self.mixer)}
        if self.central_agent is not None:
            parts["central"] = parameters(self.central_agent, self.central_mixer)
        return parts

    @property
    def target_central_agent(self) -> Optional[nn.Module]:
        """Q̂*⁻'s per-agent network; None with `central_loss: 0`."""
        return self.target_networks.get("central_agent")

    @property
    def target_central_mixer(self) -> Optional[nn.Module]:
        """Q̂*⁻'s mixer; None with `central_loss: 0`."""
        return self.target_networks.get("central_mixer")
