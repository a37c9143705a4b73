"""The folder of results: its files, the images and settings they were made from, and its tables.

Safe to stop at any moment: files are written atomically, an image is finished once it is in the journal, and the table
is written from the journal at the end.
"""

import contextlib
import csv
import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from datasets.dicom import is_dicom
from inference.folder.images import FOLDERS, JOURNAL_FILE, KINDS, FoundImage
from inference.folder.journal import Journal
from utils.files import read_json, replacing, write_json
from utils.inputs import sha256_of

SETTINGS_FILE, TABLE_FILE, ERRORS_FILE = "settings.json", "predictions.csv", "errors.csv"
COMMAND = "predict"
# Settings on which masks depend; the others are for information.
DECISIVE = ("ckpt_path", "ensemble", "tta", "spatial_size", "threshold", "spacing_mm")
COLUMNS = (
    "name",
    "file",
    "height_px",
    "width_px",
    "area_px",
    "area_mm2",
    "area_share",
    "num_components",
    "largest_component_px",
    "confidence",
)


class Results:
    """The results in a folder; made by ``open_results``."""

    def __init__(self, folder: Path, journal: Journal):
        self.folder, self.journal = folder, journal

    def path_of(self, kind: str, name: str) -> Path:
        """Path of a result; ``kind`` is one of ``KINDS``. ValueError for a name that leads out of the folder."""
        # Names may come from a journal, which is untrusted.
        if not name or os.path.isabs(name) or not set(name.split("/")).isdisjoint(("", ".", "..")):
            raise ValueError(
                f"{self.folder}: expected names of images in {JOURNAL_FILE}, found {name!r}, which leads elsewhere"
            )
        place, ending = KINDS[kind]
        return self.folder / place / f"{name}{ending}"

    def compared(self, images: Sequence[FoundImage], kinds: Iterable[str]) -> list[FoundImage]:
        """Set ``finished_from`` of the images whose results of all ``kinds`` are there.

        The tables are removed, since the work that follows outdates them.

        Raises:
            ValueError: for an image whose name has results of another file; the tables stay.
        """
        compared = [image._replace(finished_from=self._finished_from(image, set(kinds))) for image in images]
        self.remove_tables()
        return compared

    def _finished_from(self, image: FoundImage, kinds: set[str]) -> str | None:
        if image.name not in self.journal:
            return None
        record, source = self.journal[image.name], str(image.path.absolute())
        if record.get("source") != source:
            if _sha256_if_any(image.path) != record.get("sha256"):
                raise ValueError(
                    f"{image.path}: expected no results of the name {image.name!r} in {self.folder}, found those of "
                    f"{record.get('source')}; choose another --out, or --overwrite to begin anew"
                )
            # The file was moved.
            self.journal.add(image.name, record | {"file": str(image.path), "source": source})
        needed = kinds | ({"geometry"} if is_dicom(image.path) else set())
        return record.get("sha256") if all(self.path_of(kind, image.name).is_file() for kind in needed) else None

    def begin(self, name: str, sha256: str | None) -> None:
        """Prepare writing of an image: remove results of an earlier state of its file, and record its name.

        Raises:
            ValueError: where files of other origin have the name, such as a mask that was drawn by hand.
        """
        if name not in self.journal.mentioned:
            there = next(filter(os.path.lexists, (self.path_of(kind, name) for kind in KINDS)), None)
            if there:
                raise ValueError(f"{there}: expected nothing of this name, found a file of other origin; move it away")
        if name not in self.journal or self.journal[name].get("sha256") != sha256:
            self.remove_files(name)
            self.journal.remove(name)

    def forget(self, name: str) -> None:
        """Remove the results of a name, and the name: later files of the name are of other origin."""
        if name in self.journal.mentioned:
            self.remove_files(name)
            self.journal.remove(name, forget=True)

    def remove_files(self, name: str) -> None:
        for kind in KINDS:
            try:
                self.path_of(kind, name).unlink(missing_ok=True)
            except OSError as error:
                # Names just short enough for .png are too long for .json: there is no such file.
                if error.errno != errno.ENAMETOOLONG:
                    raise

    def remove_tables(self) -> None:
        for name in (TABLE_FILE, ERRORS_FILE):
            (self.folder / name).unlink(missing_ok=True)

    def write_tables(self, refused: Sequence[tuple[str, str]]) -> None:
        """Write the table of all results in the folder, and that of the files refused now, if there are any."""
        records = (self.journal[name] for name in self.journal.names)
        rows = ([_cell(column, record.get(column)) for column in COLUMNS] for record in records)
        _write_csv(self.folder / TABLE_FILE, COLUMNS, rows)
        if refused:
            _write_csv(self.folder / ERRORS_FILE, ("file", "reason"), refused)


@contextlib.contextmanager
def open_results(folder: Path, settings: Mapping, *, overwrite: bool = False) -> Iterator[Results]:
    """Open or make a folder of results, in which no other process may write.

    If there are no results at the end, the folder's files are removed again.

    Args:
        settings: plain values; those of ``DECISIVE`` must equal those of the results in the folder.
        overwrite: remove the results in the folder first.

    Raises:
        ValueError: for a folder with other settings, or with files of other origin.
        OSError: if it cannot be written.
    """
    before = _read_settings(folder)
    if not before:
        _check_fresh(folder)
    elif overwrite:
        _remove_results(folder)
    else:
        _check_same(folder, before, settings)
    write_json(folder / SETTINGS_FILE, settings)
    with contextlib.closing(Journal(folder / JOURNAL_FILE)) as journal:
        results = Results(folder, journal)
        for name in journal.names:
            if not results.path_of("mask", name).is_file():
                journal.remove(name)
        try:
            yield results
        finally:
            journal.sync()
            if not journal.names:
                _remove_traces(results)


def _read_settings(folder: Path) -> dict:
    path = folder / SETTINGS_FILE
    settings = read_json(path, "the settings of predictions")
    if path.is_file() and settings.get("command") != COMMAND:
        raise ValueError(f"{path}: expected the settings of predictions, found others; choose another --out")
    return settings


def _check_fresh(folder: Path) -> None:
    """Refuse a folder with files of other origin, or with images, beside which masks would be taken for the truth."""
    if (folder / "images").is_dir():
        raise ValueError(
            f"{folder}: expected a folder without images/, whose truth predictions in masks/ would be taken for, found "
            "one; choose another --out"
        )
    for name in (*FOLDERS, JOURNAL_FILE, TABLE_FILE, ERRORS_FILE):
        path = folder / name
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise ValueError(
                f"{path}: expected nothing of this name, or the {SETTINGS_FILE} of earlier predictions beside it, "
                "found files of other origin; choose another --out"
            )


def _check_same(folder: Path, before: Mapping, now: Mapping) -> None:
    for key in DECISIVE:
        old, new = (_comparable(settings.get(key)) for settings in (before, now))
        if old != new:
            files = [item.get("file") for item in before[key]] if key == "ckpt_path" else ()
            made_by = f" (of {', '.join(map(str, files))})" if files else ""
            raise ValueError(
                f"{folder}: expected --{key} {old}{made_by}, as its predictions were made with, found {new}; choose "
                "another --out, or --overwrite to remove them and begin anew"
            )


def _comparable(value) -> str:
    """A value as text for comparison and messages; checkpoints, which may have moved, by their hashes."""
    if isinstance(value, dict):
        return f"sha256:{value.get('sha256')}"
    return ",".join(map(_comparable, value)) if isinstance(value, list | tuple) else str(value)


def _remove_results(folder: Path) -> None:
    """Remove all results but the settings: until they are replaced, they mark the rest as ours."""
    with contextlib.closing(Journal(folder / JOURNAL_FILE)) as journal:
        results = Results(folder, journal)
        results.remove_tables()
        for name in journal.mentioned:
            results.remove_files(name)
    journal.path.unlink()


def _remove_traces(results: Results) -> None:
    folders = [results.folder / name for name in FOLDERS]
    for place in (place for folder in folders for place, *_ in os.walk(folder, topdown=False)):
        # Not empty: it has files of others.
        with contextlib.suppress(OSError):
            os.rmdir(place)
    # Otherwise a stop left an unfinished image, which a later call would take for another's without the settings. They
    # are removed last, as a journal without them would be, too.
    if not any(folder.exists() for folder in folders):
        results.remove_tables()
        for name in (JOURNAL_FILE, SETTINGS_FILE):
            (results.folder / name).unlink(missing_ok=True)


def _sha256_if_any(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _cell(column: str, value):
    if not isinstance(value, float):
        return "" if value is None else value
    # Significant digits: areas of micrometre pixels and shares of large images are tiny.
    return float(f"{value:.{9 if column == 'area_mm2' else 6}g}")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    with replacing(path) as temporary:
        # Names that are no UTF-8 are written as \udc80 and the like.
        with open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
            plain = csv.writer(file, lineterminator="\n")
            quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            plain.writerow(columns)
            for row in rows:
                # Readers take a bare carriage return for the end of a line, which Python 3.11 does not quote.
                (quoting if any("\r" in str(cell) for cell in row) else plain).writerow(row)
