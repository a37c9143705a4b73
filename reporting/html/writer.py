"""Cases in, one HTML file out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reporting.html.encoding import encoded_map, encoded_picture, outline, rounded_fixations
from reporting.html.index import runs_and_values, table
from reporting.html.page import data_element, embedded_json, page_around_data
from reporting.html.records import ReportCase, ReportRun, check_case
from utils.files import replacing
from utils.inputs import printable

# Longer sides: of the images in the page, and of the probability maps, which are smooth.
THUMBNAIL_PX, MAP_PX = 400, 160


class ReportWriter:
    """Writes a report. A context manager: left without an error it writes, left with one it writes nothing.

    A case is encoded when it is added, to about 15 kB, and not kept otherwise.

    Args:
        path: of the HTML file.
        title: of the page.
        runs: at least one; their order is the order of colours, and the others are compared with the first.
        comparison: rows of a table that compares runs, made elsewhere; the keys of the rows are the columns. Units
            belong into the keys.
        notes: sentences to be shown below the tables.
        made_by: the program, command or version that made the numbers.

    Raises:
        ValueError: for no run, or two of one name.
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
        names = [run.name for run in runs]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"report: expected at least one run and no two of one name, found {names}")
        self.path, self.num_bytes = Path(path), None
        self._title, self._runs = title, {run.name: run for run in runs}
        self._comparison, self._notes, self._made_by = comparison, notes, made_by
        self._names: dict[str, str] = {}
        self._rows: list[Mapping] = []
        self._media: list[str] = []
        self._num_maps = dict.fromkeys(names, 0)
        self._num_with = dict.fromkeys(("truth", "fixations", "ignore"), 0)

    def __enter__(self) -> ReportWriter:
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None and self.num_bytes is None:
            self.close()

    def add(self, case: ReportCase) -> None:
        """Encode a case.

        Raises:
            ValueError: for a name that was added before, a run that the report does not know, or shapes that do not
                fit together.
        """
        if case.name in self._names:
            raise ValueError(f"report: expected every case once, found {case.name!r} twice")
        check_case(case, list(self._runs))
        self._media.append(embedded_json(self._encoded(case)))
        self._names[case.name] = case.group if case.group != case.name else ""
        self._rows.append({run: {str(k): dict(row) for k, row in levels.items()} for run, levels in case.rows.items()})
        for what in self._num_with:
            self._num_with[what] += getattr(case, what) is not None
        for name, maps in case.probabilities.items():
            self._num_maps[name] = max(self._num_maps[name], len(maps))

    def describe(self, run_name: str, metrics: Mapping[str, Mapping]) -> None:
        """Add the metrics of a run, known only after the last case; KeyError for a run that is not there."""
        self._runs[run_name] = replace(self._runs[run_name], metrics=metrics)

    def close(self) -> int:
        """Write the file, whole or not at all, and return its size in bytes, ``num_bytes`` from then on.

        Raises:
            OSError: if the file cannot be written; an older one stays as it was.
        """
        before, after = page_around_data(printable(self._title))
        with replacing(self.path) as temporary:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                file.write(before)
                file.write(data_element("index", embedded_json(self._index())))
                for number, media in enumerate(self._media):
                    file.write(data_element(f"case-{number}", media))
                file.write(after)
            self.num_bytes = temporary.stat().st_size
        return self.num_bytes

    def _encoded(self, case: ReportCase) -> dict:
        """What a card needs only once it is looked at."""
        height, width = case.image.shape[:2]
        maps = [case.probabilities.get(name, ()) for name in self._runs]
        masks = [case.predictions.get(name) for name in self._runs]
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

    def _index(self) -> dict:
        """What the page needs at once: everything but pictures."""
        return {
            "title": printable(self._title),
            "madeBy": printable(self._made_by),
            "made": datetime.now().strftime("%Y-%m-%d %H:%M"),
            "notes": [printable(note) for note in self._notes],
            "thumbnailPx": THUMBNAIL_PX,
            "comparison": table(self._comparison),
            "numWith": self._num_with,
            "names": [printable(name) for name in self._names],
            "groups": [printable(group) for group in self._names.values()],
            **runs_and_values(list(self._runs.values()), self._rows, self._num_maps),
        }
