"""A fork that no other adapter knows."""

from __future__ import annotations

from .base import HostAdapter


class Generic(HostAdapter):
    name = "generic"
    title = "an unknown fork"
    about = "any other fork with PyMARL's layout"
    present = ("learners/__init__.py", "controllers/__init__.py", "config/algs")
    text = (("learners/__init__.py", "REGISTRY"),)
