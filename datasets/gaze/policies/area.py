"""Policy ``area``: the summed logits of CRF map, hull and network, with a prior of the area expected from the gaze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from datasets.gaze.policies.evidence import CUT, Evidence, logit

# Features of the regression of the area's log odds, beside 1.
AREA_FEATURES = ("log spread of gaze", "log fixations", "log gaze time", "log odds of the area of the CRF map")
LEAST_AREA, MOST_AREA = 0.002, 0.9
# Bounds of a label's area: standard deviations of the fit's residual around the expected one.
DEVIATIONS = 2
# Ridge penalty beside the mean square error: too small to matter unless the features are all alike.
RIDGE = 1e-3
FEWEST = 8
# Weight of CRF map and network in the sum: half each, also where there is no network yet.
MAP_WEIGHT = 0.5
# Bound of the network's logits: one that is sure of background must not silence a gaze that dwells on a place.
NETWORK_REACH = 4.0
# The gaze follows an outline from inside and ends short of it, by about its own error, the margin; beyond the reach,
# distance adds nothing. In shares of the side; the weight in logits a side. Chosen on made images with simulated gaze.
HULL_WEIGHT, HULL_MARGIN, HULL_REACH = 14.0, 0.04, 0.1


@dataclass(frozen=True)
class Area:
    """A fitted policy: how large a target is, by how long, how widely and how often it was looked at.

    A map shows a large target and a small one equally well; what differs is the prior probability of a pixel to be of
    the target, whose log odds add to its logit by Bayes' rule. The regression is fitted to the areas that the network
    predicts, as their errors average out over all images. Scores are (S,S) float32, logits.

    Attributes:
        weights: of 1 and ``AREA_FEATURES``; None before there is a network: then there is no prior.
        mean: of the expected log odds over the images.
        residual: standard deviation of the log odds of the network's areas around the expected ones.
        num_images: that it was fitted on.
    """

    weights: tuple[float, ...] | None = None
    mean: float = 0.0
    residual: float | None = None
    num_images: int = 0

    @classmethod
    def fit(cls, evidence: Mapping[str, Evidence], masks: Mapping[str, np.ndarray]) -> Area:
        """From the areas that the network predicts on all images that were looked at; masks are not used."""
        seen = [one for one in evidence.values() if one.crf is not None and one.logits is not None]
        if len(seen) < FEWEST:
            return cls()
        features = np.stack([_area_features(one) for one in seen])
        predicted = np.array([area_log_odds(one.logits > 0) for one in seen])
        gram = features.T @ features / len(seen) + RIDGE * np.diag([0.0] + [1.0] * len(AREA_FEATURES))
        weights = np.linalg.solve(gram, features.T @ predicted / len(seen))
        expected = features @ weights
        return cls(tuple(map(float, weights)), float(expected.mean()), float((predicted - expected).std()), len(seen))

    def expected_log_odds(self, evidence: Evidence) -> float:
        """Expected log odds of the target's share of the image, by its gaze, less their mean; 0 before a fit."""
        return 0.0 if self.weights is None else float(_area_features(evidence) @ np.array(self.weights)) - self.mean

    def score(self, evidence: Evidence) -> np.ndarray:
        """Above 0 on the target; errors as of ``agreement``."""
        return self.bounded(self.unbounded(evidence), evidence)

    def unbounded(self, evidence: Evidence) -> np.ndarray:
        """The score without bounds on its area."""
        score = agreement(evidence)
        fitted = self.weights is not None and evidence.crf is not None
        return score + np.float32(self.expected_log_odds(evidence) - logit(CUT)) if fitted else score

    def bounded(self, score: np.ndarray, evidence: Evidence) -> np.ndarray:
        """Shift a score so that its area is within ``DEVIATIONS`` residuals of the expected one.

        There is a target wherever somebody has looked for long, also where the network finds none.

        Args:
            score: (S,S) float32, a logit.
            evidence: of the image.

        Returns:
            (S,S) float32, a logit; the score unchanged for an image without gaze, and before the fit.
        """
        if self.weights is None or evidence.crf is None:
            return score
        expected = scipy.special.expit(self.expected_log_odds(evidence) + self.mean)
        factor = np.exp(DEVIATIONS * self.residual)
        share = (score > 0).mean()
        allowed = np.clip(share, min(expected / factor, MOST_AREA), min(expected * factor, MOST_AREA))
        return score if allowed == share else score - np.float32(np.quantile(score, 1 - allowed))


def agreement(evidence: Evidence) -> np.ndarray:
    """Agreement of CRF map, gaze and network: the weighted sum of their logits, without any mask.

    Returns:
        The score of every pixel, (S,S) float32, a logit; of an image without gaze, the network's.

    Raises:
        ValueError: for an image with neither.
    """
    if evidence.is_empty:
        raise ValueError("pseudo-masks: expected an image with gaze or a network that has seen it, found neither")
    if evidence.crf is None:
        return evidence.logits.astype(np.float32)
    map_logits = logit(evidence.crf.astype(np.float32)) - np.float32(logit(evidence.map_cut))
    score = MAP_WEIGHT * map_logits + hull_score(evidence)
    return score if evidence.logits is None else score + MAP_WEIGHT * network_logits(evidence)


def network_logits(evidence: Evidence) -> np.ndarray:
    """The network's logits, (S,S) float32, bounded by ``NETWORK_REACH``."""
    return np.clip(evidence.logits.astype(np.float32), -NETWORK_REACH, NETWORK_REACH)


def hull_score(evidence: Evidence) -> np.ndarray:
    """Logits by distance from the hull of the fixations, (S,S) float32."""
    reached = evidence.distance.astype(np.float32) + HULL_MARGIN
    return HULL_WEIGHT * np.clip(reached, -HULL_REACH, HULL_REACH)


def _area_features(evidence: Evidence) -> np.ndarray:
    return np.array([1.0, *evidence.gaze_features, area_log_odds(evidence.crf > evidence.map_cut)])


def area_log_odds(mask: np.ndarray) -> float:
    """Log odds of a mask's share of the image, which is clipped to ``LEAST_AREA``..``MOST_AREA``."""
    area = np.clip(mask.mean(), LEAST_AREA, MOST_AREA)
    return float(np.log(area / (1 - area)))
