"""The numbers of a report, laid out by column as the page reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reporting.html.columns import (
    SUMMARY_PARTS,
    described_metric,
    level_title,
    ordered_levels,
    ordered_metrics,
    summarized_metrics,
)
from reporting.html.records import ReportRun
from reporting.html.texts import visible

SIGNIFICANT_DIGITS = 6
COUNTS = {
    "numCases": "num_cases",
    "numUndefined": "num_undefined",
    "numOneEmpty": "num_one_empty",
    "numCasesMm": "num_cases_mm",
}


def runs_and_values(runs: Sequence[ReportRun], rows: Sequence[Mapping], num_maps: Mapping[str, int]) -> dict:
    """``metrics``, ``levels`` and ``runs`` as the page shows them, and ``values[run][level][metric][case]``.

    Args:
        runs: in order.
        rows: of each case, of each run, of each level the metrics, as in ``ReportCase.rows`` with levels as text.
        num_maps: how many probability maps each run has at most.
    """
    of_cases = [(level, row) for case in rows for levels in case.values() for level, row in levels.items()]
    of_runs = [(str(level), row) for run in runs for level, row in run.metrics.items()]
    keys = [key for _, row in of_cases for key in row] + [k for _, row in of_runs for k in summarized_metrics(row)]
    metrics, levels = ordered_metrics(keys), ordered_levels(level for level, _ in (*of_cases, *of_runs))
    return {
        "metrics": [{"key": visible(key), **described_metric(key)} for key in metrics],
        "levels": [{"key": visible(level), "title": level_title(level)} for level in levels],
        "runs": [_described_run(run, levels, metrics, num_maps[run.name]) for run in runs],
        "values": [
            [
                [[_rounded(case.get(run.name, {}).get(level, {}).get(metric)) for case in rows] for metric in metrics]
                for level in levels
            ]
            for run in runs
        ],
    }


def table(rows: Sequence[Mapping[str, object]] | None) -> dict | None:
    """``columns``, those of the first row, and ``rows``, as text."""
    if not rows:
        return None
    return {"columns": [*map(visible, rows[0])], "rows": [[*map(visible, row.values())] for row in rows]}


def _described_run(run: ReportRun, levels: Sequence[str], metrics: Sequence[str], num_maps: int) -> dict:
    of_levels = {str(level): row for level, row in run.metrics.items()}
    return {
        "name": visible(run.name),
        "what": visible(run.what),
        "facts": [[visible(key), visible(value)] for key, value in run.facts],
        "numMaps": num_maps,
        "levels": [
            {
                **{key: of_levels.get(level, {}).get(count) for key, count in COUNTS.items()},
                "metrics": [
                    [of_levels.get(level, {}).get(f"{metric}_{part}") for part in SUMMARY_PARTS] for metric in metrics
                ],
            }
            for level in levels
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{float(value):.{SIGNIFICANT_DIGITS}g}")
