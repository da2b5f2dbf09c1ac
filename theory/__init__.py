"""The operators of the paper on tables, exact. Needs numpy and scipy, never torch.

Tables and greedy actions: ``tables``. The projections: ``projection`` (on ``isotonic``),
and their ``local`` optima. MDPs and Eqs. 8, 9: ``operators``. Theorems 1 and 2:
``thresholds``. What is printed and drawn: ``demos``, ``search``, ``report``,
``figures``, ``cli``. See docs/theory.md.
"""
