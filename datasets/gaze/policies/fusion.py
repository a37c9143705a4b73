"""Policy ``fusion``: the score of ``area``, corrected by a logistic regression that is fitted on a few masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from datasets.gaze.policies.area import Area, area_log_odds, hull_score, network_logits
from datasets.gaze.policies.evidence import CUT, Evidence, logit

# The regression takes every fourth pixel, a ridge penalty on the weights of standardised features, so that a few masks
# unlike the rest do little harm, and at most so many steps of Newton's method; five are mostly enough.
PIXEL_STEP, RIDGE, STEPS = 4, 0.02, 25
FEWEST = 8


@dataclass(frozen=True)
class Fusion:
    """A fitted policy.

    Attributes:
        weights: of 1 and the standardised features, to be added to the score of ``area`` before it is bounded.
        means, deviations: of the features.
        area: the policy that is corrected.
        num_images: that it was fitted on.
    """

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    area: Area
    num_images: int

    @classmethod
    def fit(cls, evidence: Mapping[str, Evidence], masks: Mapping[str, np.ndarray]) -> Fusion:
        """From masks, (S,S) bool by name.

        Raises:
            ValueError: for less than ``FEWEST`` masks of images that were looked at.
        """
        known = [name for name in masks if evidence[name].crf is not None]
        if len(known) < FEWEST:
            raise ValueError(
                f"pseudo-masks by fusion: expected {FEWEST} masks or more of images with gaze to fit it on, found "
                f"{len(known)}; raise --masks, or use --pseudo area, which needs none"
            )
        area = Area.fit(evidence, masks)
        x = np.concatenate([_features(evidence[name], area)[:, ::PIXEL_STEP].T for name in known])
        y = np.concatenate([masks[name].reshape(-1)[::PIXEL_STEP] for name in known])
        before = np.concatenate([area.unbounded(evidence[name]).reshape(-1)[::PIXEL_STEP] for name in known])
        means, deviations = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        weights = _logistic_regression((x - means) / deviations, y, before + logit(CUT))
        return cls(*(tuple(map(float, part)) for part in (weights, means, deviations)), area, len(known))

    def score(self, evidence: Evidence) -> np.ndarray:
        """(S,S) float32, a logit less that of ``CUT``; of an image without gaze, the network's."""
        if evidence.crf is None:
            return evidence.logits.astype(np.float32)
        x = (_features(evidence, self.area).T - self.means) / self.deviations
        correction = (self.weights[0] + x @ np.array(self.weights[1:])).reshape(evidence.crf.shape)
        return self.area.bounded(self.area.unbounded(evidence) + correction.astype(np.float32), evidence)


def _features(evidence: Evidence, area: Area) -> np.ndarray:
    """Features of each pixel, (9,S*S) float64; those of the network are 0 before there is one.

    Logits of network and CRF map; heatmap, its square, and times the network's logit; the log odds of the area, as
    expected, the network's and the CRF map's; the hull of the fixations.
    """
    heat, crf = evidence.heatmap.astype(np.float64), evidence.crf.astype(np.float64)
    network, network_area = np.zeros_like(heat), 0.0
    if evidence.logits is not None:
        network, network_area = network_logits(evidence).astype(np.float64), area_log_odds(evidence.logits > 0)
    areas = (area.expected_log_odds(evidence), network_area, area_log_odds(evidence.crf > evidence.map_cut))
    maps = (network, logit(crf), heat, heat**2, heat * network, *(np.full_like(heat, value) for value in areas))
    return np.stack([part.reshape(-1) for part in (*maps, hull_score(evidence))])


def _logistic_regression(x: np.ndarray, y: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Weights of 1 and the columns of x (N,F), beside given logits (N,), by Newton's method."""
    x = np.column_stack([np.ones(len(x)), x])
    weights = np.zeros(x.shape[1])
    ridge = RIDGE * np.diag([0.0] + [1.0] * (x.shape[1] - 1))

    def loss(weights: np.ndarray) -> float:
        score = before + x @ weights
        return (np.logaddexp(0, score) - y * score).mean() + weights @ ridge @ weights / 2

    for _ in range(STEPS):
        p = scipy.special.expit(before + x @ weights)
        gradient = x.T @ (p - y) / len(y) + ridge @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x / len(y) + ridge
        step = np.linalg.solve(hessian + 1e-9 * np.eye(len(hessian)), gradient)
        # Far from the optimum a whole step may lead away from it, and the next one without bounds.
        while np.abs(step).max() > 1e-8 and loss(weights - step) > loss(weights):
            step = step / 2
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights
