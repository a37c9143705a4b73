"""What the scores of many cases come to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.metrics import HEADLINE, PREDICTED_PX, TRUE_PX
from evaluation.per_case import GROUP, LEVEL, metrics_of
from evaluation.statistics import bootstrap_interval


def summarize(table: pd.DataFrame, *, intervals: bool = False) -> dict[str, dict]:
    """Mean and standard deviation over cases (population, as the reference reports), by level.

    Args:
        table: of scores; see ``evaluation.per_case.table_of``.
        intervals: add the 95 % bootstrap interval of each mean, over groups where the table has them, else over cases.

    Returns:
        By level: ``num_cases``; ``<metric>_mean``, ``<metric>_std`` and, with ``intervals``, ``<metric>_ci95`` (low,
        high), None where there is no case or none to tell them from. Cases without a value (nothing there, nothing
        predicted) are left out and counted in ``num_undefined``. Where the table counts pixels: cases where only one
        mask is empty, which get the worst value, are counted in ``num_one_empty``, and empty predictions, if any, in
        ``num_empty``. Where only some cases have distances in mm, as their spacing is known, ``num_cases_mm`` counts
        them.
    """
    summary: dict[str, dict] = {}
    metrics = metrics_of(table)
    # Others may have a value where nothing is there and nothing predicted, as specificity.
    overlaps = [metric for metric in metrics if metric in HEADLINE] or metrics
    for level, of_level in table.groupby(LEVEL, sort=False):
        entry: dict = {"num_cases": len(of_level)}
        for metric in metrics:
            entry |= _over_cases(metric, of_level, intervals)
        entry["num_undefined"] = int(of_level[overlaps].isna().all(axis=1).sum())
        if PREDICTED_PX in of_level:
            empty, nothing_there = of_level[PREDICTED_PX] == 0, of_level[TRUE_PX] == 0
            entry["num_one_empty"] = int((empty != nothing_there).sum())
            entry |= {"num_empty": int(empty.sum())} if empty.any() else {}
        if "hd95_mm" in metrics:
            in_mm = int(of_level["hd95_mm"].count())
            entry |= {"num_cases_mm": in_mm} if 0 < in_mm < len(of_level) - entry["num_undefined"] else {}
        summary[str(level)] = entry
    return summary


def _over_cases(metric: str, of_level: pd.DataFrame, intervals: bool) -> dict:
    defined = of_level[of_level[metric].notna()]
    values = defined[metric].to_numpy(np.float64)
    entry = {
        f"{metric}_mean": float(values.mean()) if values.size else None,
        f"{metric}_std": float(values.std()) if values.size else None,
    }
    if intervals:
        entry[f"{metric}_ci95"] = bootstrap_interval(values, defined[GROUP] if GROUP in defined else None)
    return entry
