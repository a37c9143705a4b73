"""What a predicted mask is like: its area, its parts, and how sure the network was of it."""

import cv2
import numpy as np


def measure_mask(mask: np.ndarray, probability: np.ndarray) -> dict[str, float | None]:
    """The figures of a mask (H,W) bool, not of size 0, and the probabilities (H,W) that it was made from.

    Returns:
        ``area_px``: foreground pixels; ``area_share``: of all pixels, 0..1; ``num_components``: connected parts (pixels
        that touch at a corner are connected); ``largest_component_px``: 0 for an empty mask; ``confidence``: mean
        probability over the foreground pixels, threshold..1, None for an empty mask.
    """
    area = int(np.count_nonzero(mask))
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return {
        "area_px": area,
        "area_share": area / mask.size,
        # The first of them is the background.
        "num_components": count - 1,
        "largest_component_px": int(stats[1:, cv2.CC_STAT_AREA].max(initial=0)),
        "confidence": float(probability[mask].mean(dtype=np.float64)) if area else None,
    }
