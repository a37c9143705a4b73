"""Fixations to a heatmap: durations on a canvas, smoothed, scaled to 0..1, resized to the image."""

import functools

import cv2
import numpy as np
import scipy

CANVAS_PX = 768
TRUNCATE_SIGMAS = 4.0
# Of the highest density: far above what summing rounds off, far below what any sigma on the canvas leaves.
FLAT = 1e-9


def fixation_heatmap(
    xy: np.ndarray,
    duration_ms: np.ndarray,
    image_size: tuple[int, int],
    *,
    sigma_px: float,
    canvas_px: int = CANVAS_PX,
) -> np.ndarray:
    """The duration-weighted density of fixations over an image.

    Args:
        xy: (N,2) positions in 0..1, x to the right and y down.
        duration_ms: (N,) durations, 0 or more; only their proportions matter.
        image_size: (height, width) of the result, in pixels.
        sigma_px: standard deviation of the Gaussian, in canvas pixels (70 Kvasir, 50 prostate), up to the
            canvas's side. One below an eighth of a pixel leaves every fixation on its own pixel.
        canvas_px: side of the square canvas.

    Returns:
        (H,W) float32 in 0..1.

    Raises:
        ValueError: if there is no fixation of positive duration, a position outside 0..1, a sigma that is
            not above 0 or wider than the canvas, a map that is the same everywhere, or shapes that do not fit.

    Source: the reference's preparation.
    """
    xy, duration_ms = np.asarray(xy, dtype=np.float64), np.asarray(duration_ms, dtype=np.float64)
    check_sigma(sigma_px, canvas_px)
    _check(xy, duration_ms, image_size)
    # Times the power of two that puts the longest in 0.5..1: exact, and no sum can overflow.
    weights = np.ldexp(duration_ms, -np.frexp(duration_ms.max())[1])
    density = _density(xy, weights, float(sigma_px), canvas_px)
    low, high = density.min(), density.max()
    # Differences of the size of rounding errors would be blown up to a map of noise.
    if not high - low > FLAT * high:
        raise ValueError(
            "heatmap: expected fixations that stand out, found the same heat everywhere; "
            "choose a smaller sigma_px or leave the image out"
        )
    # In place: the canvas is larger than most caches.
    density -= low
    density /= high - low
    height, width = map(int, image_size)
    resized = cv2.resize(density.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    # Bicubic interpolation overshoots a little at both ends.
    return resized.clip(0, 1)


def check_sigma(sigma_px: float, canvas_px: int = CANVAS_PX) -> None:
    """Refuse a sigma for which there is no heatmap, whatever the fixations, with a ValueError.

    The limit is the canvas's side: there a fixation still stands out by 2 % of the mean heat, at 1.5 times that
    by less (0.004 %) than the steps at which the Gaussian is truncated (0.009 %).
    """
    if not 0 < sigma_px <= canvas_px:
        raise ValueError(
            f"heatmap: expected a sigma_px above 0 and up to {canvas_px}, the canvas's side, found {sigma_px:g}"
        )


def to_uint8(unit_map: np.ndarray, *, half: bool = False) -> np.ndarray:
    """A map in 0..1, of any shape, as uint8 in 0..255, cut off rather than rounded; what is beyond counts as 0 or 1.

    ``half`` computes in float16, as the reference does for heatmaps (and only for them).
    """
    if not half:
        return (unit_map.astype(np.float32) * 255).clip(0, 255).astype(np.uint8)
    # Looked up in all 15,361 numbers that there are, as arithmetic of float16 is slow; abs is for -0.
    numbers = np.arange(np.float16(1).view(np.uint16) + 1, dtype=np.uint16).view(np.float16)
    table = (numbers * np.float16(255)).astype(np.uint8)
    return table[np.abs(unit_map.clip(0, 1)).astype(np.float16).view(np.uint16)]


def _density(xy: np.ndarray, weights: np.ndarray, sigma_px: float, canvas_px: int) -> np.ndarray:
    """(canvas_px, canvas_px) float64: the weights at their positions, smoothed.

    The Gaussian is linear and separable, so that it takes matrix products with one-dimensional responses in
    place of a 561-tap filter over the canvas: a sum over fixations of outer products while they are few, and
    one over pixels, whose size does not grow with their number, where they are many.
    """
    # Clipped, so that a fixation on the border stays on its border.
    columns, rows = np.clip(np.round(xy.T * canvas_px).astype(int) - 1, 0, canvas_px - 1)
    response = _border_response(canvas_px, sigma_px)
    if len(xy) <= canvas_px:
        return (response[:, rows] * weights) @ response[:, columns].T
    canvas = np.bincount(rows * canvas_px + columns, weights, minlength=canvas_px**2)
    return response @ canvas.reshape(canvas_px, canvas_px) @ response.T


@functools.lru_cache(maxsize=4)
def _border_response(canvas_px: int, sigma_px: float) -> np.ndarray:
    """Column j is what the one-dimensional filter makes of a unit at j, with reflecting borders."""
    # A narrower one has no neighbour within its truncation either, and SciPy would divide by its square, which is 0.
    sigma_px = max(sigma_px, 0.1)
    return scipy.ndimage.gaussian_filter1d(
        np.eye(canvas_px), sigma_px, axis=0, mode="reflect", truncate=TRUNCATE_SIGMAS
    )


def _check(xy: np.ndarray, duration_ms: np.ndarray, image_size: tuple[int, int]) -> None:
    if xy.ndim != 2 or xy.shape[1:] != (2,) or duration_ms.shape != xy.shape[:1]:
        raise ValueError(f"heatmap: expected xy (N,2) and duration_ms (N,), found {xy.shape} and {duration_ms.shape}")
    if not np.all((xy >= 0) & (xy <= 1)):
        raise ValueError(f"heatmap: expected positions in 0..1, found {xy.min()} to {xy.max()}")
    if not np.all(np.isfinite(duration_ms) & (duration_ms >= 0)) or not duration_ms.any():
        raise ValueError(f"heatmap: expected fixations of positive duration in ms, found {len(xy)} without")
    if len(image_size) != 2 or min(image_size) < 1:
        raise ValueError(f"heatmap: expected an image of 1 pixel or more a side, found {tuple(image_size)}")
