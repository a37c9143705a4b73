"""Policies: how gaze, map, network and perhaps a few masks become the map whose levels are the pseudo-masks."""

from datasets.gaze.policies.area import Area
from datasets.gaze.policies.evidence import Evidence, read_evidence
from datasets.gaze.policies.fusion import FEWEST, Fusion
from datasets.gaze.policies.levels import Levels

# By name; each has ``fit(evidence, masks)`` and ``score(evidence)``, a logit that is above 0 on the target. ``network``
# is given no map, so that it is what the network says and no more, from some masks on.
POLICIES = {"levels": Levels, "area": Area, "fusion": Fusion, "network": Levels}
# What needs the fixation table, and what needs masks: so many.
NEED_GAZE, NEED_MASKS = ("area", "fusion"), {"fusion": FEWEST, "network": 1}

__all__ = ["NEED_GAZE", "NEED_MASKS", "POLICIES", "Evidence", "read_evidence"]
