"""The numbers of all figures and tables as pandas frames, and these as CSV files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import pandas as pd

from wqmix.storage.files import replace

from ..figures import as_cell
from . import statistics
from .scores import Comparison
from .tables import runs

GROUP = ["algorithm", "task"]


def write(comparison: Comparison, results: Dict[str, Any], out: Path) -> None:
    """Write a CSV file for each frame; one that would be empty is removed."""
    for name, table in frames(comparison, results).items():
        path = out / f"{name}.csv"
        if len(table):
            replace(path, as_csv(table))
        else:
            path.unlink(missing_ok=True)  # an earlier comparison's


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a frame as CSV that a spreadsheet shows as it is."""
    safe = table.apply(lambda column: column.map(as_cell)).rename(columns=as_cell)
    text: str = safe.to_csv(index=False, float_format="%.10g", lineterminator="\r\n")
    return text.encode("utf-8")


def frames(comparison: Comparison, results: Dict[str, Any]) -> Dict[str, pd.DataFrame]:
    """Return all tables by the names of their files."""
    return {
        "runs": pd.DataFrame(runs(comparison), dtype=object),
        "final_scores": final_frame(comparison, results["final"]),
        "curves": curve_frame(results["curves"], "t_env"),
        "wall_clock": curve_frame(results["wall_clock"], "hours"),
        "aggregates": stacked(
            ["algorithm"],
            {
                name: estimates("value", each, kind=statistics.AGGREGATES)
                for name, each in results["aggregates"].items()
            },
        ),
        "profiles": stacked(
            ["algorithm"],
            {
                name: estimates("share", each, tau=statistics.TAUS)
                for name, each in results["profiles"].items()
            },
        ),
        "improvement": stacked(
            ["x", "y"],
            {
                pair: estimates("probability", each[:, None])
                for pair, each in results["improvements"].items()
            },
        ),
        "sample_efficiency": stacked(
            ["algorithm"],
            {
                name: estimates("iqm", each, share=share)
                for name, (share, each) in results["efficiency"].items()
            },
        ),
        "steps_to_reach": pd.DataFrame(results["reaching"]),
    }


def estimates(name: str, interval: Sequence[np.ndarray], **axis: Any) -> pd.DataFrame:
    """Return estimates (called `name`) and their intervals, a row for each point."""
    middle, low, high = interval
    return pd.DataFrame({**axis, name: middle, "low": low, "high": high})


def stacked(keys: List[str], parts: Dict[Any, pd.DataFrame]) -> pd.DataFrame:
    """Return parts one below the other, each with its key in columns before."""
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, names=keys).droplevel(-1).reset_index()


def final_frame(comparison: Comparison, final: Dict[Any, Any]) -> pd.DataFrame:
    """Return a row for each algorithm and task with scores."""
    table = pd.DataFrame.from_dict(final, "index", columns=["iqm", "low", "high"])
    table["runs"] = [len(comparison.groups[key].scores) for key in final]
    table["at_step"] = [comparison.horizons[task] for _, task in final]
    table.index = pd.MultiIndex.from_tuples(final, names=GROUP)
    return table.reset_index()


def curve_frame(curves: Dict[Any, Any], axis: str) -> pd.DataFrame:
    """Return a row for each point of the curves."""
    parts = {
        key: estimates("iqm", interval, **{axis: grid}).assign(runs=count)
        for key, (grid, interval, count) in curves.items()
    }
    return stacked(GROUP, parts)
