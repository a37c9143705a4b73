"""What a report shows of a data set's cases, whoever predicted them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from datasets import SegmentationDataset, io
from datasets.gaze.fixations import Fixations, read_fixations
from utils.evaluation import Case, Row
from utils.report import ReportCase, ReportWriter
from utils.results import metrics_of
from utils.visualize import displayable

REPORT_FILE = "report.html"


class CasePictures:
    """Image, patient and fixations of cases.

    Args:
        dataset: of the cases.
        fixations: a fixation table; None for none. Images that it does not have are shown without.
    """

    def __init__(self, dataset: SegmentationDataset, fixations: str | Path | None = None):
        self.dataset = dataset
        self.fixations: Mapping[str, Fixations] = read_fixations(fixations) if fixations else {}

    def case(self, name: str, **known) -> ReportCase:
        """A case with its picture; ``known`` are further fields of ``ReportCase``."""
        gaze = self.fixations.get(name)
        return ReportCase(
            name,
            picture_of(self.dataset.path("images", name)),
            group=self.dataset.spec.case_of(name),
            fixations=(gaze.xy, gaze.duration_ms) if gaze else None,
            **known,
        )


class ReportCases:
    """Adds every case that is scored to a report; to be called by ``utils.evaluation.evaluate``."""

    def __init__(self, report: ReportWriter, pictures: CasePictures, run: str):
        self.report, self.pictures, self.run = report, pictures, run

    def __call__(self, case: Case) -> None:
        """Add one case."""
        known = {"rows": levels_of(case.rows), "predictions": case.masks[0], "probabilities": case.probabilities}
        of_run = {key: {self.run: value} for key, value in known.items()}
        self.report.add(self.pictures.case(case.name, truth=case.label, **of_run))


def picture_of(path: Path) -> np.ndarray:
    """An image file to look at, (H,W,3) uint8; deeper ones from their darkest to their brightest value."""
    image = io.read_image(path)
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return image
    return displayable(image.transpose(2, 0, 1))


def levels_of(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The rows of one case by level, metrics only."""
    metrics = metrics_of(rows)
    return {row["level"]: {metric: row[metric] for metric in metrics if metric in row} for row in rows}
