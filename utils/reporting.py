"""From summaries of runs to a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from utils.evaluation import ENSEMBLE

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
            result["metrics"][ENSEMBLE]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected a summary with results, found something else") from error
    return summary


def results_table(folders: Sequence[str | Path]) -> str:
    """A Markdown table: one row a run and result, mean and standard deviation over cases in per cent."""
    lines = [
        "| run | what | result | iteration | cases | Dice % (std over cases) | IoU % (std over cases) |",
        "|---|---|---|---|---|---|---|",
    ]
    for folder in folders:
        summary = read_summary(folder)
        for label, result in summary["results"].items():
            metrics = result["metrics"][ENSEMBLE]
            iteration = "" if result.get("iteration") is None else f"{result['iteration']:,}"
            cells = (
                Path(folder).name,
                summary.get("what", ""),
                label.replace("_", " "),
                iteration,
                metrics["num_cases"],
                _percent(metrics, "dice"),
                _percent(metrics, "iou"),
            )
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def describe_metrics(metrics: dict[str, dict]) -> str:
    """One line: Dice and IoU of every level in per cent."""
    parts = [f"{level}: Dice {_percent(m, 'dice')} IoU {_percent(m, 'iou')}" for level, m in metrics.items()]
    undefined = metrics.get(ENSEMBLE, {}).get("num_undefined", 0)
    return "; ".join(parts) + (f"; {undefined} empty cases left out" if undefined else "")


def _percent(metrics: dict, name: str) -> str:
    mean, std = metrics[f"{name}_mean"], metrics[f"{name}_std"]
    return "none" if mean is None else f"{100 * mean:.2f} ({100 * std:.2f})"
