"""POW-QMIX (Huang et al., ICLR 2026, arXiv 2405.08036); docs/weightings.md.

`B` episodes, `T` transitions, `A` agents, `U` actions, `S` state size.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Tuple

import torch
from torch import Tensor

from .. import central, targets
from ..inputs import flat_size
from ..modules.mixers.recogniser import Recogniser
from ..optim import build_optimiser
from ..settings import PowQMixSettings
from .base import Loss, Networks, Transitions, parameters
from .wqmix_learner import Values, WQMixLearner


class PowQMixLearner(WQMixLearner):
    """Weighted QMIX whose weights come from a recogniser Q_r, trained beside it.

    Before each update Q_r is fitted to the same targets y, with an optimiser of its
    own; then w = 1 where A_r(s, u) > −`pow_threshold`, else α (`weighting: pow`).
    """

    settings_class = PowQMixSettings
    settings: PowQMixSettings

    def _build(self, scheme: Any) -> Networks:
        networks = super()._build(scheme)
        args, settings = self.args, self.settings
        self.recogniser = Recogniser(
            args.n_agents,
            args.n_actions,
            flat_size(args.state_shape),
            settings.pow_embed_dim,
            settings.pow_hypernet_embed,
            settings.pow_value_embed,
        )
        self.recogniser_optimiser = build_optimiser(
            parameters(self.recogniser), self.host
        )

        return networks._replace(
            nets={**networks.nets, "recogniser": self.recogniser},
            optimisers={"recogniser_opt": self.recogniser_optimiser},
        )

    def loss(self, data: Transitions, t_env: int) -> Loss:
        """Those of Weighted QMIX; the weights fit the recogniser first."""
        loss = super().loss(data, t_env)

        def logged() -> Dict[str, Tensor]:
            with torch.no_grad():
                q_r, _ = self.recogniser(*recogniser_inputs(data, loss.values))
            error = (q_r - loss.values.target).square()
            return {**loss.logged(), "recogniser_loss": error}

        return loss._replace(
            logged=logged, more={"recogniser_grad_norm": self._recogniser_norm}
        )

    @torch.no_grad()
    def weights(
        self, data: Transitions, values: Any, t_env: int, **judges: Callable[[], Tensor]
    ) -> Tensor:
        """w(s, u), 1 everywhere at first (`pow_warmup_steps`)."""
        self._fit_recogniser(data, values)
        if t_env < self.settings.pow_warmup_steps:
            return torch.ones_like(values.target)
        judges["is_potentially_optimal"] = lambda: self._is_recognised(data, values)
        return super().weights(data, values, t_env, **judges)

    @torch.enable_grad()
    def _fit_recogniser(self, data: Transitions, values: Values) -> None:
        """Minimise Σ m (Q_r − y)² / Σ m, `pow_updates` steps.

        If the last step's gradient is not finite, all are undone with the update.
        """
        inputs = recogniser_inputs(data, values)
        count = data.mask.sum().clamp(min=1)
        for _ in range(self.settings.pow_updates):
            q_r, _ = self.recogniser(*inputs)
            loss = (data.mask * (q_r - values.target).square()).sum() / count
            self.recogniser_optimiser.zero_grad()
            loss.backward()
            norm = self.recogniser_optimiser.clip_grad_norm(self.host.grad_norm_clip)
            self.recogniser_optimiser.step()
        self._recogniser_norm = norm

    def _is_recognised(self, data: Transitions, values: Values) -> Tensor:
        """Whether |A_r(s, u)| < `pow_threshold` [B, T, 1], bool."""
        advantage: Tensor
        _, advantage = self.recogniser(*recogniser_inputs(data, values))
        return advantage.abs() < self.settings.pow_threshold


def recogniser_inputs(
    data: Transitions, values: Values
) -> Tuple[Tensor, Tensor, Tensor]:
    """The arguments of `Recogniser.forward`; the utilities are the online ones."""
    q, avail = values.q[:, :-1].detach(), data.avail_actions[:, :-1]
    best = central.take(q, targets.greedy_actions(q, avail))
    gaps = central.take(q, data.actions) - best
    onehot = torch.zeros_like(q).scatter_(3, data.actions, 1.0)
    return gaps, data.state[:, :-1], onehot.flatten(2)
