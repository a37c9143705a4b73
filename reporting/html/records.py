"""Records of a report: runs and cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class ReportRun:
    """A run: a checkpoint that was evaluated, or one side of a comparison.

    Attributes:
        name: unique in a report; the key of ``ReportCase.rows``, ``predictions`` and ``probabilities``.
        what: one line about it.
        metrics: of each level ("ensemble", "1", ...) the ``num_cases``, ``num_undefined``, ``num_one_empty``,
            ``num_cases_mm``, ``<metric>_mean``, ``<metric>_std`` and ``<metric>_ci95`` (low, high) that are known, in
            the metric's own unit.
        facts: pairs to show, as ("checkpoint", "run/last.pth").
    """

    name: str
    what: str = ""
    metrics: Mapping[str, Mapping] = field(default_factory=dict)
    facts: Sequence[tuple[str, str]] = ()


@dataclass
class ReportCase:
    """A case with each run's predictions; the page names what is absent.

    Attributes:
        name: unique in a report.
        group: the patient; empty, or equal to the name, where every case is its own.
        rows: of each run, of each level, the metrics by the names of ``per_case.csv``: overlaps in 0..1, distances in
            the unit that ends their name; NaN or absent for no value.
        image: (H,W,3) uint8.
        truth: (H,W) bool; None where there is no label.
        predictions: of each run the mask (H,W) bool.
        probabilities: of each run (1+L,h,w) in 0..1, the ensemble first, of any size.
        fixations: positions (N,2) as x, y in 0..1 and durations (N,) in ms, in order of time; None where there is no
            gaze.
        ignore: (H,W) bool, pixels that were not scored; None where the data set has no such.
    """

    name: str
    image: np.ndarray
    group: str = ""
    rows: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    truth: np.ndarray | None = None
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)
    probabilities: Mapping[str, np.ndarray] = field(default_factory=dict)
    fixations: tuple[np.ndarray, np.ndarray] | None = None
    ignore: np.ndarray | None = None


def check_sizes(case: ReportCase) -> None:
    """Raise ValueError where a mask is of another size than the image."""
    size = case.image.shape[:2]
    masks = {f"prediction of {name!r}": mask for name, mask in case.predictions.items()}
    masks |= {"truth": case.truth, "ignored pixels": case.ignore}
    for what, mask in masks.items():
        if mask is not None and np.shape(mask) != size:
            raise ValueError(
                f"report: case {case.name!r}, {what}: expected the size of the image, {size}, found {np.shape(mask)}; "
                "name the --root that was evaluated"
            )
