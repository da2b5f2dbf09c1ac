"""Google Research Football: a team of agents against the game's own players."""

from .env import FootballEnv

__all__ = ["FootballEnv"]
