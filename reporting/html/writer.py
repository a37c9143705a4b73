"""Writer of the HTML report: takes runs and cases, writes one file."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from reporting.html.encoding import encoded_map, encoded_picture, outline, rounded_fixations
from reporting.html.index import runs_and_values, table
from reporting.html.page import data_element, page
from reporting.html.records import ReportCase, ReportRun, check_sizes
from utils.files import write_text
from utils.inputs import printable

# Longer sides: of the images in the page, and of the probability maps, which are smooth.
THUMBNAIL_PX, MAP_PX = 400, 160


class ReportWriter:
    """Collects a report, and writes it when it is closed.

    A case is encoded when it is added, to about 15 kB, and only that is kept.

    Args:
        path: of the HTML file.
        title: of the page.
        runs: at least one, in the order of colours; the others are compared with the first.
        comparison: rows of a table that compares runs; the keys of the rows, with units, are the columns.
        notes: sentences below the tables.
        made_by: program, command or version behind the numbers.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        title: str,
        runs: Sequence[ReportRun],
        comparison: Sequence[Mapping[str, object]] | None = None,
        notes: Sequence[str] = (),
        made_by: str = "",
    ):
        self.path, self.runs = Path(path), {run.name: run for run in runs}
        self._head = {
            "title": printable(title),
            "madeBy": printable(made_by),
            "notes": [*map(printable, notes)],
            "comparison": table(comparison),
            "thumbnailPx": THUMBNAIL_PX,
        }
        self._groups: dict[str, str] = {}
        self._rows: list[Mapping] = []
        self._media: list[str] = []
        self._num_maps = dict.fromkeys(self.runs, 0)
        self._num_with = dict.fromkeys(("truth", "fixations", "ignore"), 0)

    def add(self, case: ReportCase) -> None:
        """Encode and add a case with a unique name; ValueError for masks of another size than its image."""
        check_sizes(case)
        self._media.append(data_element(f"case-{len(self._media)}", self._encoded(case)))
        self._groups[case.name] = case.group if case.group != case.name else ""
        self._rows.append(case.rows)
        for what in self._num_with:
            self._num_with[what] += getattr(case, what) is not None
        for name, maps in case.probabilities.items():
            self._num_maps[name] = max(self._num_maps[name], len(maps))

    def close(self) -> int:
        """Write the file atomically; its size in bytes. OSError where it cannot be written."""
        # Everything but pictures, which the page reads on demand.
        index = self._head | {
            "made": datetime.now().strftime("%Y-%m-%d %H:%M"),
            "numWith": self._num_with,
            "names": [*map(printable, self._groups)],
            "groups": [*map(printable, self._groups.values())],
            **runs_and_values(list(self.runs.values()), self._rows, self._num_maps),
        }
        data = "".join([data_element("index", index), *self._media])
        write_text(self.path, page(self._head["title"], data))
        return self.path.stat().st_size

    def _encoded(self, case: ReportCase) -> dict:
        """Pictures of a case, which its card decodes when it is shown."""
        height, width = case.image.shape[:2]
        maps = [case.probabilities.get(name, ()) for name in self.runs]
        masks = [case.predictions.get(name) for name in self.runs]
        return {
            "width": width,
            "height": height,
            "image": encoded_picture(case.image, THUMBNAIL_PX),
            "truth": None if case.truth is None else outline(case.truth),
            "predictions": [None if mask is None else outline(mask) for mask in masks],
            "probabilities": [[encoded_map(level, MAP_PX) for level in levels] for levels in maps],
            "fixations": None if case.fixations is None else rounded_fixations(*case.fixations),
            **({} if case.ignore is None else {"ignore": outline(case.ignore), "ignoredPx": case.ignore.sum()}),
        }
