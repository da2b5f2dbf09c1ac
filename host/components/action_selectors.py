"""How utilities become actions. Register one's own with `REGISTRY[name] = cls`."""

import torch as th

from .epsilon_schedules import DecayThenFlatSchedule

REGISTRY = {}


class EpsilonGreedyActionSelector:
    """Greedy over the available actions; uniform over them with probability epsilon.

    Each agent explores by itself. In test mode the choice is greedy, unless
    `test_greedy: False` asks for the training epsilon there too.
    """

    def __init__(self, args):
        self.args = args
        self.schedule = DecayThenFlatSchedule(
            args.epsilon_start,
            args.epsilon_finish,
            args.epsilon_anneal_time,
            decay="linear",
        )
        self.epsilon = self.schedule.eval(0)
        self.test_greedy = getattr(args, "test_greedy", True)

    def select_action(self, agent_inputs, avail_actions, t_env, test_mode=False):
        """Utilities `[B, A, U]` and availability `[B, A, U]` to actions `[B, A]`."""
        greedy_only = test_mode and self.test_greedy
        self.epsilon = 0.0 if greedy_only else self.schedule.eval(t_env)
        unavailable = avail_actions == 0
        greedy = agent_inputs.masked_fill(unavailable, -float("inf")).argmax(dim=2)
        if greedy_only:
            return greedy
        # The largest of independent uniform scores is a uniform draw.
        scores = th.rand_like(agent_inputs).masked_fill_(unavailable, -1.0)
        explore = th.rand_like(agent_inputs[:, :, 0]) < self.epsilon
        return th.where(explore, scores.argmax(dim=2), greedy)


REGISTRY["epsilon_greedy"] = EpsilonGreedyActionSelector
