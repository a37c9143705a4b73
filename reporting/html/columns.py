"""Metrics and levels as columns and rows: their order, titles and units."""

from __future__ import annotations

from collections.abc import Iterable

from evaluation.metrics import MEASURES
from evaluation.per_case import ENSEMBLE
from reporting.html.texts import visible

SUMMARY_PARTS = ("mean", "std", "ci95")


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
        return {"title": visible(key), "unit": "", "scale": 1, "digits": 3, "better": 0}
    title, unit, scale, larger_is_better, *_ = MEASURES[key]
    return {"title": title, "unit": unit, "scale": scale, "digits": 2, "better": 1 if larger_is_better else -1}


def level_title(key: str) -> str:
    """What a page calls a level: ``level 1`` for ``1``, any other as it is, with nothing invisible in it."""
    return f"level {key}" if key.isdecimal() else visible(key)


def summarized_metrics(keys: Iterable[str]) -> list[str]:
    """The metrics that a level of ``ReportRun.metrics`` tells of, by its keys."""
    return [key.removesuffix("_mean") for key in keys if key.endswith("_mean")]
