"""Arrays as the short strings that a page holds."""

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
# The encoder's middle way between speed and size: ten milliseconds an image.
EFFORT = 4
# Half a pixel is less than a contour's own width at any size it is shown at.
CONTOUR_TOLERANCE_PX = 0.5
# Of one mask: some 20 kB. What networks predict has hundreds; those that learned nothing have a hundred thousand.
MAX_POINTS = 4000


def encoded_picture(picture: np.ndarray, longest_px: int, quality: int = IMAGE_QUALITY) -> str:
    """(H,W) or (H,W,3) uint8 as base64 WebP whose longer side has at most ``longest_px`` pixels."""
    scale = longest_px / max(picture.shape[:2])
    if scale < 1:
        picture = resized(picture, scale)
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, FORMAT, quality=quality, method=EFFORT)
    return base64.b64encode(encoded.getvalue()).decode("ascii")


def encoded_map(unit_map: np.ndarray, longest_px: int) -> str:
    """A map (H,W) in 0..1 as ``encoded_picture``, grey, 255 for 1; not a number counts as 0."""
    grey = np.rint(np.clip(np.nan_to_num(unit_map), 0, 1) * 255).astype(np.uint8)
    return encoded_picture(grey, longest_px, MAP_QUALITY)


def outline(mask: np.ndarray) -> str:
    """The outlines of a mask (H,W), holes among them, as the path of an SVG in pixels.

    The lines pass through the centres of the outermost pixels, simplified by less than half a pixel. One pixel is a
    path of no length, which round line ends make a dot; an empty mask is an empty string. The outlines of noise are
    simplified further, and its smallest spots left out, until ``MAX_POINTS`` are enough; where all are small, every
    other one.
    """
    binary = (np.asarray(mask) > 0).astype(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    tolerance = CONTOUR_TOLERANCE_PX
    while True:
        simple = [cv2.approxPolyDP(contour, tolerance, True)[:, 0] for contour in contours]
        if sum(map(len, simple)) <= MAX_POINTS:
            return "".join(map(_path, simple))
        tolerance *= 2
        # Dots and lines have no area, and an empty path would say that nothing is there.
        contours = [contour for contour in contours if cv2.contourArea(contour) > tolerance**2] or contours[::2]


def rounded_fixations(xy: np.ndarray, duration_ms: np.ndarray) -> list[list[float]]:
    """[x, y, duration] of each fixation: thousandths of width and height, whole milliseconds.

    One without a number in it is left out.
    """
    rows = np.column_stack([np.asarray(xy, float).reshape(-1, 2) * 1000, np.asarray(duration_ms, float)])
    return np.rint(rows[np.isfinite(rows).all(axis=1)]).astype(int).tolist()


def _path(points: np.ndarray) -> str:
    """Points (N,2) of integers, closed: the first as it is, the others by their steps."""
    start = f"M{points[0][0] + 0.5:g} {points[0][1] + 0.5:g}"
    steps = " ".join(f"{x} {y}" for x, y in np.diff(points, axis=0))
    return f"{start}l{steps}z" if steps else f"{start}h0"
