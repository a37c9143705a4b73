"""Quality of gaze, and of labels made from it, against masks: image by image and in the mean."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from datasets.gaze.fixations import Fixations
from evaluation.metrics import IGNORED_PX, Counts, dice
from utils.files import write_text

PER_IMAGE_FILE = Path("gaze", "per_image.csv")
QUALITY_FILE = Path("gaze", "quality.json")
KINDS = ("heatmap", "crf")
THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(1, 10))
# Labels are bad below this Dice, and too large or small by their area relative to the true one.
BAD_DICE = 0.6
TOO_LARGE, TOO_SMALL = 1.5, 1 / 1.5
GAZE_COLUMNS = ("share_inside", "share_inside_by_duration", "offset_x", "offset_y")


def score_image(
    fixations: Fixations,
    maps: Mapping[str, np.ndarray],
    mask: np.ndarray | None,
    thresholds: Sequence[float] = THRESHOLDS,
    ignore: np.ndarray | None = None,
) -> dict[str, float]:
    """Quality of one image's gaze and maps.

    Args:
        fixations: on the image.
        maps: ``heatmap``, ``crf`` or both, each (H,W) uint8 or uint16 as saved.
        mask: (H,W) bool, the truth; None where there is none.
        thresholds: on the maps, of which the highest value of the type stands for 1.
        ignore: (H,W) bool, pixels that are not to be scored; neither are the fixations on them.

    Returns:
        ``num_fixations`` and ``gaze_ms``; with a mask also ``ignored_px``, where there is ``ignore``, ``share_inside``
        and ``share_inside_by_duration`` (of fixations, of their time), ``offset_x`` and ``offset_y`` (the gaze's
        centroid, weighted by duration, less the mask's, as shares of width and height; to the right and
        down are positive), and ``<kind>_dice_<threshold>``. NaN: Dice where mask and prediction are both empty,
        offsets from an empty mask, and shares and offsets where all fixations are on ignored pixels.

    Raises:
        ValueError: if a map has not the mask's size.
    """
    row = {"num_fixations": len(fixations.duration_ms), "gaze_ms": float(fixations.duration_ms.sum())}
    if mask is None:
        return row
    row |= {} if ignore is None else {IGNORED_PX: int(ignore.sum())}
    row |= _gaze_against(fixations, mask, ignore)
    for kind, values in maps.items():
        scores = dice_over_thresholds(values, mask, thresholds, ignore)
        row |= {f"{kind}_dice_{t:g}": score for t, score in zip(thresholds, scores, strict=True)}
    return row


def dice_over_thresholds(
    values: np.ndarray, mask: np.ndarray, thresholds: Sequence[float], ignore: np.ndarray | None = None
) -> list[float]:
    """Dice of ``values / 255 >= threshold`` (65535 for uint16) against a mask, for every threshold at once.

    Args:
        values: (H,W) uint8 or uint16.
        mask: (H,W) bool.
        ignore: (H,W) bool, pixels to leave out.

    Returns:
        One number a threshold, in 0..1; NaN where both are empty.

    Raises:
        ValueError: if the sizes differ.
    """
    if values.shape != mask.shape:
        raise ValueError(f"gaze quality: expected a map of the mask's size {mask.shape}, found {values.shape}")
    if ignore is not None:
        values, mask = values[~ignore], mask[~ignore]
    # Counting the grey values once replaces a comparison of all pixels a threshold.
    highest = np.iinfo(values.dtype).max
    all_counts = np.bincount(values.ravel(), minlength=highest + 1)
    target_counts = np.bincount(values[mask], minlength=highest + 1)
    true, scores = int(target_counts.sum()), []
    for threshold in thresholds:
        above = np.arange(highest + 1) / highest >= threshold
        tp, predicted = int(target_counts[above].sum()), int(all_counts[above].sum())
        scores.append(dice(Counts(tp, predicted - tp, true - tp, values.size - predicted - true + tp)))
    return scores


def summarize(rows: Sequence[Mapping[str, float]], thresholds: Sequence[float] = THRESHOLDS) -> dict | None:
    """Means over images.

    Args:
        rows: as ``score_image`` returns them.

    Returns:
        None where no image has a mask. Else ``num_images`` with a mask; ``dice``: by kind of map and
        threshold, the mean; ``fixations_inside``: mean and median over images of the share inside, and of the
        share by duration; ``centroid_offset``: by axis, the mean, the mean absolute value and the standard
        deviation over images, in shares of width and height. NaN is left out of the means; a mean of nothing is None.
    """
    # Imported here and below: the processes that make maps do without pandas and its 60 MB.
    import pandas as pd

    scored = pd.DataFrame([row for row in rows if "share_inside" in row], dtype=float)
    if scored.empty:
        return None
    dices = {
        kind: {f"{t:g}": _rounded(scored[key].mean()) for t in thresholds if (key := f"{kind}_dice_{t:g}") in scored}
        for kind in KINDS
    }
    shares = {"share": scored["share_inside"], "share_by_duration": scored["share_inside_by_duration"]}
    offsets = {axis: scored[f"offset_{axis}"] for axis in ("x", "y")}
    return {
        "num_images": len(scored),
        "dice": {kind: means for kind, means in dices.items() if means},
        "fixations_inside": {
            name: {"mean": _rounded(share.mean()), "median": _rounded(share.median())} for name, share in shares.items()
        },
        "centroid_offset": {
            axis: {
                "mean": _rounded(offset.mean()),
                "mean_absolute": _rounded(offset.abs().mean()),
                "std": _rounded(offset.std(ddof=0)),
            }
            for axis, offset in offsets.items()
        },
    }


def label_quality(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict | None:
    """Mean Dice of labels, and the shares that are bad, too large or too small.

    Args:
        pairs: of label and mask, (S,S) bool.

    Returns:
        ``num_images`` with a mask that is not empty, ``dice``, ``share_below_0.6``, ``share_too_large`` and
        ``share_too_small``, each in 0..1, rounded; None where there is no such image.
    """
    counts = [((label & mask).sum(), label.sum(), mask.sum()) for label, mask in pairs if mask.any()]
    if not counts:
        return None
    both, found, true = np.array(counts).T
    dices = 2 * both / (found + true)
    means = {
        "dice": dices.mean(),
        f"share_below_{BAD_DICE}": (dices < BAD_DICE).mean(),
        "share_too_large": (found > TOO_LARGE * true).mean(),
        "share_too_small": (found < TOO_SMALL * true).mean(),
    }
    return {"num_images": len(counts), **{name: _rounded(mean) for name, mean in means.items()}}


def write_quality(root: Path, rows: Mapping[str, Mapping[str, float]], thresholds: Sequence[float]) -> dict | None:
    """Write ``gaze/per_image.csv`` under a folder, from rows by name, and return their means, as of ``summarize``.

    Of an image whose row has no ``seconds``, those of an earlier table are kept.
    """
    seconds = read_seconds(root / PER_IMAGE_FILE)
    rows = {name: {"seconds": seconds.get(name), **row} for name, row in rows.items()}
    write_per_image(root / PER_IMAGE_FILE, rows, thresholds)
    return summarize(list(rows.values()), thresholds)


def write_per_image(path: Path, rows: Mapping[str, Mapping[str, float]], thresholds: Sequence[float]) -> None:
    """Write a row an image, by name: empty cells where there is no number."""
    import pandas as pd

    dices = [f"{kind}_dice_{t:g}" for kind in KINDS for t in thresholds]
    ignored = [IGNORED_PX] * any(IGNORED_PX in row for row in rows.values())
    columns = ["num_fixations", "gaze_ms", *GAZE_COLUMNS, *dices, *ignored, "seconds"]
    table = pd.DataFrame([{"name": name, **row} for name, row in rows.items()], columns=["name", *columns])
    whole = {column: "Int64" for column in ("num_fixations", *ignored)}
    write_text(path, table.astype(whole).to_csv(index=False, float_format="%.6f", lineterminator="\n"))


def read_seconds(path: Path) -> dict[str, float]:
    """The ``seconds`` of an earlier per-image table, by name; empty where there is none that can be read."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"name": str}, keep_default_na=False, na_values={"seconds": ""})
        return table.dropna(subset="seconds").set_index("name")["seconds"].astype(float).to_dict()
    except (OSError, ValueError, KeyError):
        return {}


def _gaze_against(fixations: Fixations, mask: np.ndarray, ignore: np.ndarray | None) -> dict[str, float]:
    height, width = mask.shape
    xy, weights = fixations.xy, fixations.duration_ms
    columns, rows = (np.minimum(xy * (width, height), (width - 1, height - 1))).astype(int).T
    inside = mask[rows, columns]
    if ignore is not None:
        scored = ~ignore[rows, columns]
        xy, weights, inside = xy[scored], weights[scored], inside[scored]
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        centroid = (xy * weights[:, None]).sum(axis=0) / weights.sum()
        # The moments are of the pixels' upper left corners.
        target = (np.array([moments["m10"], moments["m01"]]) + moments["m00"] / 2) / moments["m00"] / (width, height)
        by_duration = (inside * weights).sum() / weights.sum()
    offset = centroid - target
    return {
        "share_inside": float(inside.mean()) if len(inside) else math.nan,
        "share_inside_by_duration": float(by_duration),
        "offset_x": float(offset[0]),
        "offset_y": float(offset[1]),
    }


def _rounded(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
