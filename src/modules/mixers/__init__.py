"""Unrestricted mixers of Q̂*, by the name that `central_mixer` selects."""

from .central_atten import CentralAttenMixer
from .central_ff import CentralFFMixer

CENTRAL_MIXERS = {"ff": CentralFFMixer, "atten": CentralAttenMixer}
