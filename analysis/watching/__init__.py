"""Episodes of trained agents: watched, and counted."""
