"""`wqmix.weighting`: what a weighting of one's own needs (docs/weightings.md)."""

from .weightings import WeightingInputs, full_or_alpha, register, soft_step

__all__ = ["WeightingInputs", "full_or_alpha", "register", "soft_step"]
