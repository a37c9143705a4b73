"""The numbers of many cases: their table, and what they come to."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.distances import Distances
from evaluation.metrics import MEASURES
from evaluation.scores import IGNORED_PX, PREDICTED_PX, TRUE_PX, Row
from evaluation.statistics import bootstrap_interval
from utils.files import write_text

DISTANCES = tuple(f"{name}_{unit}" for unit in ("px", "mm") for name in Distances._fields)
COLUMNS = ("name", "group", "level")


def metrics_of(rows: Sequence[Row]) -> list[str]:
    """The metrics that any of the rows has: the overlaps, and distances with the unit in their names."""
    return [name for name, measure in MEASURES.items() if measure.of or any(name in row for row in rows)]


def summarize_rows(rows: Sequence[Row], *, intervals: bool = False) -> dict[str, dict]:
    """Mean and standard deviation over cases (population, as the reference reports), by level.

    Args:
        rows: as ``score_case`` makes them, with or without ``group``.
        intervals: add the 95 % bootstrap interval of each mean, over groups where rows have one, else over cases.

    Returns:
        By level: ``num_cases``; ``<metric>_mean``, ``<metric>_std`` and, with ``intervals``, ``<metric>_ci95`` (low,
        high), None where there is no case or none to tell them from. Cases without a value (nothing there, nothing
        predicted) are left out and counted in ``num_undefined``; cases where only one is empty, which get the worst
        value, are counted in ``num_one_empty``. Where predictions are empty, ``num_empty`` counts them; where only
        some cases have a spacing, ``num_cases_mm`` counts those.
    """
    summary: dict[str, dict] = {}
    metrics = metrics_of(rows)
    for level in dict.fromkeys(row["level"] for row in rows):
        of_level = [row for row in rows if row["level"] == level]
        entry: dict = {"num_cases": len(of_level)}
        for metric in metrics:
            entry |= _over_cases(metric, of_level, intervals)
        entry["num_undefined"] = sum(all(math.isnan(row.get(m, math.nan)) for m in metrics) for row in of_level)
        entry["num_one_empty"] = sum((row.get(PREDICTED_PX, 1) == 0) != (row.get(TRUE_PX, 1) == 0) for row in of_level)
        if num_empty := sum(row.get(PREDICTED_PX, 1) == 0 for row in of_level):
            entry["num_empty"] = num_empty
        with_spacing = sum(DISTANCES[-1] in row for row in of_level)
        if with_spacing not in (0, len(of_level)):
            entry["num_cases_mm"] = with_spacing
        summary[level] = entry
    return summary


def _over_cases(metric: str, rows: Sequence[Row], intervals: bool) -> dict:
    defined = [row for row in rows if not math.isnan(row.get(metric, math.nan))]
    values = np.array([row[metric] for row in defined])
    entry = {
        f"{metric}_mean": float(values.mean()) if values.size else None,
        f"{metric}_std": float(values.std()) if values.size else None,
    }
    if intervals:
        entry[f"{metric}_ci95"] = bootstrap_interval(values, [row.get("group", row["name"]) for row in defined])
    return entry


def write_per_case(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV; a metric without a value is an empty cell, a row without a group is its own.

    ``ignored_px`` stands behind the metrics where any row has it.
    """
    text = io.StringIO()
    ignored = [IGNORED_PX] * any(IGNORED_PX in row for row in rows)
    columns = (*COLUMNS, *metrics_of(rows), *ignored)
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = {"group": row["name"], **row}
        writer.writerow({key: "" if value != value else value for key, value in values.items()})
    write_text(path, text.getvalue())
