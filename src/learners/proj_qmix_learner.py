"""The projector variant that also circulates as "WQMIX"; docs/projector.md.

Q_tot(s, u) = Q_mono(s, u) + ω · Q_proj(s[, u]): the host's monotonic mixer plus an
unrestricted term. The agents act greedily in Q_mono.
`B` episodes, `T` transitions, `A` agents, `U` actions, `S` state size.
"""

from __future__ import annotations

import functools
from typing import Any, Dict, List, NamedTuple, Tuple

import torch
from torch import Tensor, nn

from .. import central
from ..inputs import agent_inputs, flat_size
from ..modules.mixers.projector import Projector
from ..omegas import OMEGAS, Advantage, OmegaInputs
from ..settings import ProjQMixSettings, TargetUpdate
from .base import Learner, Loss, Networks, Transitions, parameters


class Values(NamedTuple):
    """What one update computes before its weights; all [B, T, 1] but `greedy`."""

    q_mono: Tensor
    q_proj: Tensor
    omega: Tensor
    q_tot: Tensor
    greedy: Tensor  # û, greedy in Q_mono [B, T+1, A, 1]
    greedy_value: Tensor  # Q_mono⁻ + ω Q_proj at û
    target: Tensor


LOGGED = ("q_mono", "q_proj", "q_tot", "omega")


class ProjQMixLearner(Learner):
    """Learner of QMIX with a projector, with PyMARL's interface."""

    settings_class = ProjQMixSettings
    settings: ProjQMixSettings

    def loss(self, data: Transitions, t_env: int) -> Loss:
        """L = Σ m w (Q_tot − y)² / Σ m, and V's own where ω has a network for it.

        Q_tot = Q_mono + ω Q_proj, y = r + γ (1 − term) (Q_mono⁻ + ω Q_proj)(s′, û′).

        Only the utilities and the mixer have targets; ω and Q_proj are the online
        ones, without gradient.
        """
        inputs = agent_inputs(data.batch, self.args, data.slots)
        q = self.unroll(self.mac, data.batch, inputs, data.slots)
        state, actions = data.state[:, :-1], data.actions
        q_mono = data.mix(self.mixer, central.take(q[:, :-1], actions))
        sampled = functools.lru_cache(maxsize=None)(
            functools.partial(self._sampled_value, q.detach(), data)
        )
        x = OmegaInputs(
            state, q_mono.detach(), lambda: sampled()[:, :-1], t_env, data.mask
        )
        omega = self.omega(x)
        q_proj = self.projector(self._projector_inputs(state, actions), data.mask)

        q_tot = q_mono + omega * q_proj

        with torch.no_grad():
            greedy, mono = self._greedy_mono(data, q.detach(), inputs)
            after = OmegaInputs(data.state, mono, sampled, t_env, None)
            value = mono + self.omega(after) * self._projected(data.state, greedy)
            y = self.td_targets(data, value)
            values = Values(q_mono, q_proj, omega, q_tot, greedy, value[:, :-1], y)
            w = self.weights(data, values, t_env)
        terms = {"qmix_loss": (1.0, data.mean(w * (q_tot - y).square()))}
        if isinstance(self.omega, Advantage):
            error = self.omega.value_error(x)
            if error is not None:
                terms["omega_value_loss"] = (1.0, data.mean(error.square()))
        logged = {key: getattr(values, key) for key in LOGGED}
        return Loss(terms, values, w, lambda: logged)

    def _greedy_mono(
        self, data: Transitions, q: Tensor, inputs: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """û [B, T+1, A, 1] and Q_mono⁻(s, û) [B, T+1, 1]."""
        greedy, target_q = self._greedy(data, q, inputs)
        assert target_q is not None  # this learner has a target MAC
        target_mixer = self.target_networks["mixer"]
        best = central.take(target_q, greedy)
        return greedy, data.slots.each(target_mixer, best, data.state)

    def _projected(self, state: Tensor, actions: Tensor) -> Tensor:
        """Q_proj as it stands: batch normalisation by its running statistics."""
        self.projector.eval()
        value: Tensor = self.projector(
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

    # Construction

    def _build(self, scheme: Any) -> Networks:
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
        nets = {"mixer": self.mixer, "projector": self.projector, "omega": self.omega}
        parts = {"agent": list(self.mac.parameters())}
        parts.update((name, parameters(net)) for name, net in nets.items())
        return Networks(
            nets,
            {name: part for name, part in parts.items() if part},
            followed={"mac": self.mac, "mixer": self.mixer},
            groups=self._groups(parts),
            target_update=TargetUpdate("soft", settings.target_tau),
        )

    def _groups(self, parts: Dict[str, List[nn.Parameter]]) -> List[Dict[str, Any]]:
        """The optimiser's: Q_proj and ω have a rate, Q_proj a decay of their own."""
        own = {"lr": self.settings.projector_lr}
        decay = self.settings.projector_l2
        groups: List[Dict[str, Any]] = [
            {"params": parts["agent"] + parts["mixer"]},
            {"params": parts["projector"], "weight_decay": decay, **own},
        ]
        if parts["omega"]:
            groups.append({"params": parts["omega"], **own})
        return groups
