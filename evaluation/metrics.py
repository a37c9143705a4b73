"""Overlap metrics (Dice, IoU, precision, recall) from the confusion matrix, and the registry of all metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Measure(NamedTuple):
    """A metric: title, unit and direction, and for an overlap its formula.

    Attributes:
        title: for tables and axes.
        unit: as printed.
        scale: factor from the number in files to the printed one.
        larger_is_better: else smaller is.
        highest: the largest possible value; the smallest is 0.
        of: its formula from the counts of a case; None for distances (``evaluation.distances``).
    """

    title: str
    unit: str
    scale: float
    larger_is_better: bool
    highest: float
    of: Callable[[Counts], float] | None = None


# Default threshold: foreground is where the probability is above it.
THRESHOLD = 0.5
# Numbers of pixels of a case, beside its metrics.
COUNTS = PREDICTED_PX, TRUE_PX, IGNORED_PX = "predicted_px", "true_px", "ignored_px"


class Counts(NamedTuple):
    """Confusion matrix of one case, in pixels: true and false positives, false and true negatives."""

    tp: int
    fp: int
    fn: int
    tn: int


def count(prediction, target, mask=None) -> Counts:
    """Count the pixels of one case.

    Args:
        prediction, target: boolean NumPy arrays or torch tensors of one shape.
        mask: boolean, of that shape; pixels where it is False are left out.

    Raises:
        ValueError: if the shapes differ, or for other types: in a mask of 0 and 255 each bit would count.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"metrics: expected equal shapes, found {tuple(prediction.shape)} and {tuple(target.shape)}")
    if not all(str(array.dtype).endswith("bool") for array in (prediction, target)):
        raise ValueError(
            f"metrics: expected masks of True and False, found {prediction.dtype} and {target.dtype}; read files by "
            "datasets.io.read_mask, or write mask > 0"
        )
    if mask is not None:
        prediction, target = prediction[mask], target[mask]
    tp = int((prediction & target).sum())
    fp, fn = int(prediction.sum()) - tp, int(target.sum()) - tp
    return Counts(tp, fp, fn, math.prod(prediction.shape) - tp - fp - fn)


def dice(counts: Counts) -> float:
    """Dice coefficient 2 tp / (2 tp + fp + fn), in 0..1; NaN if prediction and target are both empty."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn, counts)


def iou(counts: Counts) -> float:
    """Intersection over union tp / (tp + fp + fn), in 0..1; NaN if prediction and target are both empty."""
    return _ratio(counts.tp, counts.tp + counts.fp + counts.fn, counts)


def precision(counts: Counts) -> float:
    """Precision tp / (tp + fp), in 0..1; 0 if the prediction alone is empty, NaN if both are."""
    return _ratio(counts.tp, counts.tp + counts.fp, counts)


def recall(counts: Counts) -> float:
    """Recall tp / (tp + fn), in 0..1; 0 if the target alone is empty, NaN if both are."""
    return _ratio(counts.tp, counts.tp + counts.fn, counts)


# One line a metric: scoring, tables, comparisons, figures and the report follow it.
MEASURES = {
    "dice": Measure("Dice", "%", 100, True, 1, dice),
    "iou": Measure("IoU", "%", 100, True, 1, iou),
    "precision": Measure("Precision", "%", 100, True, 1, precision),
    "recall": Measure("Recall", "%", 100, True, 1, recall),
    "hd95_px": Measure("HD95", "px", 1, False, math.inf),
    "assd_px": Measure("ASSD", "px", 1, False, math.inf),
    "hd95_mm": Measure("HD95", "mm", 1, False, math.inf),
    "assd_mm": Measure("ASSD", "mm", 1, False, math.inf),
}
# What papers print; the others stand beside them in the files.
HEADLINE = ("dice", "iou")


def overlaps(counts: Counts) -> dict[str, float]:
    """All metrics that follow from the counts of a case, by name: each in 0..1, or NaN; see its function."""
    return {name: measure.of(counts) for name, measure in MEASURES.items() if measure.of}


def _ratio(numerator: int, denominator: int, counts: Counts) -> float:
    if not counts.tp + counts.fp + counts.fn:
        return math.nan
    # 0 where one mask alone is empty: a failure must not drop out of the mean.
    return numerator / denominator if denominator else 0.0
