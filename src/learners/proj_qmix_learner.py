"""The projector variant that also circulates as "WQMIX"; docs/projector.md.

Q_tot(s, u) = Q_mono(s, u) + ω · Q_proj(s[, u]): the host's monotonic mixer plus an
unrestricted term. The agents act greedily in Q_mono.
`B` episodes, `T` transitions, `A` agents, `U` actions, `S` state size.
"""

from __future__ import annotations

import functools
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

from .. import central
from ..inputs import agent_inputs, flat_size
from ..modules.mixers.projector import Projector
from ..omegas import OMEGAS, Advantage, OmegaInputs
from ..optim import FlatOptimiser, build_optimiser
from ..settings import ProjQMixSettings, TargetUpdate
from .base import Learner, Transitions, parameters


class Values(NamedTuple):
    """What one update computes before its weights; all [B, T, 1] but `greedy`."""

    q_mono: Tensor
    q_proj: Tensor
    omega: Tensor
    q_tot: Tensor
    greedy: Tensor  # û, greedy in Q_mono [B, T+1, A, 1]
    greedy_value: Tensor  # Q_mono⁻ + ω Q_proj at û
    target: Tensor
    value_error: Optional[Tensor]  # of V in an advantage-based ω


class ProjQMixLearner(Learner):
    """Learner of QMIX with a projector, with PyMARL's interface."""

    settings_class = ProjQMixSettings

    def _values(self, batch: Any, data: Transitions, t_env: int) -> Values:
        """Q_tot and y = r + γ (1 − term) (Q_mono⁻ + ω Q_proj)(s′, û′).

        Only the utilities and the mixer have targets; ω and Q_proj are the online
        ones, without gradient.
        """
        inputs = agent_inputs(batch, self.args, data.slots)
        q = self.unroll(self.mac, batch, inputs, data.slots)
        state, actions = data.state[:, :-1], data.actions
        chosen = central.take(q[:, :-1], actions)
        q_mono = data.steps.each(self.mixer, chosen, state)
        sampled = functools.lru_cache(maxsize=None)(
            functools.partial(self._sampled_value, q.detach(), data)
        )
        x = OmegaInputs(
            state, q_mono.detach(), lambda: sampled()[:, :-1], t_env, data.mask
        )
        omega = self.omega(x)
        q_proj = self.projector(self._projector_inputs(state, actions), data.mask)

        with torch.no_grad():
            greedy, mono = self._greedy_mono(batch, data, q.detach(), inputs)
            after = OmegaInputs(data.state, mono, sampled, t_env, None)
            value = mono + self.omega(after) * self._projected(data.state, greedy)
            target = self._targets(data, value)
        return Values(
            q_mono=q_mono,
            q_proj=q_proj,
            omega=omega,
            q_tot=q_mono + omega * q_proj,
            greedy=greedy,
            greedy_value=value[:, :-1],
            target=target,
            value_error=(
                self.omega.value_error(x) if isinstance(self.omega, Advantage) else None
            ),
        )

    def _greedy_mono(
        self, batch: Any, data: Transitions, q: Tensor, inputs: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """û [B, T+1, A, 1] and Q_mono⁻(s, û) [B, T+1, 1]."""
        greedy, target_q = self._greedy(batch, data, q, inputs)
        target_mixer = self.target_networks["mixer"]
        best = central.take(target_q, greedy)
        return greedy, data.slots.each(target_mixer, best, data.state)

    def _projected(self, state: Tensor, actions: Tensor) -> Tensor:
        """Q_proj as it stands: batch normalisation by its running statistics."""
        self.projector.eval()
        value = self.projector(
            self._projector_inputs(state, actions), torch.ones_like(state[..., :1])
        )
        self.projector.train()
        return value

    def _projector_inputs(self, state: Tensor, actions: Tensor) -> Tensor:
        if self.settings.projector_inputs == "state":
            return state
        onehot = state.new_zeros(*actions.shape[:3], self.args.n_actions)
        return torch.cat([state, onehot.scatter_(3, actions, 1.0).flatten(2)], dim=2)

    @torch.no_grad()
    def _sampled_value(self, q: Tensor, data: Transitions) -> Tensor:
        """Mean of Q_mono(s, ·) over drawn available joint actions [B, T+1, 1].

        The draw depends on the number of updates alone, so that a continued run goes
        on as an uninterrupted one.
        """
        generator = torch.Generator(q.device)
        generator.manual_seed(self.target_networks.train_steps)
        count = self.settings.advantage_samples
        joint = central.draw_joint(data.avail_actions, count, generator)
        values = [self.mixer(central.take(q, u), data.state) for u in joint]
        return torch.stack(values).mean(0)

    def _losses(
        self,
        values: Values,
        weights: Tensor,
        mask: Tensor,
        td_error: Tensor,
        scale: Tensor,
    ) -> Dict[str, Tensor]:
        """L = Σ m w (Q_tot − y)² / Σ m, and V's own where ω has a network for it."""
        qmix_loss = (scale * weights * td_error.square()).sum()
        losses = {"loss": qmix_loss, "qmix_loss": qmix_loss}
        if values.value_error is not None:
            value_loss = (scale * mask * values.value_error.square()).sum()
            losses["loss"] = losses["loss"] + value_loss
            losses["omega_value_loss"] = value_loss
        return losses

    def _logged(
        self, data: Transitions, values: Values, weights: Tensor, td_error: Tensor
    ) -> Dict[str, Tensor]:
        logged = super()._logged(data, values, weights, td_error)
        for key in ("q_mono", "q_proj", "q_tot", "omega"):
            logged[key] = getattr(values, key)
        return logged

    # Construction

    def _build(self, scheme: Any) -> None:
        settings, state_dim = self.settings, flat_size(self.args.state_shape)
        self.omega = OMEGAS[settings.omega](state_dim, settings)
        joint = self.args.n_agents * self.args.n_actions
        self.projector = Projector(
            state_dim + (joint if settings.projector_inputs == "state_action" else 0),
            settings.projector_embed_dim,
            settings.projector_heads,
            settings.projector_clamp,
            settings.projector_batch_norm,
        )

    def _build_optimiser(self) -> FlatOptimiser:
        parts, settings = self._parts(), self.settings
        own = {"lr": settings.projector_lr}
        decay = settings.projector_l2
        groups = [
            {"params": parts["agent"] + parts.get("mixer", [])},
            {"params": parts["projector"], "weight_decay": decay, **own},
        ]
        if "omega" in parts:
            groups.append({"params": parts["omega"], **own})
        return build_optimiser(groups, self.host)

    def _target_update(self) -> TargetUpdate:
        return TargetUpdate("soft", self.settings.target_tau)

    def _nets(self) -> Dict[str, nn.Module]:
        return {
            "mixer": self.mixer,
            "projector": self.projector,
            "omega": self.omega,
        }

    def _followed(self) -> Dict[str, Any]:
        """Online networks that have a target network."""
        return {"mac": self.mac, "mixer": self.mixer}

    def _parts(self) -> Dict[str, List[nn.Parameter]]:
        parts = {"agent": list(self.mac.parameters())}
        parts.update((name, parameters(net)) for name, net in self._nets().items())
        return {name: part for name, part in parts.items() if part}
