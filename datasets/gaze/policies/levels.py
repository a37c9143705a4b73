"""``levels``: the CRF map as released; once there is a network, the mean of what both say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from datasets.gaze.policies.evidence import Evidence, logit


@dataclass(frozen=True)
class Levels:
    """Nothing is fitted."""

    @classmethod
    def fit(cls, evidence: Mapping[str, Evidence], masks: Mapping[str, np.ndarray]) -> Levels:
        """The policy."""
        return cls()

    def score(self, evidence: Evidence) -> np.ndarray:
        """(S,S) float32, a logit; to be cut at the data set's thresholds."""
        said = [] if evidence.crf is None else [logit(evidence.crf.astype(np.float32))]
        said += [] if evidence.logits is None else [evidence.logits.astype(np.float32)]
        return np.mean(said, axis=0)
