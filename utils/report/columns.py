"""Metrics and levels as columns and rows: their order, titles and units."""

from __future__ import annotations

from collections.abc import Iterable

from utils.report.texts import visible

OVERLAPS = {"dice": "Dice", "iou": "IoU", "precision": "Precision", "recall": "Recall"}
DISTANCES = {"hd95": "HD95", "assd": "ASSD"}
UNITS = ("px", "mm")
ENSEMBLE = "ensemble"
SUMMARY_PARTS = ("mean", "std", "ci95")


def ordered_metrics(keys: Iterable[str]) -> list[str]:
    """Overlaps, then distances, then whatever else, each once."""
    known = [*OVERLAPS, *(f"{name}_{unit}" for unit in UNITS for name in DISTANCES)]
    keys = list(dict.fromkeys(keys))
    return [key for key in known if key in keys] + [key for key in keys if key not in known]


def ordered_levels(keys: Iterable[str]) -> list[str]:
    """The ensemble, then levels by number, then whatever else, each once."""
    keys = dict.fromkeys(map(str, keys))
    return sorted(keys, key=lambda key: (key != ENSEMBLE, not key.isdecimal(), int(key) if key.isdecimal() else 0))


def described_metric(key: str) -> dict:
    """What a page needs to show a metric: ``title``, ``unit``, ``scale`` to that unit, ``digits``, and ``better``:
    1 where larger is better, -1 where smaller is, 0 where that is not known."""
    if key in OVERLAPS:
        return {"title": OVERLAPS[key], "unit": "%", "scale": 100, "digits": 2, "better": 1}
    name, _, unit = key.rpartition("_")
    if unit in UNITS:
        title, better = DISTANCES.get(name, visible(name)), -1 if name in DISTANCES else 0
        return {"title": title, "unit": unit, "scale": 1, "digits": 2, "better": better}
    return {"title": visible(key), "unit": "", "scale": 1, "digits": 3, "better": 0}


def level_title(key: str) -> str:
    return f"level {key}" if key.isdecimal() else visible(key)


def summarized_metrics(keys: Iterable[str]) -> list[str]:
    """The metrics that a level of ``ReportRun.metrics`` tells of, by its keys."""
    return [key.removesuffix("_mean") for key in keys if key.endswith("_mean")]
