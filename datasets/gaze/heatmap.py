"""Fixations to a heatmap: durations on a canvas, smoothed, scaled to 0..1, resized to the image."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

CANVAS_PX = 768
TRUNCATE_SIGMAS = 4.0


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
        duration_ms: (N,) durations, 0 or more.
        image_size: (height, width) of the result, in pixels.
        sigma_px: standard deviation of the Gaussian, in canvas pixels (70 Kvasir, 50 prostate).
        canvas_px: side of the square canvas.

    Returns:
        (H,W) float32 in 0..1.

    Raises:
        ValueError: if there is no fixation of positive duration, a position outside 0..1, a sigma that is
            not above 0, or shapes that do not fit.

    Source: the reference's preparation. The Gaussian is linear and separable, so the filtered canvas is a sum
    over fixations of outer products of two one-dimensional responses, one small matrix product in place of a
    561-tap filter over the canvas.
    """
    xy, duration_ms = np.asarray(xy, dtype=np.float64), np.asarray(duration_ms, dtype=np.float64)
    _check(xy, duration_ms, sigma_px)
    columns, rows = _canvas_index(xy[:, 0], canvas_px), _canvas_index(xy[:, 1], canvas_px)
    response = _border_response(canvas_px, float(sigma_px))
    density = (response[:, rows] * duration_ms) @ response[:, columns].T
    low, high = density.min(), density.max()
    if not high > low:
        raise ValueError("heatmap: expected fixations that stand out, found a constant map; sigma_px is too large")
    density = ((density - low) / (high - low)).astype(np.float32)
    height, width = image_size
    resized = cv2.resize(density, (width, height), interpolation=cv2.INTER_CUBIC)
    # Bicubic interpolation overshoots a little at both ends.
    return resized.clip(0, 1)


def to_uint8(unit_map: np.ndarray, *, half: bool = False) -> np.ndarray:
    """A map in 0..1 as uint8, cut off rather than rounded.

    ``half`` computes in float16, as the reference does for heatmaps (and only for them).
    """
    scaled = unit_map.astype(np.float16 if half else np.float32) * 255
    return scaled.clip(0, 255).astype(np.uint8)


def _canvas_index(position: np.ndarray, canvas_px: int) -> np.ndarray:
    """Canvas pixel of a position; clipped, so that a fixation on the border stays on its border."""
    return np.clip(np.round(position * canvas_px).astype(int) - 1, 0, canvas_px - 1)


@functools.lru_cache(maxsize=4)
def _border_response(canvas_px: int, sigma_px: float) -> np.ndarray:
    """Column j is what the one-dimensional filter makes of a unit at j, with reflecting borders."""
    return gaussian_filter1d(np.eye(canvas_px), sigma_px, axis=0, mode="reflect", truncate=TRUNCATE_SIGMAS)


def _check(xy: np.ndarray, duration_ms: np.ndarray, sigma_px: float) -> None:
    if not 0 < sigma_px < np.inf:
        raise ValueError(f"heatmap: expected a sigma_px above 0, found {sigma_px}")
    if xy.ndim != 2 or xy.shape[1:] != (2,) or duration_ms.shape != xy.shape[:1]:
        raise ValueError(f"heatmap: expected xy (N,2) and duration_ms (N,), found {xy.shape} and {duration_ms.shape}")
    if not np.all((xy >= 0) & (xy <= 1)):
        raise ValueError(f"heatmap: expected positions in 0..1, found {xy.min()} to {xy.max()}")
    if not np.all(np.isfinite(duration_ms) & (duration_ms >= 0)) or not duration_ms.sum() > 0:
        raise ValueError(f"heatmap: expected fixations of positive duration in ms, found {len(xy)} without")
