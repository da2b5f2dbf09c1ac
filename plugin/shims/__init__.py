"""What an old host needs to run on today's Python: in this process, on no file.

Only what this host on this Python needs is applied, and each shim says so once. One
file for each library or habit of hosts.
"""

from __future__ import annotations

import collections
import functools
import importlib.util
import sys
from dataclasses import dataclass
from typing import Callable, List

from ...config import sacred as installed_sacred
from ...config.extras import is_installed
from .. import names
from ..detect import Target
from ..hosts import HostAdapter
from ..hosts.base import contains
from ..notes import note
from .frames import hide_callers
from .leaving import QuietExit, ends_by_exit, finish
from .pyyaml import give_yaml_a_default_loader, yaml_has_default_loader
from .sacred import import_sacred
from .stand_ins import StandIn, StandIns, absent
from .standard import restore_mapping
from .workers import WatchedWorkers, waits_for_workers

__all__ = ["Shim", "absent", "apply", "finish", "needed"]


@dataclass(frozen=True)
class Shim:
    """Something to change in this process.

    Attributes:
        name, why: for the log.
        apply: changes it.
    """

    name: str
    why: str
    apply: Callable[[], None]


def apply(host: HostAdapter, target: Target) -> None:
    """Apply the shims that a checkout needs here, each with a log line.

    Args:
        host: its adapter.
        target: what runs.
    """
    for shim in needed(host, target):
        note(f"shim {shim.name}: {shim.why}")
        shim.apply()
    if host.results_beside_main:
        hide_callers(target.path, as_module=target.module is not None)
    sys.meta_path.append(StandIns(host, target.root))


def needed(host: HostAdapter, target: Target) -> List[Shim]:
    """Return the shims that this host on this Python needs from the start."""
    main, shims = target.path, []
    if contains(main, "collections.Mapping") and not hasattr(collections, "Mapping"):
        why = "collections.Mapping, gone since Python 3.10"
        shims.append(Shim("Mapping", why, restore_mapping))
    if contains(main, "yaml.load(f)") and not yaml_has_default_loader():
        why = "yaml.load without a Loader, an error since PyYAML 6"
        shims.append(Shim("yaml", why, give_yaml_a_default_loader))
    if not host.finds_sacred and not is_installed(installed_sacred.NAME):
        why = "pkg_resources, gone since setuptools 82, which sacred imports"
        shims.append(Shim("pkg_resources", why, import_sacred))
    if ends_by_exit(target.root):
        why = "os._exit at the end would leave sacred's run as RUNNING"
        shims.append(Shim("exit", why, QuietExit.install))
    if waits_for_workers(target.root):
        why = "a worker process that dies would leave the host waiting for ever"
        shims.append(Shim("workers", why, WatchedWorkers.install))
    named = names.by_the_second(target.root)
    if named:
        why = "runs that begin in one second would share their folders: a mark is added"
        put = functools.partial(names.mark, host, named)
        shims.append(Shim("names", why, put))
    for name, needs in host.replaced.items():
        lacking = [need for need in needs if importlib.util.find_spec(need) is None]
        if lacking:
            stand_in = StandIn(name, host.stand_ins[lacking[0]])
            put = functools.partial(sys.modules.__setitem__, name, stand_in)
            why = f"without {lacking[0]} it cannot be imported"
            shims.append(Shim(f"stand-in for {name}", why, put))
    return shims
