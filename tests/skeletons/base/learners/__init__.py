from .q_learner import QLearner

REGISTRY = {"q_learner": QLearner}
