"""Networks: agents and mixers."""
