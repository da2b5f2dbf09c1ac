"""Errors that a user sees: one line each (what, where, what to do)."""

from __future__ import annotations

from typing import Dict, Optional

from .storage.errors import UserError


class WQMixError(UserError):
    """Base of all errors raised on purpose; `exit_code` ends the process."""

    exit_code = 1


class ConfigError(WQMixError):
    """A setting that cannot be right: a user's mistake, found before any work."""

    exit_code = 2


class CheckpointError(WQMixError):
    """A checkpoint that is absent, incomplete, broken or of another network."""

    exit_code = 2


class NonFiniteError(WQMixError):
    """A loss or gradient became NaN or infinite; training has stopped.

    Attributes:
        terms: what was computed, by name.
        t_env: environment steps at that update.
    """

    def __init__(
        self,
        message: str,
        terms: Optional[Dict[str, float]] = None,
        t_env: int = 0,
    ) -> None:
        super().__init__(message)
        self.terms, self.t_env = terms or {}, t_env


class OutOfMemoryError(WQMixError):
    """An update does not fit into the device's memory; says what would."""
