"""Which of the groups are shown, and under which names: `--only`, `--rename` …"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Dict, List, Sequence, Set, Tuple

from wqmix.config.names import nearest
from wqmix.config.reading import one_line
from wqmix.errors import ConfigError

from .figures import counted

Key = Tuple[str, str]  # algorithm, task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let a command's user choose, rename and smooth."""
    for name, metavar, what in (
        ("--only", "NAME", "show this algorithm or task (repeat; `cw*` for several)"),
        ("--without", "NAME", "leave this algorithm or task out (repeat)"),
        ("--rename", "NAME=NEW", "show an algorithm or task under a name (repeat)"),
    ):
        parser.add_argument(
            name, action="append", default=[], metavar=metavar, help=what
        )
    parser.add_argument(
        "--smooth",
        type=int,
        default=1,
        metavar="N",
        help="curves show the mean of each run's last N values (scores do not change)",
    )


@dataclass
class Choice:
    """What a user asked for.

    Attributes:
        only, without: patterns of algorithms and tasks, `*` standing for any text.
        rename: `NAME=NEW`.
    """

    only: Sequence[str] = ()
    without: Sequence[str] = ()
    rename: Sequence[str] = ()

    @classmethod
    def of(cls, options: Any) -> Choice:
        """Return the choice of a command line.

        Raises:
            ConfigError: `--smooth` is no whole number from 1.
        """
        if options.smooth < 1:
            raise ConfigError("--smooth is a whole number from 1")
        return cls(options.only, options.without, options.rename)

    def of_groups(self, groups: Dict[Key, Any]) -> Tuple[Dict[Key, Any], List[str]]:
        """Return those of the groups that are chosen, renamed, and remarks on it.

        Raises:
            ConfigError: a name that is not there, or nothing is left, or two groups
                would have one name.
        """
        kept = self._kept(groups)
        if not kept:
            raise ConfigError("--only and --without leave nothing to show")
        remarks = []
        if len(kept) < len(groups):
            runs = sum(len(groups[key]) for key in groups.keys() - kept)
            what = counted(len(groups) - len(kept), "group")
            told = f"{counted(runs, 'run')} of {what} left out"
            remarks.append(f"{told}, as asked by --only or --without")
        new = self._new_names(kept)
        found: Dict[Key, Any] = {}
        for (algorithm, task), runs in kept.items():
            key = new.get(algorithm, algorithm), new.get(task, task)
            if key in found:
                raise ConfigError(f"--rename: two would be {key[0]!r} on {key[1]!r}")
            found[key] = runs
        remarks += [f"{new[name]!r} is {name!r}" for name in new]
        return found, remarks

    def _kept(self, groups: Dict[Key, Any]) -> Dict[Key, Any]:
        wanted, unwanted = (
            [matching(pattern, groups, option) for pattern in patterns]
            for option, patterns in (
                ("--only", self.only),
                ("--without", self.without),
            )
        )
        kept = groups
        for part in (0, 1):  # of algorithms, of tasks
            names = set().union(*(each[part] for each in wanted))
            without = set().union(*(each[part] for each in unwanted))
            kept = {
                key: runs
                for key, runs in kept.items()
                if (not names or key[part] in names) and key[part] not in without
            }
        return kept

    def _new_names(self, groups: Dict[Key, Any]) -> Dict[str, str]:
        names = sorted({name for key in groups for name in key}, key=len, reverse=True)
        new = {}
        for text in self.rename:
            name = next((each for each in names if text.startswith(f"{each}=")), None)
            if name is None:
                raise unknown("--rename", text.rpartition("=")[0] or text, names)
            shown = one_line(text[len(name) + 1 :]).strip()
            if not shown:
                raise ConfigError(f"--rename {text}: NAME=NEW is needed")
            new[name] = shown
        return new


def matching(
    pattern: str, groups: Dict[Key, Any], option: str
) -> Tuple[Set[str], Set[str]]:
    """Return the algorithms and the tasks that a pattern means."""
    found: Tuple[Set[str], Set[str]] = set(), set()
    for key in groups:
        for names, name in zip(found, key):
            if name == pattern or fnmatchcase(name, pattern):
                names.add(name)
    if not any(found):
        raise unknown(option, pattern, {name for key in groups for name in key})
    return found


def unknown(option: str, name: str, names: Any) -> ConfigError:
    """Return the error for a name that no group has."""
    known = ", ".join(sorted(names))
    return ConfigError(f"{option} {name}: not one of {known}{nearest(name, names)}")
