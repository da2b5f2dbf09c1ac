"""The operators of the paper on tables, exact. Needs numpy and scipy, never torch.

``tables``: what may be a payoff, greedy actions. ``projection`` (on ``isotonic``):
Pi_w and its weightings; ``local``: its local optima. ``operators``: MDPs, Eqs. 8 and
9. ``thresholds``: Theorems 1 and 2. ``demos``, ``search``, ``report``, ``figures`` and
``cli``: what is printed and drawn. See docs/theory.md.
"""
