"""Pictures of cases: colour maps, contours, fixations, and grids of them with titled columns."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from datasets.gaze.crf import crf_image
from datasets.gaze.fixations import Fixations
from datasets.masks import Label
from evaluation.metrics import THRESHOLD

CELL_PX = 192
TITLE_PX = 24
GAP_PX = 4
TRUTH_COLOUR = (64, 220, 64)
PREDICTION_COLOUR = (255, 210, 0)
FIXATION_COLOUR = (0, 225, 255)
IGNORED_COLOUR = (128, 128, 128)
# Of the longer side, times the root of the duration in ms, so that a ring's area grows with the duration.
RING_RADIUS = 0.0009


def map_picture(unit_map: np.ndarray) -> np.ndarray:
    """Colour-coded map: (H,W) in 0..1 -> (H,W,3) uint8."""
    values = (np.clip(unit_map, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(values, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """Mask in black and white: (H,W) -> (H,W,3) uint8."""
    return np.repeat((np.asarray(mask) > 0).astype(np.uint8)[..., None] * 255, 3, axis=2)


def with_contour(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Copy of a picture (H,W,3) uint8 with the contour of a mask (H,W)."""
    contours, _ = cv2.findContours((np.asarray(mask) > 0).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(picture.shape[:2]) / 150))
    return cv2.drawContours(picture.copy(), contours, -1, colour, thickness)


def with_ignored(picture: np.ndarray, ignore: np.ndarray | None) -> np.ndarray:
    """Copy of a picture (H,W,3) uint8 hatched in grey on ignored pixels (H,W); None leaves it unchanged."""
    if ignore is None:
        return picture
    rows, columns = np.indices(ignore.shape)
    lines = (rows + columns) // max(1, round(max(ignore.shape) / 100)) % 3 == 0
    return np.where((np.asarray(ignore) & lines)[..., None], np.uint8(IGNORED_COLOUR), picture)


def with_fixations(picture: np.ndarray, xy: np.ndarray, duration_ms: np.ndarray) -> np.ndarray:
    """Copy of a picture (H,W,3) uint8 with the scan path and a ring a fixation, its area growing with duration."""
    picture, (height, width) = picture.copy(), picture.shape[:2]
    points = [(int(x * (width - 1)), int(y * (height - 1))) for x, y in xy]
    thickness = max(1, round(max(height, width) / 300))
    for start, end in zip(points, points[1:], strict=False):
        cv2.line(picture, start, end, FIXATION_COLOUR, 1, cv2.LINE_AA)
    for point, duration in zip(points, duration_ms, strict=True):
        radius = max(2, round(max(height, width) * RING_RADIUS * np.sqrt(duration)))
        cv2.circle(picture, point, radius, FIXATION_COLOUR, thickness, cv2.LINE_AA)
    return picture


def grid(rows: Sequence[Mapping[str, np.ndarray]], cell_px: int = CELL_PX) -> np.ndarray:
    """Grid of pictures (H,W,3) uint8 of any size, each fitted into a square cell.

    Args:
        rows: at least one; the pictures of each by the titles of columns. The first has all of them; where another has
            none, its cell stays white.
        cell_px: side of a cell.

    Returns:
        (H,W,3) uint8 on white.
    """
    width = len(rows[0]) * (cell_px + GAP_PX) + GAP_PX
    canvas = np.full((TITLE_PX + len(rows) * (cell_px + GAP_PX) + GAP_PX, width, 3), 255, np.uint8)
    for column, title in enumerate(rows[0]):
        left = GAP_PX + column * (cell_px + GAP_PX)
        place = (left + 2, TITLE_PX - 7)
        cv2.putText(canvas, title, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (30, 30, 30), 1, cv2.LINE_AA)
        for line, picture in [(line, row[title]) for line, row in enumerate(rows) if title in row]:
            top = TITLE_PX + GAP_PX + line * (cell_px + GAP_PX)
            cell = resized(picture, cell_px / max(picture.shape[:2]))
            y, x = top + (cell_px - cell.shape[0]) // 2, left + (cell_px - cell.shape[1]) // 2
            canvas[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return canvas


def prediction_row(
    image: np.ndarray,
    probabilities: np.ndarray,
    label: np.ndarray | None = None,
    pseudo: Sequence = (),
    ignore: np.ndarray | None = None,
    *,
    threshold: float = THRESHOLD,
) -> dict[str, np.ndarray]:
    """The cells of one case by title, as ``grid`` takes them.

    Args:
        image: (C,H,W), normalised.
        probabilities: (1+L,H,W) in 0..1, the ensemble first.
        label: (H,W) or None.
        pseudo: (L,H,W), or none.
        ignore: (H,W), what is not scored, hatched beside the label; or None.
        threshold: foreground is where the probability is above it.
    """
    picture = crf_image(image.transpose(1, 2, 0))
    cells = {"image": picture}
    for level, mask in enumerate(pseudo, start=1):
        cells[f"pseudo-mask {level}"] = mask_picture(mask)
    for level, probability in enumerate(probabilities[1:], start=1):
        cells[f"level {level} probability"] = map_picture(probability)
    predicted = with_contour(picture, probabilities[0] > threshold, PREDICTION_COLOUR)
    cells["prediction (yellow)"] = predicted
    if label is not None:
        title = "and truth (green)" if ignore is None else "truth green, ignored grey"
        cells[title] = with_contour(with_ignored(predicted, ignore), label, TRUTH_COLOUR)
    return cells


def gaze_row(
    image: np.ndarray,
    gaze: Fixations,
    heatmap: np.ndarray,
    crf_map: np.ndarray,
    thresholds: Sequence[float],
    label: Label,
) -> dict[str, np.ndarray]:
    """The cells of one image's maps from gaze to pseudo-masks by title, as ``grid`` takes them.

    Args:
        image: (H,W,3) uint8.
        heatmap, crf_map: (H,W) in 0..1.
        thresholds: one a level; a level is where the CRF map reaches it.
        label: whose mask is outlined on every level, if it has one, and whose ignored pixels are hatched.
    """
    cells = {
        "fixations": with_fixations(image, gaze.xy, gaze.duration_ms),
        "heatmap": map_picture(heatmap),
        "CRF map": map_picture(crf_map),
    }
    for level, threshold in enumerate(thresholds, start=1):
        picture = mask_picture(crf_map >= threshold)
        title = f"level {level} >= {threshold:g}"
        if label.mask is not None:
            picture = with_contour(with_ignored(picture, label.ignore), label.mask, TRUTH_COLOUR)
            title = f"{title}, truth green"
        cells[title] = picture
    return cells


def resized(picture: np.ndarray, scale: float) -> np.ndarray:
    """Scaled picture (H,W) or (H,W,3) uint8, each side rounded to whole pixels, one at least."""
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
