"""The numbers of a report, laid out by column as the page reads them."""

from collections.abc import Iterable, Mapping, Sequence

from evaluation.metrics import MEASURES
from evaluation.per_case import ENSEMBLE
from reporting.html.records import ReportRun
from utils.inputs import printable

SUMMARY_PARTS = ("mean", "std", "ci95")
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
        "metrics": [{"key": printable(key), **described_metric(key)} for key in metrics],
        "levels": [{"key": printable(level), "title": level_title(level)} for level in levels],
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
    return {"columns": [*map(printable, rows[0])], "rows": [[*map(printable, row.values())] for row in rows]}


def _described_run(run: ReportRun, levels: Sequence[str], metrics: Sequence[str], num_maps: int) -> dict:
    of_levels = {str(level): row for level, row in run.metrics.items()}
    return {
        "name": printable(run.name),
        "what": printable(run.what),
        "facts": [[printable(key), printable(value)] for key, value in run.facts],
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


def ordered_metrics(keys: Iterable[str]) -> list[str]:
    """Overlaps, then distances, then whatever else, each once."""
    keys = list(dict.fromkeys(keys))
    return [key for key in MEASURES if key in keys] + [key for key in keys if key not in MEASURES]


def ordered_levels(keys: Iterable[str]) -> list[str]:
    """The ensemble, then levels by number, then whatever else, each once."""
    keys = dict.fromkeys(map(str, keys))
    return sorted(keys, key=lambda key: (key != ENSEMBLE, not key.isdecimal(), int(key) if key.isdecimal() else 0))


def described_metric(key: str) -> dict:
    """What a page needs to show a metric: ``title``, ``unit``, ``scale`` to that unit, ``digits``, and ``better``:
    1 where larger is better, -1 where smaller is, 0 where that is not known."""
    if key not in MEASURES:
        return {"title": printable(key), "unit": "", "scale": 1, "digits": 3, "better": 0}
    title, unit, scale, larger_is_better, *_ = MEASURES[key]
    return {"title": title, "unit": unit, "scale": scale, "digits": 2, "better": 1 if larger_is_better else -1}


def level_title(key: str) -> str:
    """What a page calls a level: ``level 1`` for ``1``, any other as it is, with nothing invisible in it."""
    return f"level {key}" if key.isdecimal() else printable(key)


def summarized_metrics(keys: Iterable[str]) -> list[str]:
    """The metrics that a level of ``ReportRun.metrics`` tells of, by its keys."""
    return [key.removesuffix("_mean") for key in keys if key.endswith("_mean")]
