"""Payoff games and a small predator-prey, shown and measured."""
