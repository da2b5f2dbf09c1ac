"""Unrestricted mixers of Q̂*, by the name that `central_mixer` selects."""

from ...registry import CENTRAL_MIXERS
from . import central_atten, central_ff  # noqa: F401  they register themselves

__all__ = ["CENTRAL_MIXERS"]
