"""The summary of a run: read back, and in one line."""

from __future__ import annotations

import json
from pathlib import Path

from utils.evaluation import ENSEMBLE
from utils.metrics import METRICS

SUMMARY_FILE = "summary.json"


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
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        for result in summary["results"].values():
            _check_numbers(result["metrics"])
        if not isinstance(summary.get("recipe", {}), dict) or not isinstance(summary.get("seed"), int | None):
            raise TypeError("recipe or seed")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a summary with results, found something else") from error
    return summary


def _check_numbers(metrics: dict[str, dict]) -> None:
    """Raise KeyError, TypeError or AttributeError where the ensemble or any number of a level is missing."""
    for entry in (metrics[ENSEMBLE], *metrics.values()):
        for key in ("num_cases", *(f"{metric}_{part}" for metric in METRICS for part in ("mean", "std"))):
            if not isinstance(entry[key], int | float | None):
                raise TypeError(key)


def describe_metrics(metrics: dict[str, dict]) -> str:
    """One line: Dice and IoU of every level in per cent."""
    parts = [f"{level}: Dice {_percent(m, 'dice')} IoU {_percent(m, 'iou')}" for level, m in metrics.items()]
    undefined = metrics.get(ENSEMBLE, {}).get("num_undefined", 0)
    return "; ".join(parts) + (f"; {undefined} empty cases left out" if undefined else "")


def _percent(metrics: dict, name: str) -> str:
    mean, std = metrics[f"{name}_mean"], metrics[f"{name}_std"]
    return "none" if mean is None else f"{100 * mean:.2f} ({100 * std:.2f})"
