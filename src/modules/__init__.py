"""Networks that Weighted QMIX adds to a host."""
