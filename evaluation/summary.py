"""Summary statistics over cases (mean, standard deviation, interval), and the summary of a run."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.metrics import HEADLINE, MEASURES, PREDICTED_PX, THRESHOLD, TRUE_PX
from evaluation.per_case import ENSEMBLE, GROUP, LEVEL, SUMMARY_FILE, metrics_of
from evaluation.statistics import bootstrap_interval
from utils.files import read_json

STATISTICS = ("_mean", "_std")
# Key of the hash of the ids in train.txt as the run began, in its options and its summary.
TRAIN_LIST = "train_list_sha256"


def summarize(table: pd.DataFrame, *, intervals: bool = False) -> dict[str, dict]:
    """Mean and standard deviation over cases (population, as the reference reports), by level.

    Args:
        table: of scores; see ``evaluation.per_case.table_of``.
        intervals: add the 95 % bootstrap interval of each mean, over groups where the table has them, else over cases.

    Returns:
        By level: ``num_cases``; ``<metric>_mean``, ``<metric>_std`` and, with ``intervals``, ``<metric>_ci95`` (low,
        high), None where there are too few cases. Cases without a value (both masks empty) are left out and counted in
        ``num_undefined``. Where the table counts pixels: cases where only one mask is empty, which get the worst value,
        are counted in ``num_one_empty``, and empty predictions, if any, in ``num_empty``. Where only some cases have a
        known spacing, and so distances in mm, ``num_cases_mm`` counts them.
    """
    summary: dict[str, dict] = {}
    metrics = metrics_of(table)
    # Other metrics, such as specificity, may have a value where both masks are empty.
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
    mean, std = (float(values.mean()), float(values.std())) if values.size else (None, None)
    entry = {f"{metric}_mean": mean, f"{metric}_std": std}
    if intervals:
        entry[f"{metric}_ci95"] = bootstrap_interval(values, defined[GROUP] if GROUP in defined else None)
    return entry


def read_summary(folder: str | Path) -> dict:
    """The summary of a run folder (or the file itself).

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is no summary.
    """
    path = Path(folder)
    path = path / SUMMARY_FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the summary of a finished run, found none")
    summary = read_json(path, "a summary with results")
    try:
        for result in summary["results"].values():
            _check_numbers(result["metrics"])
            if not isinstance(result.get("iteration"), int | None):
                raise TypeError("iteration")
        if not isinstance(summary.get("recipe", {}), dict) or not isinstance(summary.get("seed"), int | None):
            raise TypeError("recipe or seed")
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a summary with results, found something else") from error
    return summary


def scoring_settings(summary: Mapping) -> dict:
    """Settings behind the scores of a summary: its own entries, those of a training's recipe, and how training scores,
    which a training's summary does not hold."""
    scoring = {"split": "test", "threshold": THRESHOLD} if "mode" in summary else {}
    recipe = summary.get("recipe")
    known = {key: value for key, value in recipe.items() if value is not None} if isinstance(recipe, dict) else {}
    return {**scoring, **known, **summary}


def _check_numbers(metrics: dict[str, dict]) -> None:
    """Raise KeyError, TypeError or AttributeError where the ensemble or a level's number is missing or no number."""
    needed = ("num_cases", *(f"{metric}_{part}" for metric in HEADLINE for part in ("mean", "std")))
    for entry in (metrics[ENSEMBLE], *metrics.values()):
        numbers = {key: value for key, value in entry.items() if key.startswith("num_") or key.endswith(STATISTICS)}
        for key in (*needed, *numbers):
            if not isinstance(entry[key], int | float | None):
                raise TypeError(key)


def describe_metrics(metrics: dict[str, dict]) -> str:
    """Metrics in one line: Dice and IoU of every level in per cent."""
    parts = [f"{level}: Dice {_mean_and_std(m, 'dice')} IoU {_mean_and_std(m, 'iou')}" for level, m in metrics.items()]
    undefined = metrics.get(ENSEMBLE, {}).get("num_undefined", 0)
    parts += [f"{undefined} empty cases left out"] if undefined else []
    return "; ".join([*parts, *empty_masks(metrics)])


def describe_empty_masks(count: int, total: int) -> str:
    """How many masks of ``total`` are empty, in words."""
    are = "mask is" if total == 1 else "masks is" if count == 1 else "masks are"
    return f"{count} of {total} {are} empty" + (", all of them" if count == total > 1 else "")


def empty_masks(metrics: dict[str, dict]) -> list[str]:
    """How many predicted masks are empty, a line a level that has any."""
    return [
        f"{_title(level)}: {describe_empty_masks(entry['num_empty'], entry['num_cases'])}"
        for level, entry in metrics.items()
        if entry.get("num_empty")
    ]


def metrics_table(metrics: dict[str, dict]) -> str:
    """Metrics as a table for the console, a row a metric, a column a level: mean (std over cases) [95 % interval].

    Args:
        metrics: by level, as ``summarize`` makes them, with intervals.
    """
    names = [key.removesuffix("_mean") for key in next(iter(metrics.values())) if key.endswith("_mean")]
    rows = [["", *map(_title, metrics)]]
    rows += [
        [f"{MEASURES[name].title} {MEASURES[name].unit}", *(_cell(entry, name) for entry in metrics.values())]
        for name in names
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [
        "mean (standard deviation over cases) [95 % bootstrap interval of the mean]",
        *describe_exceptions(metrics),
    ]
    return "\n".join([*lines, *notes])


def _cell(entry: dict, metric: str) -> str:
    interval = [f"{MEASURES[metric].scale * end:.2f}" for end in entry.get(f"{metric}_ci95") or ()]
    return _mean_and_std(entry, metric) + (f" [{', '.join(interval)}]" if interval else "")


def _mean_and_std(entry: dict, metric: str) -> str:
    mean, std, scale = entry.get(f"{metric}_mean"), entry.get(f"{metric}_std"), MEASURES[metric].scale
    return "none" if mean is None else f"{scale * mean:.2f} ({scale * std:.2f})"


def describe_exceptions(metrics: dict[str, dict]) -> list[str]:
    """What a mean leaves out, what it counts as the worst, and empty masks; a line each, none where there is none."""
    notes = {
        "num_undefined": "nothing there and nothing predicted, left out",
        "num_one_empty": "nothing there or nothing predicted, with overlaps 0 and the image's diagonal as distances",
        "num_cases_mm": "a known spacing, mm of these alone",
    }
    lines = []
    for key, meaning in notes.items():
        counts = [f"{entry[key]} ({_title(level)})" for level, entry in metrics.items() if entry.get(key)]
        if counts:
            lines.append(f"cases with {meaning}: {', '.join(counts)}")
    return lines + empty_masks(metrics)


def _title(level: str) -> str:
    return level if level == ENSEMBLE else f"level {level}"
