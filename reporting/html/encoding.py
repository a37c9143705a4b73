"""Encoding of images, maps, masks and fixations as short strings for a page."""

import base64
import io

import cv2
import numpy as np
from PIL import Image

from reporting.visualize import resized

# Half the size of a JPEG that looks alike; every browser since 2020 reads it.
FORMAT = "WEBP"
IMAGE_QUALITY = 72
MAP_QUALITY = 60
# A compromise between speed and size: ten milliseconds an image.
EFFORT = 4
# Half a pixel is less than a contour's line width at any display size.
CONTOUR_TOLERANCE_PX = 0.5
# Of one mask: some 20 kB. Predictions have hundreds; those of untrained networks a hundred thousand.
MAX_POINTS = 4000


def encoded_picture(picture: np.ndarray, longest_px: int, quality: int = IMAGE_QUALITY) -> str:
    """Picture (H,W) or (H,W,3) uint8 as base64 WebP whose longer side has at most ``longest_px`` pixels."""
    scale = longest_px / max(picture.shape[:2])
    if scale < 1:
        picture = resized(picture, scale)
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, FORMAT, quality=quality, method=EFFORT)
    return base64.b64encode(encoded.getvalue()).decode("ascii")


def encoded_map(unit_map: np.ndarray, longest_px: int) -> str:
    """Map (H,W) in 0..1 as a grey ``encoded_picture``, 255 for 1; NaN counts as 0."""
    grey = np.rint(np.clip(np.nan_to_num(unit_map), 0, 1) * 255).astype(np.uint8)
    return encoded_picture(grey, longest_px, MAP_QUALITY)


def outline(mask: np.ndarray) -> str:
    """Contours of a mask (H,W), with its holes, as an SVG path in pixels.

    The lines pass through the centres of the outermost pixels, simplified by less than half a pixel. One pixel is a
    path of no length, which round line ends make a dot; an empty mask is an empty string. Contours of noise are
    simplified further, and the smallest left out, until ``MAX_POINTS`` are enough; where all are small, every other
    one.
    """
    binary = (np.asarray(mask) > 0).astype(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    tolerance = CONTOUR_TOLERANCE_PX
    while True:
        simple = [cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in contours]
        if sum(map(len, simple)) <= MAX_POINTS:
            return "".join(map(_path, simple))
        tolerance *= 2
        # Dots and lines have no area, and an empty path would mean an empty mask.
        contours = [contour for contour in contours if cv2.contourArea(contour) > tolerance**2] or contours[::2]


def rounded_fixations(xy: np.ndarray, duration_ms: np.ndarray) -> list[list[float]]:
    """[x, y, duration] of each fixation: thousandths of width and height, whole milliseconds; those with NaN are left
    out."""
    rows = np.column_stack([np.asarray(xy, float).reshape(-1, 2) * 1000, np.asarray(duration_ms, float)])
    return np.rint(rows[np.isfinite(rows).all(axis=1)]).astype(int).tolist()


def _path(points: np.ndarray) -> str:
    """Closed SVG path of integer points (N,2): the first absolute, the others relative."""
    start = f"M{points[0][0] + 0.5:g} {points[0][1] + 0.5:g}"
    steps = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0))
    return f"{start}l{steps}z" if steps else f"{start}h0"
