"""A folder of its own for each run, in hosts that name a run by when it began."""

from __future__ import annotations

import datetime
import re
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any, List

from .hosts import HostAdapter
from .hosts.base import read_text
from .imports import after_import
from .notes import note

RUN_FILES = ("run.py", "run/*.py")

# `unique_token = "{}__{}".format(args.name, datetime.datetime.now().strftime(…))`
_BY_THE_SECOND = re.compile(r"^[ \t]*unique_token\s*=.*strftime\(", re.MULTILINE)


def by_the_second(root: Path) -> List[str]:
    """Return the modules of a host that name a run by the second that it began in."""
    found = [path for pattern in RUN_FILES for path in sorted(root.glob(pattern))]
    return [
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in found
        if _BY_THE_SECOND.search(read_text(path))
    ]


def mark(host: HostAdapter, modules: List[str]) -> None:
    """Add a mark to the runs' names that these modules of a host make."""
    for name in modules:
        after_import(host.module(name), add_a_mark)


def add_a_mark(module: ModuleType) -> None:
    """Have a run's name end with eight digits that no other run has."""
    mark = uuid.uuid4().hex[:8]  # not drawn from a generator that is seeded

    class Moment(datetime.datetime):
        """Told as text, it ends with the mark."""

        def strftime(self, form: str) -> str:
            return f"{super().strftime(form)}_{mark}"

    if isinstance(getattr(module, "datetime", None), ModuleType):
        stand_in = ModuleType("datetime")
        stand_in.__dict__.update(vars(datetime), datetime=Moment)
        module.datetime = stand_in  # type: ignore[attr-defined]
    elif hasattr(module, "datetime"):
        module.datetime = Moment  # type: ignore[attr-defined]


def hold_folder(host: HostAdapter, args: Any) -> Any:
    """Have the host save where no other live process does; return the lock.

    Where another process holds the folder, the run's name in `args` is changed.
    """
    from ..storage import Refused, folders

    models = host.models_folder(args)
    while models is not None:
        try:
            return folders.hold(models)
        except Refused as error:
            host.name_anew(args, f"_{uuid.uuid4().hex[:8]}")
            models = host.models_folder(args)
            note(f"{error}: this one saves into {models}")
    return None
