"""Logging, clocks, checkpoints and the loader of foreign learner files."""
