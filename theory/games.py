"""Payoff tables: by name, from a file, or written inline."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Callable

import numpy as np

from ..config import reading
from .errors import TheoryError, unknown
from .tables import check_table

FILES = (".yaml", ".yml", ".csv", ".npy")
_NAMED = Path(__file__).resolve().parent.parent / "config" / "games.yaml"


def games() -> dict[str, dict[str, Any]]:
    """The named games of ``config/games.yaml``: name to payoff, why, source."""
    return reading.read_yaml(_NAMED)


def payoff_table(what: str) -> np.ndarray:
    """The table that ``what`` stands for.

    Args:
        what: a name in ``config/games.yaml``; a path ending in .yaml, .csv (two
            agents) or .npy; or nested lists such as ``"[[1, 0], [0, 1]]"``.

    Raises:
        TheoryError: no such name or file, or no table that can be projected.
    """
    text = what.strip()
    if text.startswith("["):
        return _checked(
            _in_one_line("the inline table", reading.parse_yaml, text),
            "the inline table",
        )
    if Path(text).suffix.lower() in FILES:
        return _checked(_read(Path(text)), text)
    named = games()
    if text not in named:
        error = unknown("game", text, named)
        raise TheoryError(f"{error}; or a file ({', '.join(FILES)}), or [[1, 0], ...]")
    return check_table(named[text]["payoff"])


def _checked(value: Any, where: str) -> np.ndarray:
    try:
        return check_table(value)
    except TheoryError as error:
        raise TheoryError(f"{where}: {error}") from None


def _read(path: Path) -> Any:
    if not path.is_file():
        raise TheoryError(f"{path}: no such file")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _read_npy(path)
    text = _in_one_line(path, reading.read_text, path)
    if suffix == ".csv":
        lines = [line for line in text.splitlines() if line.strip()]
        return [[cell.strip() for cell in line.split(",")] for line in lines]
    value = _in_one_line(path, reading.parse_yaml, text)
    return value["payoff"] if isinstance(value, dict) and "payoff" in value else value


def _read_npy(path: Path) -> np.ndarray:
    content = _in_one_line(path, reading.read_bytes, path)
    try:
        # From memory: a header that claims terabytes is no reason to map them.
        table = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # whatever a broken file makes of the reader
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise TheoryError(f"{path}: not a plain numeric .npy file ({reason})") from None
    if not isinstance(table, np.ndarray):
        raise TheoryError(f"{path}: not a plain numeric .npy file (an archive)")
    return table


def _in_one_line(where: Any, read: Callable[..., Any], *args: Any) -> Any:
    try:
        return read(*args)
    except reading.ReadingError as error:
        raise TheoryError(f"{where}: {error}") from None
