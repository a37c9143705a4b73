"""How far two boundaries are apart."""

import math
from typing import NamedTuple

import cv2
import numpy as np
import scipy  # its parts are imported when they are first used

PERCENTILE = 95
# Pixels that share an edge with the background, as in MONAI and MedPy.
NEIGHBOURS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class Distances(NamedTuple):
    """Between the boundaries of two masks, in the unit of the spacing.

    Attributes:
        hd95: the larger of the two 95th percentiles, of the distances from each boundary to the other.
        assd: the mean of all these distances, of both boundaries together (average symmetric surface distance).
    """

    hd95: float
    assd: float


def boundary_distances(
    prediction: np.ndarray, target: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)
) -> Distances:
    """Distances between the boundary pixels of two masks, from centre to centre.

    A boundary pixel is one of the mask whose upper, lower, left or right neighbour is not, or lies outside the image.
    Nearest neighbours are found by ``scipy.spatial.KDTree``.

    Args:
        prediction, target: (H,W) bool.
        spacing: height and width of a pixel; the result has its unit, pixels by default.

    Returns:
        Both distances, 0 where the masks are equal. Not a number if both masks are empty; if one is, there is nothing
        to measure to, and both are the diagonal of the image, the largest distance that could be: leaving such
        failures out would flatter the mean.

    Raises:
        ValueError: if the shapes differ.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"distances: expected equal shapes, found {prediction.shape} and {target.shape}")
    first, second = (_boundary(mask) * np.asarray(spacing, np.float64) for mask in (prediction, target))
    if not len(first) and not len(second):
        return Distances(math.nan, math.nan)
    if not len(first) or not len(second):
        diagonal = math.hypot(prediction.shape[0] * spacing[0], prediction.shape[1] * spacing[1])
        return Distances(diagonal, diagonal)
    there, back = scipy.spatial.KDTree(second).query(first)[0], scipy.spatial.KDTree(first).query(second)[0]
    hd95 = max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE))
    return Distances(float(hd95), float(np.concatenate([there, back]).mean()))


def _boundary(mask: np.ndarray) -> np.ndarray:
    """(N,2) rows and columns of the boundary pixels."""
    mask = np.ascontiguousarray(mask, np.uint8)
    inside = cv2.erode(mask, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.argwhere(mask > inside)
