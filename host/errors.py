"""What can go wrong for reasons that a user can mend: one line, one exit code."""

from __future__ import annotations

import os
import traceback
from typing import Any, Iterable

from ..config.names import nearest
from ..config.reading import quoted
from ..storage.errors import UserError


class HostError(UserError):
    """A mistake of the user's: printed as one line, without a traceback."""


class ConfigError(HostError):
    """A name, key or value in the configuration that cannot be used."""


class CheckpointError(HostError):
    """A checkpoint that cannot be found or read."""


class WorkerError(HostError):
    """An environment failed inside a worker process; carries its traceback text."""

    exit_code = 1


class LostError(HostError):
    """A run came to its end, which could not be written."""

    exit_code = 1


class EnvError(HostError):
    """An environment broke its contract, or failed, while a run was going on."""

    exit_code = 1


class NonFiniteError(HostError):
    """A loss or gradient stopped being a finite number.

    Raised before the optimiser's step, so that the networks still hold the last
    good parameters.
    """

    exit_code = 1

    batch: Any  # of the update, noted by who trains

    def __init__(self, term: str, value: float, t_env: int) -> None:
        super().__init__(
            f"{term} is {value} at environment step {t_env}; training stopped "
            "before this update (try a smaller lr, or look at the rewards)"
        )
        self.terms = {term: value}
        self.t_env = t_env


def raised(error: BaseException) -> str:
    """An exception as one line, with the line of the file that it came from."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = os.path.basename(place.filename)
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:120]} ({name}, line {place.lineno})"


def quote(value: Any, longest: int = 60) -> str:
    """A value as one line that is not too long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= longest else text[: longest - 2] + " …"


def unknown(what: str, value: Any, accepted: Iterable[Any]) -> ConfigError:
    """A ConfigError for a name that is none of the accepted ones."""
    names = sorted("null" if name is None else str(name) for name in accepted)
    return ConfigError(
        f"unknown {what} {quoted(value)}{nearest(value, names)}; "
        f"accepted: {', '.join(names)}"
    )
