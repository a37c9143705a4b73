"""Index of a report: its numbers by column, as the page reads them."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from evaluation.metrics import MEASURES
from evaluation.per_case import ENSEMBLE
from evaluation.statistics import DECIMALS
from reporting.html.records import ReportRun
from utils.inputs import printable


def runs_and_values(runs: Sequence[ReportRun], rows: Sequence[Mapping], num_maps: Mapping[str, int]) -> dict:
    """``metrics``, ``levels`` and ``runs`` as the page shows them, and ``values[run][level][metric][case]``.

    Args:
        runs: in order.
        rows: of each case, of each run, of each level the metrics, as in ``ReportCase.rows`` with levels as text.
        num_maps: how many probability maps each run has at most.
    """
    of_levels = [*(levels for case in rows for levels in case.values()), *(run.metrics for run in runs)]
    keys = {key.removesuffix("_mean") for levels in of_levels for row in levels.values() for key in row}
    metrics = {key: measure for key, measure in MEASURES.items() if key in keys}
    levels = ordered_levels(itertools.chain(*of_levels))
    return {
        # ``scale`` to the ``unit``; ``better`` 1 where larger is, -1 where smaller.
        "metrics": [
            {"key": key, "title": m.title, "unit": m.unit, "scale": m.scale, "better": 1 if m.larger_is_better else -1}
            for key, m in metrics.items()
        ],
        # Without invisible characters.
        "levels": [f"level {level}" if level.isdecimal() else printable(level) for level in levels],
        "runs": [
            {
                "name": printable(run.name),
                "what": printable(run.what),
                "facts": [[*map(printable, pair)] for pair in run.facts],
                "numMaps": num_maps[run.name],
                # By the names in ``ReportRun.metrics``; empty for a level that the run lacks.
                "levels": [run.metrics.get(level, {}) for level in levels],
            }
            for run in runs
        ],
        "values": [
            [
                [[_rounded(case.get(run.name, {}).get(level, {}).get(metric)) for case in rows] for metric in metrics]
                for level in levels
            ]
            for run in runs
        ],
    }


def table(rows: Sequence[Mapping[str, object]] | None) -> dict | None:
    """A table as text: ``columns``, those of the first row, and ``rows``."""
    if not rows:
        return None
    return {"columns": [*map(printable, rows[0])], "rows": [[*map(printable, row.values())] for row in rows]}


def _rounded(value: float | None) -> float | None:
    """Rounded as in comparisons, so that cases that are better in their table are not equal on the page."""
    return None if value is None else round(float(value), DECIMALS)


def ordered_levels(keys: Iterable[str]) -> list[str]:
    """Levels in order, each once: the ensemble, then by number, then all others."""
    number = {key: int(key) if key.isdecimal() else 0 for key in keys}
    return sorted(number, key=lambda key: (key != ENSEMBLE, not key.isdecimal(), number[key]))
