"""Payoff tables: by name, from a file, or written inline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .errors import TheoryError, unknown
from .tables import check_table

FILES = (".yaml", ".yml", ".csv", ".npy")
_NAMED = Path(__file__).resolve().parent.parent / "config" / "games.yaml"


def games() -> dict[str, dict[str, Any]]:
    """The named games of ``config/games.yaml``: name to payoff, why, source."""
    return yaml.safe_load(_NAMED.read_text(encoding="utf-8"))


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
        return _checked(_parse_yaml(text, "the inline table"), "the inline table")
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
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TheoryError(f"{path}: cannot be read as text ({error})") from None
    if suffix == ".csv":
        lines = [line for line in text.splitlines() if line.strip()]
        return [[cell.strip() for cell in line.split(",")] for line in lines]
    value = _parse_yaml(text, str(path))
    return value["payoff"] if isinstance(value, dict) and "payoff" in value else value


def _read_npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise TheoryError(f"{path}: not a plain numeric .npy file ({reason})") from None


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise TheoryError(f"{where}: not valid YAML{place}") from None
