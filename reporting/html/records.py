"""What a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class ReportRun:
    """A checkpoint that was evaluated, or one side of a comparison.

    Attributes:
        name: unique in a report; the key of ``ReportCase.rows``, ``predictions`` and ``probabilities``.
        what: one line about it.
        metrics: of each level ("ensemble", "1", ...) the ``num_cases``, ``num_undefined``, ``num_one_empty``,
            ``num_cases_mm``, ``<metric>_mean``, ``<metric>_std`` and ``<metric>_ci95`` (low, high) that are known, in
            the metric's own unit.
        facts: pairs to be shown, as ("checkpoint", "run/last.pth").
    """

    name: str
    what: str = ""
    metrics: Mapping[str, Mapping] = field(default_factory=dict)
    facts: Sequence[tuple[str, str]] = ()


@dataclass
class ReportCase:
    """A case with what each run made of it. Whatever is absent is said to be absent.

    Attributes:
        name: unique in a report.
        group: the patient; empty, or equal to the name, where every case is its own.
        rows: of each run, of each level, the metrics by the names of ``per_case.csv``: overlaps in 0..1, distances in
            the unit that ends their name. Not a number, or absent: no value.
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


def check_case(case: ReportCase, run_names: Sequence[str]) -> None:
    """Raise ValueError where a case does not hold together or tells of a run that the report does not know."""
    where = f"report: case {case.name!r}"
    if case.image.ndim != 3 or case.image.shape[2] != 3 or case.image.dtype != np.uint8:
        raise ValueError(f"{where}: expected an image (H,W,3) uint8, found {case.image.shape} {case.image.dtype}")
    size = case.image.shape[:2]
    masks = {f"prediction of {name!r}": mask for name, mask in case.predictions.items()}
    masks |= {"truth": case.truth, "ignored pixels": case.ignore}
    for what, mask in masks.items():
        if mask is not None and np.shape(mask) != size:
            raise ValueError(
                f"{where}, {what}: expected the size of the image, {size}, found {np.shape(mask)}; name the --root "
                "that was evaluated"
            )
    for name, maps in case.probabilities.items():
        if np.ndim(maps) != 3:
            raise ValueError(f"{where}, probabilities of {name!r}: expected (1+L,H,W), found {np.shape(maps)}")
    if case.fixations is not None and np.shape(case.fixations[0]) != (len(case.fixations[1]), 2):
        found = f"{np.shape(case.fixations[0])} and {np.shape(case.fixations[1])}"
        raise ValueError(f"{where}, fixations: expected (N,2) and (N,), found {found}")
    for name in (*case.rows, *case.predictions, *case.probabilities):
        if name not in run_names:
            raise ValueError(f"{where}: expected runs among {', '.join(map(repr, run_names))}, found {name!r}")
