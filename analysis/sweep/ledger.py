"""Which runs are finished: what the hosts' own run folders say."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Iterable, Set

from ..folders import CONFIG, RUN, read_mapping, run_folders

COMPLETED = "COMPLETED"


class Ledger:
    """Completed runs by their labels, looked up below one results folder.

    A run is known by the label in its own config.json, wherever its folder lies.
    """

    def __init__(self, results: Path, labels: Iterable[str]) -> None:
        self._root = results / "sacred"
        self._wanted = set(labels)
        self._labels: Dict[Path, str] = {}
        self._completed: Dict[Path, str] = {}

    def completed(self) -> Set[str]:
        """Return the labels of all runs that are completed by now."""
        for folder in run_folders(self._root):
            if folder in self._completed or self._label(folder) not in self._wanted:
                continue
            if read_mapping(folder / RUN).get("status") == COMPLETED:
                self._completed[folder] = self._labels[folder]
        return set(self._completed.values())

    def _label(self, folder: Path) -> str:
        if folder not in self._labels:
            label = read_mapping(folder / CONFIG).get("label")
            if not isinstance(label, str):
                return ""  # not written yet, perhaps
            self._labels[folder] = label
        return self._labels[folder]

    def folders(self) -> Dict[str, list]:
        """Return the folders of completed runs, by label."""
        found: Dict[str, list] = {}
        for folder, label in self._completed.items():
            found.setdefault(label, []).append(folder)
        return found
