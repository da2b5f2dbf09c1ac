"""Which runs are finished: what the hosts' own run folders say."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Set

from ..folders import CONFIG, RUN, read_mapping, run_folders

COMPLETED, UNDER_WAY = "COMPLETED", "RUNNING"
OLD = datetime.timedelta(minutes=10)  # more than clocks differ: no run has this beat


class Ledger:
    """Completed runs by their labels, looked up below one results folder.

    A run is known by the label in its own config.json, wherever its folder lies.

    Attributes:
        beats: the last heartbeat, as sacred writes it every ten seconds, of runs that
            say that they are under way. While it changes, the run is alive, even if
            whatever started it is gone.
    """

    def __init__(self, results: Path, labels: Iterable[str]) -> None:
        self._root = results / "sacred"
        self._wanted = set(labels)
        self._labels: Dict[Path, str] = {}
        self._completed: Dict[Path, str] = {}
        self.beats: Dict[str, str] = {}

    def want(self, label: str) -> None:
        """Look for one more label from now on."""
        self._wanted.add(label)

    def folder(self, label: str) -> Optional[Path]:
        """Return the folder of a run, completed or not; of several, the newest."""
        found = [path for path, each in self._labels.items() if each == label]
        return max(found, key=lambda path: path.stat().st_mtime, default=None)

    def completed(self) -> Set[str]:
        """Return the labels of all runs that are completed by now."""
        self.beats.clear()
        for folder in run_folders(self._root):
            if folder in self._completed or self._label(folder) not in self._wanted:
                continue
            facts, label = read_mapping(folder / RUN), self._labels[folder]
            if facts.get("status") == COMPLETED:
                self._completed[folder] = label
            elif facts.get("status") == UNDER_WAY:
                self._note_beat(label, str(facts.get("heartbeat")))
        return set(self._completed.values())

    def _note_beat(self, label: str, beat: str) -> None:
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        if beat > (now - OLD).isoformat():
            self.beats[label] = max(beat, self.beats.get(label, ""))

    def _label(self, folder: Path) -> str:
        if folder not in self._labels:
            label = read_mapping(folder / CONFIG).get("label")
            if not isinstance(label, str):
                return ""  # not written yet, perhaps
            self._labels[folder] = label
        return self._labels[folder]

    def folders(self) -> Dict[str, List[Path]]:
        """Return the folders of completed runs, by label."""
        found: Dict[str, List[Path]] = {}
        for folder, label in self._completed.items():
            found.setdefault(label, []).append(folder)
        return found
