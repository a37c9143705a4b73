"""Evaluation: predictions at the labels' own size, scored case by case, for the ensemble and every level."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.distributed import SINGLE, Group
from utils.files import write_text
from utils.metrics import METRICS, count, dice, iou

ENSEMBLE = "ensemble"
COLUMNS = ("name", "level", *METRICS)
# In a row, but not in the table.
PREDICTED_PX = "predicted_px"
Row = dict[str, str | float]


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: Iterable[dict],
    device: torch.device,
    *,
    threshold: float = 0.5,
    on_case: Callable[[str, np.ndarray], None] | None = None,
    group: Group = SINGLE,
    stop: object = None,
) -> list[Row] | None:
    """Score a model on every case of a loader.

    Args:
        model: maps (B,C,H,W) to a dict with ``logits`` (B,1,H,W) and ``level_logits`` (L,B,1,H,W).
        loader: yields ``image`` (B,C,H,W), ``label`` (a list of (1,h,w) bool, or in {0,1}) and ``name``; of several
            processes, this one's part of the cases (``Group.part``).
        device: where the model is.
        threshold: on the probability; above it is foreground.
        on_case: called with a name and the ensemble's mask (h,w) bool, in the process of rank 0 alone.
        group: the processes that share the cases.
        stop: looked at between batches; evaluation ends early once it is true.

    Returns:
        One row a case and level, with the columns of ``COLUMNS``; ``level`` is ``ensemble``, ``1``, ``2``...
        A metric is not a number where label and prediction are both empty. All processes get all rows. None if it was
        stopped.
    """
    was_training = model.training
    model.eval()
    group.same_buffers(model)
    cases: list[list[Row]] = []
    kept: list[tuple[str, np.ndarray]] = []
    for batch in loader:
        if stop:
            model.train(was_training)
            return None
        outputs = model(batch["image"].to(device))
        logits = torch.cat([outputs["logits"][None], outputs["level_logits"]]).float()
        for index, name in enumerate(batch["name"]):
            label = batch["label"][index].to(device) > 0.5
            masks = full_size_probabilities(logits[:, index], label.shape[-2:]) > threshold
            cases.append(score_case(name, masks[:, 0], label[0]))
            if on_case is not None:
                kept.append((name, masks[0, 0].cpu().numpy()))
                if group.size == 1:
                    on_case(*kept.pop())
    model.train(was_training)
    for case in group.together(kept):
        if group.is_main:
            on_case(*case)
    return [row for rows in group.together(cases) for row in rows]


def full_size_probabilities(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Logits (N,1,H,W) to probabilities (N,1,h,w), resized bilinearly before the sigmoid, as released."""
    return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False).sigmoid()


def score_case(name: str, masks, label) -> list[Row]:
    """Rows of one case: ``masks`` (1+L,h,w) bool, the ensemble first, against ``label`` (h,w) bool."""
    levels = (ENSEMBLE, *(str(level) for level in range(1, len(masks))))
    rows = []
    for level, mask in zip(levels, masks, strict=True):
        counts = count(mask, label)
        predicted = counts.tp + counts.fp
        rows.append({"name": name, "level": level, "dice": dice(counts), "iou": iou(counts), PREDICTED_PX: predicted})
    return rows


def collapsed_levels(rows: Sequence[Row]) -> list[str]:
    """Levels that predict no foreground on any case, though there is some: their logits ruin the mean of all."""
    collapsed = []
    for level in dict.fromkeys(row["level"] for row in rows if row["level"] != ENSEMBLE):
        of_level = [row for row in rows if row["level"] == level]
        if not any(row[PREDICTED_PX] for row in of_level) and any(row["dice"] == 0 for row in of_level):
            collapsed.append(level)
    return collapsed


def summarize_rows(rows: Sequence[Row]) -> dict[str, dict]:
    """Mean and standard deviation over cases (population, as the reference reports), by level.

    Cases without a value (nothing there, nothing predicted) are left out and counted in ``num_undefined``.
    No defined case gives null.
    """
    summary: dict[str, dict] = {}
    for level in dict.fromkeys(row["level"] for row in rows):
        of_level = [row for row in rows if row["level"] == level]
        entry: dict = {"num_cases": len(of_level)}
        for metric in METRICS:
            values = np.array([row[metric] for row in of_level])
            defined = values[~np.isnan(values)]
            entry[f"{metric}_mean"] = float(defined.mean()) if defined.size else None
            entry[f"{metric}_std"] = float(defined.std()) if defined.size else None
            entry["num_undefined"] = int(values.size - defined.size)
        summary[level] = entry
    return summary


def write_per_case(path: str | Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV; a metric without a value is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: "" if value != value else value for key, value in row.items()})
    write_text(path, text.getvalue())
