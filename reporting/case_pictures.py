"""Cases of a data set for a report: image, fixations and scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.files import sample_image
from datasets.gaze.crf import crf_image
from datasets.gaze.fixations import Fixations, read_fixations
from datasets.specs import DatasetSpec
from evaluation.metrics import MEASURES
from evaluation.per_case import Row
from reporting.html import ReportCase


class CasePictures:
    """Images and fixations of cases.

    Args:
        spec, root: of the data set.
        fixations: a fixation table; None for none. Images that it lacks are shown without.
    """

    def __init__(self, spec: DatasetSpec, root: str | Path, fixations: str | Path | None = None):
        self.spec, self.root = spec, Path(root)
        self.table = fixations
        self.fixations: Mapping[str, Fixations] = read_fixations(fixations) if fixations else {}
        self.num_cases = self.num_without_gaze = 0

    def print_missing_fixations(self) -> None:
        """Print how many of the cases so far have no fixations in the table, if there is one and any have none."""
        if self.table and self.num_without_gaze:
            print(f"{self.num_without_gaze} of {self.num_cases} cases have no fixation in {self.table}")

    def case(self, name: str, **known) -> ReportCase:
        """A case with its picture, grey from its darkest to its brightest; ``known`` are fields of ``ReportCase``."""
        gaze = self.fixations.get(name)
        self.num_cases, self.num_without_gaze = self.num_cases + 1, self.num_without_gaze + (gaze is None)
        return ReportCase(
            name,
            crf_image(sample_image(self.spec, self.root, name)),
            fixations=(gaze.xy, gaze.duration_ms) if gaze else None,
            **known,
        )


def levels_of(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Metrics of one case by level, from its rows."""
    return {row["level"]: {metric: row[metric] for metric in MEASURES if metric in row} for row in rows}
