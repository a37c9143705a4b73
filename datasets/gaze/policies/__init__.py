"""Pseudo-label policies (label fusion): gaze, map, network and perhaps masks to the map whose levels are learnt."""

from dataclasses import dataclass

import numpy as np

from datasets.gaze.policies.area import Area
from datasets.gaze.policies.evidence import Evidence, logit, read_evidence
from datasets.gaze.policies.fusion import FEWEST, Fusion


@dataclass(frozen=True)
class Levels:
    """The CRF map as released; once there is a network, the mean of what both say, to be cut at given thresholds."""

    @classmethod
    def fit(cls, *_):
        """Nothing is fitted."""
        return cls()

    def score(self, evidence: Evidence) -> np.ndarray:
        """(S,S) float32, a logit."""
        said = [] if evidence.crf is None else [logit(evidence.crf.astype(np.float32))]
        said += [] if evidence.logits is None else [evidence.logits.astype(np.float32)]
        return np.mean(said, axis=0)


# By name; each has ``fit(evidence, masks)`` and ``score(evidence)``, a logit that is above 0 on the target. ``network``
# is given no map, so that it is what the network says and no more, from some masks on.
POLICIES = {"levels": Levels, "area": Area, "fusion": Fusion, "network": Levels}
# What needs the fixation table, and what needs masks: so many.
NEED_GAZE, NEED_MASKS = ("area", "fusion"), {"fusion": FEWEST, "network": 1}

__all__ = ["NEED_GAZE", "NEED_MASKS", "POLICIES", "Evidence", "read_evidence"]
