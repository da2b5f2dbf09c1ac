"""Prioritised replay of episodes (Schaul et al. 2016), as PyMARL2 has it."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import numpy as np
import torch as th

from .episode_buffer import EpisodeBatch, ReplayBuffer

SMALLEST = 1e-6  # is added to each priority


class PrioritisedReplayBuffer(ReplayBuffer):
    """Episode i is drawn with P(i) = p_i^alpha / sum p^alpha.

    Its importance weight is (N P(i))^-beta, divided by the largest in the buffer, and
    beta grows from `beta` to 1 at `t_max`. A new episode gets the largest priority so
    far, at least 1. PyMARL2's numbers, but for the newest episode, which its draws
    leave out of their sum.
    """

    def __init__(
        self, *args: Any, alpha: float, beta: float, t_max: int, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.alpha, self.beta, self.t_max = alpha, beta, t_max
        self.powers = np.zeros(self.buffer_size)  # p^alpha
        self.max_priority = 1.0

    def insert_episode_batch(self, ep_batch: EpisodeBatch) -> None:
        first = self.episodes_added
        super().insert_episode_batch(ep_batch)
        slots = np.arange(first, self.episodes_added) % self.buffer_size
        self.powers[slots] = self.max_priority**self.alpha

    def sample_by_priority(
        self, batch_size: int, t_env: int
    ) -> Tuple[EpisodeBatch, np.ndarray, np.ndarray]:
        """Draw one episode from each of `batch_size` equal parts of the sum.

        Returns:
            The episodes, their slots and their importance weights `[batch_size]`.
        """
        powers = self.powers[: self.episodes_in_buffer]
        ends = powers.cumsum()
        parts = np.arange(batch_size) + self.rng.random(batch_size)
        slots = np.searchsorted(ends, parts * ends[-1] / batch_size, side="right")
        slots = slots.clip(max=len(powers) - 1)
        beta = self.beta + (1 - self.beta) * min(t_env / max(self.t_max, 1), 1)
        # N and the sum cancel out.
        weights = (powers[slots] / powers.min()) ** -beta
        return self[slots.tolist()], slots, weights

    def update_priorities(self, slots: np.ndarray, errors: Any) -> None:
        """Set the priorities of drawn episodes to their errors `[batch_size]`.

        One that is not finite leaves its episode's as it was: the learner says so.
        """
        priorities = np.asarray(errors, dtype=np.float64) + SMALLEST
        is_finite = np.isfinite(priorities)
        slots, priorities = slots[is_finite], priorities[is_finite]
        self.powers[slots] = priorities**self.alpha
        self.max_priority = max(self.max_priority, *priorities, 0.0)

    def priorities(self) -> Dict[str, Any]:
        """What a checkpoint must keep besides the episodes."""
        powers = th.from_numpy(self.powers.copy())
        return {"powers": powers, "max_priority": float(self.max_priority)}

    def load_priorities(self, state: Dict[str, Any]) -> None:
        """Take what `priorities` returned."""
        self.powers = state["powers"].numpy().copy()
        self.max_priority = state["max_priority"]
