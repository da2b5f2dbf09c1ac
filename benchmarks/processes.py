"""What a process and its descendants use, read from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Tree:
    """A process and all its living descendants, as they are now.

    Attributes:
        pids: all of them, `root` first.
        rss: bytes of resident memory. Pages that forked processes share count in each.
        cpu: seconds of processor time, of children that have ended too.
        files: open file descriptors.
        threads: of all processes.
    """

    def __init__(self, root: int) -> None:
        stats = {pid: stat for pid in _pids() for stat in [_stat(pid)] if stat}
        children: Dict[int, List[int]] = {}
        for pid, stat in stats.items():
            children.setdefault(int(stat[1]), []).append(pid)
        self.pids = [root]
        for pid in self.pids:  # grows as it is walked
            self.pids += children.get(pid, [])
        mine = [stats[pid] for pid in self.pids if pid in stats]
        self.rss = sum(int(stat[21]) for stat in mine) * PAGE
        self.cpu = sum(int(ticks) for stat in mine for ticks in stat[11:15]) / TICKS
        self.threads = sum(int(stat[17]) for stat in mine)
        self.files = sum(_n_files(pid) for pid in self.pids)


def _pids() -> List[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> List[str]:
    """The fields of /proc/PID/stat from the third on (state, parent, ...)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []  # it has ended
    return text.rpartition(")")[2].split()


def _n_files(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
