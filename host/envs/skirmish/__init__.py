"""Skirmish: the battles of SMAC, by the rules that SMAClite published.

A model of the game, to be read in this order:

- `maps`: units, maps and ground as they are written in ``config/skirmish``;
- `scenario`: a map as arrays; who stands where when a battle begins;
- `kernel`: what happens in a sixteenth of a second, compiled. `battle` is one tick from
  beginning to end, `orders` what units want, `avoidance` how they get out of each
  other's way, `combat` what weapons do, `sight` what agents see and may do;
- `batch`: many battles at once, as an environment; `picture`: what one looks like.

Nobody draws anything at random but the order in which units act within a tick.
"""
