"""Where CRF map, gaze and network agree: the sum of what each says, without any mask."""

from __future__ import annotations

import numpy as np

from datasets.gaze.policies.evidence import Evidence, logit

# Of the two maps, half the say each, also where there is no network yet.
MAP_WEIGHT = 0.5
# A network that is sure of nothing but background is not to silence a gaze that dwells on a place.
NETWORK_REACH = 4.0
# The gaze follows an outline from inside and ends short of it, by about its own error; further away than the reach
# says no more. In shares of the side; the weight is of a logit a side. Chosen on made images with simulated gaze.
HULL_WEIGHT, HULL_MARGIN, HULL_REACH = 14.0, 0.04, 0.1


def agreement(evidence: Evidence) -> np.ndarray:
    """The score of every pixel, (S,S) float32, a logit; of an image without gaze, what the network says.

    Raises:
        ValueError: for an image with neither.
    """
    if evidence.crf is None:
        return _of_network(evidence)
    of_map = logit(evidence.crf.astype(np.float32)) - np.float32(logit(evidence.map_cut))
    score = MAP_WEIGHT * of_map + hull_score(evidence)
    if evidence.logits is None:
        return score
    return score + MAP_WEIGHT * network_logits(evidence)


def network_logits(evidence: Evidence) -> np.ndarray:
    """What the network says, (S,S) float32, as far as it may be sure."""
    return np.clip(evidence.logits.astype(np.float32), -NETWORK_REACH, NETWORK_REACH)


def hull_score(evidence: Evidence) -> np.ndarray:
    """What the hull of the fixations says of every pixel, (S,S) float32, a logit."""
    reached = evidence.distance.astype(np.float32) + HULL_MARGIN
    return HULL_WEIGHT * np.clip(reached, -HULL_REACH, HULL_REACH)


def _of_network(evidence: Evidence) -> np.ndarray:
    if evidence.logits is None:
        raise ValueError("pseudo-masks: expected an image with gaze or a network that has seen it, found neither")
    return evidence.logits.astype(np.float32)
