"""How utilities become actions. Register one's own with `REGISTRY[name] = cls`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Callable, Dict

import numpy as np
import torch as th

from ..utils import random_state
from .epsilon_schedules import DecayThenFlatSchedule

REGISTRY: Dict[str, Callable[..., Any]] = {}


class EpsilonGreedyActionSelector:
    """Greedy over the available actions; uniform over them with probability epsilon.

    Each agent explores by itself. In test mode the choice is greedy, unless
    `test_greedy: False` asks for the training epsilon there too. Random numbers come
    from generators of its own, one for training and one for tests.
    """

    def __init__(self, args: SimpleNamespace) -> None:
        self.args = args
        self.schedule = DecayThenFlatSchedule(
            args.epsilon_start,
            args.epsilon_finish,
            args.epsilon_anneal_time,
            decay="linear",
        )
        self.epsilon = self.schedule.eval(0)
        self.test_greedy = getattr(args, "test_greedy", True)
        self.rng = {
            purpose: random_state.generator(args.seed, purpose)
            for purpose in ("exploration", "exploration in tests")
        }

    def select_action(
        self,
        agent_inputs: th.Tensor,
        avail_actions: th.Tensor,
        t_env: int,
        test_mode: bool = False,
    ) -> th.Tensor:
        """Utilities `[B, A, U]` and availability `[B, A, U]` to actions `[B, A]`."""
        greedy_only = test_mode and self.test_greedy
        self.epsilon = 0.0 if greedy_only else self.schedule.eval(t_env)
        unavailable = avail_actions == 0
        greedy = agent_inputs.masked_fill(unavailable, -float("inf")).argmax(dim=2)
        if greedy_only:
            return greedy
        rng = self.rng["exploration in tests" if test_mode else "exploration"]
        n_copies, n_agents, n_actions = agent_inputs.shape
        uniform = rng.random((n_copies, n_agents, n_actions + 1), dtype=np.float32)
        drawn = th.from_numpy(uniform).to(agent_inputs.device)
        # The largest of independent uniform scores is a uniform draw.
        scores = drawn[:, :, 1:].masked_fill(unavailable, -1.0)
        return th.where(drawn[:, :, 0] < self.epsilon, scores.argmax(dim=2), greedy)

    def state_dict(self) -> Dict[str, Any]:
        """The generators' states, in plain types."""
        return {purpose: rng.bit_generator.state for purpose, rng in self.rng.items()}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Take what `state_dict` returned."""
        for purpose, rng in self.rng.items():
            rng.bit_generator.state = state[purpose]


REGISTRY["epsilon_greedy"] = EpsilonGreedyActionSelector
