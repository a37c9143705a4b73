"""Scores of a case: the metrics of its predicted masks, a row a level."""

import numpy as np
import pandas as pd

from evaluation.distances import boundary_distances
from evaluation.metrics import IGNORED_PX, PREDICTED_PX, TRUE_PX, count, overlaps
from evaluation.per_case import ENSEMBLE, LEVEL, Row

Spacing = tuple[float, float]


def score_case(
    name: str,
    masks: np.ndarray,
    label: np.ndarray,
    ignore: np.ndarray | None = None,
    *,
    distances: bool = False,
    spacing_mm: Spacing | None = None,
) -> list[Row]:
    """Score one case: overlaps and, on demand, distances, a row a level.

    Args:
        masks: (1+L,h,w) bool, the ensemble first.
        label: (h,w) bool.
        ignore: (h,w) bool, pixels that count nowhere; for distances they belong to neither mask.
        distances: add ``hd95_px`` and ``assd_px``, and with ``spacing_mm`` ``hd95_mm`` and ``assd_mm``.
        spacing_mm: height and width of a pixel.

    Returns:
        Dicts of ``name``, ``level`` (``ensemble``, ``1``, ``2``, ...), the ``overlaps`` in 0..1, distances,
        the foreground pixels ``predicted_px``, ``true_px``, and with ``ignore`` ``ignored_px``. Where both masks are
        empty, every metric is NaN; where one is, overlaps are 0 and distances the diagonal of the image.
    """
    rows, scored = [], None
    if ignore is not None:
        scored, masks, label = ~ignore, masks & ~ignore, label & ~ignore
    for level, mask in enumerate(masks):
        counts = count(mask, label, scored)
        row: Row = {"name": name, "level": str(level) if level else ENSEMBLE, **overlaps(counts)}
        row |= {PREDICTED_PX: counts.tp + counts.fp, TRUE_PX: counts.tp + counts.fn}
        row |= {} if ignore is None else {IGNORED_PX: int(ignore.sum())}
        if distances:
            row |= _distances(mask, label, (1.0, 1.0), "px")
            row |= _distances(mask, label, spacing_mm, "mm") if spacing_mm else {}
        rows.append(row)
    return rows


def _distances(mask: np.ndarray, label: np.ndarray, spacing: Spacing, unit: str) -> dict[str, float]:
    found = boundary_distances(mask, label, spacing)
    return {f"{name}_{unit}": value for name, value in found._asdict().items()}


def collapsed_levels(table: pd.DataFrame) -> list[str]:
    """Collapsed levels: no foreground predicted on any case, though there is some; they ruin the mean of logits."""
    levels = table[table[LEVEL] != ENSEMBLE].groupby(LEVEL, sort=False)
    return [level for level, rows in levels if not rows[PREDICTED_PX].any() and (rows["dice"] == 0).any()]
