"""Pseudo-label policies (label fusion): gaze, map, network and perhaps masks to the map whose levels are learnt."""

from dataclasses import dataclass

import numpy as np

from datasets.gaze.policies.area import Area
from datasets.gaze.policies.evidence import Evidence, logit, read_evidence
from datasets.gaze.policies.fusion import FEWEST, Fusion


@dataclass(frozen=True)
class Levels:
    """Policy ``levels``: the CRF map as released; once there is a network, the mean of the logits of both."""

    @classmethod
    def fit(cls, *_):
        """Nothing is fitted."""
        return cls()

    def score(self, evidence: Evidence) -> np.ndarray:
        """(S,S) float32, a logit."""
        logits = [] if evidence.crf is None else [logit(evidence.crf.astype(np.float32))]
        logits += [] if evidence.logits is None else [evidence.logits.astype(np.float32)]
        return np.mean(logits, axis=0)


# By name; each has ``fit(evidence, masks)`` and ``score(evidence)``, a logit that is above 0 on the target. ``network``
# is given no map: its score is the network's logit alone, from the first masks on.
POLICIES = {"levels": Levels, "area": Area, "fusion": Fusion, "network": Levels}
# Policies that need the fixation table, and the least number of masks where masks are needed.
NEED_GAZE, NEED_MASKS = ("area", "fusion"), {"fusion": FEWEST, "network": 1}

__all__ = ["NEED_GAZE", "NEED_MASKS", "POLICIES", "Evidence", "read_evidence"]
