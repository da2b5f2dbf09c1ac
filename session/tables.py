"""Results as rows, readable in a terminal and in a notebook."""

from __future__ import annotations

import html
from typing import Any, Dict, Iterable, List, Mapping

from ..errors import ConfigError


class Table(List[Dict[str, Any]]):
    """A list of rows, each a dict; one that lacks a column has nothing there."""

    @classmethod
    def of_stats(cls, stats: Mapping[str, Iterable[Any]], prefix: str = "") -> Table:
        """One row for each step at which a statistic of that prefix was logged."""
        rows: Dict[int, Dict[str, Any]] = {}
        for key, pairs in stats.items():
            if key.startswith(prefix):
                for t_env, value in pairs:
                    rows.setdefault(t_env, {"t_env": t_env})[key] = value
        return cls(rows[t_env] for t_env in sorted(rows))

    @property
    def columns(self) -> List[str]:
        """The rows' keys, in the order in which they come."""
        return list(dict.fromkeys(key for row in self for key in row))

    def frame(self) -> Any:
        """Return a pandas DataFrame.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ConfigError("frame() needs pandas: pip install pandas") from None
        return pandas.DataFrame(list(self), columns=self.columns)

    def _cells(self) -> List[List[str]]:
        return [[_text(row.get(key)) for key in self.columns] for row in self]

    def __repr__(self) -> str:
        lines = [self.columns, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths))
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = _html_row("th", self.columns)
        body = "".join(_html_row("td", cells) for cells in self._cells())
        return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _html_row(tag: str, cells: List[str]) -> str:
    inside = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>"
