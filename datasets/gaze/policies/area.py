"""``area``: the agreement of map, hull and network, with the odds of the area that the gaze foretells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from datasets.gaze.policies.evidence import CUT, Evidence, logit

# What the log odds of the area are foretold from, beside 1.
FACTS = ("log spread of gaze", "log fixations", "log gaze time", "log odds of the area of the CRF map")
LEAST_AREA, MOST_AREA = 0.002, 0.9
# Of the fit's residual: no label is smaller or larger than so many from what is foretold.
DEVIATIONS = 2
# Of the squares of the weights beside the mean square error: too little to matter but where facts are all alike.
RIDGE = 1e-3
FEWEST = 8
# In the agreement, of CRF map and network: half the say each, also where there is no network yet.
MAP_WEIGHT = 0.5
# A network that is sure of nothing but background is not to silence a gaze that dwells on a place.
NETWORK_REACH = 4.0
# The gaze follows an outline from inside and ends short of it, by about its own error; further away than the reach
# says no more. In shares of the side; the weight is of a logit a side. Chosen on made images with simulated gaze.
HULL_WEIGHT, HULL_MARGIN, HULL_REACH = 14.0, 0.04, 0.1


@dataclass(frozen=True)
class Area:
    """A fitted policy: how large a target is that is looked at so long, so widely and so often.

    A large target and a small one are equally well seen in a map; what differs is how likely a pixel belongs to them
    before it is looked at, by Bayes' rule a summand of its logit. The areas are learnt from the network's own: what
    is wrong with a single one of them averages out over all images. Scores are (S,S) float32, logits.

    Attributes:
        weights: of 1 and ``FACTS``; None before there is a network: then the agreement is all.
        mean: of the foretold log odds over the images.
        residual: standard deviation of the network's own log odds around them.
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
        facts, own = np.stack([_facts(one) for one in seen]), np.array([odds(one.logits > 0) for one in seen])
        gram = facts.T @ facts / len(seen) + RIDGE * np.diag([0.0] + [1.0] * len(FACTS))
        weights = np.linalg.solve(gram, facts.T @ own / len(seen))
        foretold = facts @ weights
        return cls(tuple(map(float, weights)), float(foretold.mean()), float((own - foretold).std()), len(seen))

    def foretold(self, evidence: Evidence) -> float:
        """The log odds of the target's share of the image, by its gaze, less their mean; 0 before there is a fit."""
        return 0.0 if self.weights is None else float(_facts(evidence) @ np.array(self.weights)) - self.mean

    def score(self, evidence: Evidence) -> np.ndarray:
        """Above 0 on the target; errors as of ``agreement``."""
        return self.bounded(self.unbounded(evidence), evidence)

    def unbounded(self, evidence: Evidence) -> np.ndarray:
        """The score before its area is looked at."""
        score = agreement(evidence)
        fitted = self.weights is not None and evidence.crf is not None
        return score + np.float32(self.foretold(evidence) - logit(CUT)) if fitted else score

    def bounded(self, score: np.ndarray, evidence: Evidence) -> np.ndarray:
        """A score, shifted where its area is further from the foretold one than most of the network's own are.

        There is a target wherever somebody has looked for long, also where the network finds none.

        Args:
            score: (S,S) float32, a logit.
            evidence: of the image.

        Returns:
            (S,S) float32, a logit; the score as it is of an image without gaze, and before there is a fit.
        """
        if self.weights is None or evidence.crf is None:
            return score
        foretold = scipy.special.expit(self.foretold(evidence) + self.mean)
        factor = np.exp(DEVIATIONS * self.residual)
        share = (score > 0).mean()
        allowed = np.clip(share, min(foretold / factor, MOST_AREA), min(foretold * factor, MOST_AREA))
        return score if allowed == share else score - np.float32(np.quantile(score, 1 - allowed))


def agreement(evidence: Evidence) -> np.ndarray:
    """Where CRF map, gaze and network agree: the sum of what each says, without any mask.

    Returns:
        The score of every pixel, (S,S) float32, a logit; of an image without gaze, what the network says.

    Raises:
        ValueError: for an image with neither.
    """
    if evidence.is_empty:
        raise ValueError("pseudo-masks: expected an image with gaze or a network that has seen it, found neither")
    if evidence.crf is None:
        return evidence.logits.astype(np.float32)
    of_map = logit(evidence.crf.astype(np.float32)) - np.float32(logit(evidence.map_cut))
    score = MAP_WEIGHT * of_map + hull_score(evidence)
    return score if evidence.logits is None else score + MAP_WEIGHT * network_logits(evidence)


def network_logits(evidence: Evidence) -> np.ndarray:
    """What the network says, (S,S) float32, as far as it may be sure."""
    return np.clip(evidence.logits.astype(np.float32), -NETWORK_REACH, NETWORK_REACH)


def hull_score(evidence: Evidence) -> np.ndarray:
    """What the hull of the fixations says of every pixel, (S,S) float32, a logit."""
    reached = evidence.distance.astype(np.float32) + HULL_MARGIN
    return HULL_WEIGHT * np.clip(reached, -HULL_REACH, HULL_REACH)


def _facts(evidence: Evidence) -> np.ndarray:
    return np.array([1.0, *evidence.gaze_facts, odds(evidence.crf > evidence.map_cut)])


def odds(found: np.ndarray) -> float:
    """The log odds of the area of a mask, of one that is almost nothing or all as of some."""
    area = np.clip(found.mean(), LEAST_AREA, MOST_AREA)
    return float(np.log(area / (1 - area)))
