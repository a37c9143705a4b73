"""Evidence on the target of an image: its gaze, and the logits of an earlier round's network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datasets import io
from datasets.files import sample_path
from datasets.gaze.fixations import Fixations
from datasets.gaze.heatmap import fixation_heatmap
from datasets.specs import DatasetSpec

# Probabilities of eight bits are kept off 0 and 1.
LEAST_PROBABILITY = 1 / 255
# Threshold of probabilities: Dice is highest at half the best Dice (Lipton et al., arXiv 1402.1892), here 0.9.
CUT = 0.45
# Share of the first fixations, which search for the target; the later ones follow its inside and then its outline.
SEARCHING_SHARE = 0.1


@dataclass(frozen=True)
class Evidence:
    """Evidence on the target of one image, on a square grid of S pixels a side.

    Attributes:
        heatmap: (S,S) in 0..1, of the fixations; None where an image was not looked at, as of the next three.
        crf: (S,S) in 0..1, the CRF map.
        distance: (S,S), signed, to the outline of the convex hull of the fixations, in shares of the side, positive
            inside; the fixations of the search are left out.
        gaze_features: (3,) half the log determinant of the fixations' covariance, weighted by duration, in shares of
            the sides; the log of their number; the log of their time in ms.
        logits: (S,S), of the network of the round before; None before there is one.
        map_cut: the neutral value of the CRF map, the middle of the data set's thresholds.
    """

    heatmap: np.ndarray | None = None
    crf: np.ndarray | None = None
    distance: np.ndarray | None = None
    gaze_features: np.ndarray | None = None
    logits: np.ndarray | None = None
    map_cut: float = 0.4

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a map nor a network."""
        return self.crf is None and self.logits is None


def read_evidence(spec: DatasetSpec, root: Path, name: str, fixations: Fixations | None, size: int) -> Evidence:
    """The gaze of an image on a grid of ``size`` pixels a side, without ``fixations`` its CRF map alone; errors as of
    ``io.read_map`` and ``fixation_heatmap``.

    The CRF map has to be there; an absent heatmap is made anew, as for the released maps.
    """
    crf, path = io.read_map(sample_path(spec, root, "map", name)), sample_path(spec, root, "heatmap", name)
    if fixations is None:
        return Evidence(crf=resized(crf, size))
    if path.is_file():
        heatmap = io.read_map(path)
    else:
        heatmap = fixation_heatmap(fixations.xy, fixations.duration_ms, crf.shape, sigma_px=spec.sigma_px)
    maps = resized(heatmap, size), resized(crf, size), hull_distance(fixations, size)
    # Enough for values of eight bits, at half the memory.
    maps = [values.astype(np.float16) for values in maps]
    return Evidence(*maps, gaze_features(fixations), map_cut=float(np.mean(spec.end_thresholds)))


def hull_distance(fixations: Fixations, size: int) -> np.ndarray:
    """Signed distance to the hull, (S,S) float32, as ``Evidence.distance``; of one or two places, to that point or
    line."""
    xy = fixations.xy[math.ceil(len(fixations.xy) * SEARCHING_SHARE) :] if len(fixations.xy) > 1 else fixations.xy
    hull = cv2.convexHull((xy * size).astype(np.float32).reshape(-1, 1, 2))
    inside = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32).clip(0, size - 1), 1)
    to_outside, to_inside = (cv2.distanceTransform(part, cv2.DIST_L2, 5) for part in (inside, 1 - inside))
    return (to_outside - to_inside) / size


def gaze_features(fixations: Fixations) -> np.ndarray:
    """(3,) float64, as ``Evidence.gaze_features``; the spread of one place counts as a thousandth of each side."""
    weights = np.maximum(fixations.duration_ms, 1.0)
    covariance = np.cov(fixations.xy.T, aweights=weights, bias=True) + 1e-6 * np.eye(2)
    spread = np.linalg.slogdet(covariance)[1] / 2
    return np.array([spread, math.log(len(weights)), math.log(weights.sum())])


def resized(values: np.ndarray, size: int) -> np.ndarray:
    """Bilinear resizing: (H,W) -> (S,S) float32."""
    return cv2.resize(values.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)


def logit(probability: np.ndarray | float) -> np.ndarray:
    """Logit of probabilities, finite: they are clipped as eight bits give them."""
    p = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.log(p / (1 - p))
