"""Train on a one-step payoff game and read off what was learned."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import numpy as np

SCHEDULE = dict(
    epsilon_start=1.0,  # full exploration, as in the paper's section 4
    epsilon_finish=1.0,
    test_nepisode=1,
    test_interval=50,
    log_interval=10**9,
    runner_log_interval=10**9,
    learner_log_interval=10**9,
    use_cuda=False,
    buffer_size=500,
)

# What is annealed over a long training, shortened as this one is.
SHORTENED = {
    "linear_cw_qmix": dict(alpha_anneal_time=1000),
    "exponential_ow_qmix": dict(alpha_anneal_time=1000),
    "pow_qmix": dict(pow_warmup_steps=0),
    "proj_annealed_qmix": dict(omega_anneal_steps=1000),
}


@dataclass(frozen=True)
class Learned:
    """What one run ended with.

    Attributes:
        q_tot: the monotonic table [U_1, …, U_A]; None for IQL, which has none.
        q_star: the table of Q̂*; None for the baselines.
        greedy: the joint action that the agents play.
        best: the payoff's largest entry.
        greedy_return: the payoff of `greedy`.
        curve: (updates, return of the greedy joint action).
    """

    method: str
    game: str
    seed: int
    payoff: np.ndarray
    q_tot: Optional[np.ndarray]
    q_star: Optional[np.ndarray]
    greedy: Tuple[int, ...]
    curve: List[Tuple[int, float]]

    @property
    def best(self) -> float:
        return float(self.payoff.max())

    @property
    def greedy_return(self) -> float:
        return float(self.payoff[self.greedy])

    @property
    def q_star_error(self) -> Optional[float]:
        """Largest |Q̂* − payoff| over all joint actions; None where there is no Q̂*."""
        if self.q_star is None:
            return None
        return float(np.abs(self.q_star - self.payoff).max())

    @property
    def is_solved(self) -> bool:
        """Whether the agents play a best joint action."""
        return self.greedy_return == self.best


def train(method: str, game: str, seed: int, updates: int, **settings: Any) -> Learned:
    """Train one algorithm on a named game with full exploration.

    Args:
        method: as `--config`.
        game: as `env_args.game`.
        updates: gradient updates, one for each episode of one step.
    """
    import logging

    import torch

    from wqmix import get_runner

    torch.set_num_threads(1)
    batch_size = 32
    runner = get_runner(
        method,
        "matrix_game",
        seed=seed,
        t_max=updates + batch_size,
        batch_size=batch_size,
        env_args=dict(game=game),
        **{**SCHEDULE, **SHORTENED.get(method, {}), **settings},
    )
    logging.getLogger("pymarl").setLevel(logging.WARNING)
    stats = runner.run()
    payoff = _payoff(game)
    q_tot, q_star, greedy = tables(runner, payoff.shape)
    runner.finish()
    curve = [(int(t), float(value)) for t, value in stats["test_return_mean"]]
    return Learned(method, game, seed, payoff, q_tot, q_star, greedy, curve)


def tables(runner: Any, shape: Tuple[int, ...]) -> Tuple[Any, Any, Tuple[int, ...]]:
    """Return the tables of Q_tot and Q̂* over all joint actions, and the greedy one."""
    import torch

    learner, batch = runner.learner, runner.buffer[:1]
    state = learner.seen_by_mixers(batch["state"][:, 0])
    joint = torch.tensor(list(itertools.product(*map(range, shape))))
    agents = torch.arange(len(shape))
    with torch.no_grad():
        learner.mac.init_hidden(1)
        q = learner.mac.forward(batch, t=0)[0]  # [A, U]
        greedy = tuple(
            int(q[a, :n_actions].argmax()) for a, n_actions in enumerate(shape)
        )
        q_tot = q_star = None
        states = state.expand(len(joint), -1)
        if getattr(learner, "mixer", None) is not None:
            q_tot = learner.mixer(q[agents, joint].unsqueeze(1), states.unsqueeze(1))
            q_tot = q_tot.reshape(shape).numpy()
        if getattr(learner, "central_agent", None) is not None:
            rows = _central_outputs(learner, batch)[agents, joint]  # [J, A, E]
            q_star = learner.central_mixer(rows, states).reshape(shape).numpy()
    return q_tot, q_star, greedy


def _central_outputs(learner: Any, batch: Any) -> Any:
    from wqmix.inputs import agent_inputs
    from wqmix.slots import Slots

    slots, seen = Slots(1, batch.max_seq_length), learner.settings.central_inputs
    inputs = agent_inputs(batch, learner.args, slots, seen)
    return learner.central_agent(inputs, slots)[0]  # [A, U, E]


def _payoff(game: str) -> np.ndarray:
    from wqmix.host.envs.payoffs import payoff_tensor

    return payoff_tensor(game)
