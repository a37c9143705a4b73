"""What lies in the downloads: the series that metadata.csv lists, and the mask files of each case."""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

METADATA_FILE = "metadata.csv"
LOCATION, COUNT, SUBJECT = "File Location", "Number of Images", "Subject ID"
# A case becomes part of file names.
SAFE_CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Neither incorrect nor uncorrected.
CORRECTED = re.compile(r"(?<!in)(?<!un)correct")
ARCHIVE_CASE = re.compile(r"Prostate(?:3T|Dx)-\d+-\d+")


@dataclass(frozen=True)
class Entry:
    """A row of metadata.csv.

    Attributes:
        case: the patient; "" where neither the column Subject ID nor a folder of the location names one.
        folder: of the series, inside the downloads; it may be absent.
        num_images: how many DICOM files the archive delivered.
    """

    case: str
    folder: Path
    num_images: int


@dataclass(frozen=True)
class Archive:
    """Cases with their series and mask files, both possibly several or none; and masks that belong to no case."""

    entries: dict[str, tuple[Entry, ...]]
    masks: dict[str, tuple[Path, ...]]
    masks_of_no_case: tuple[Path, ...]


def read_archive(raw: str | Path) -> Archive:
    """Find every metadata.csv and every ``*.nrrd`` below ``raw``, however deep; images are not opened.

    Raises:
        FileNotFoundError: no such folder, no metadata.csv or no mask in it.
        ValueError: for a table that is not as described, or a File Location that leaves ``raw``.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise FileNotFoundError(f"{raw}: expected the folder of the downloads (--raw), found none")
    files = sorted(path for path in raw.rglob("*") if not path.name.startswith(".") and path.is_file())
    tables = [path for path in files if path.name == METADATA_FILE]
    masks = [path for path in files if path.suffix.lower() == ".nrrd"]
    for found, name in ((tables, METADATA_FILE), (masks, "*.nrrd masks")):
        if not found:
            raise FileNotFoundError(f"{raw}: expected {name} in it or below, found none; unpack both downloads there")
    entries: dict[str, list[Entry]] = {}
    for table in tables:
        for entry in read_metadata(table, raw):
            # A series that two tables list alike is one series.
            if entry not in entries.setdefault(entry.case, []):
                entries[entry.case].append(entry)
    of_case, of_none = assign_masks(masks, entries)
    return Archive({case: tuple(rows) for case, rows in sorted(entries.items())}, of_case, of_none)


def read_metadata(table: Path, raw: Path) -> list[Entry]:
    """The rows of a metadata.csv; locations count from its folder.

    Raises:
        ValueError: for missing columns, a count that is no whole number, a case that is no plain name, or a
            location that leaves ``raw``.
    """
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{table}: expected a table with commas, found {error}; download it again") from error
    missing = [name for name in (LOCATION, COUNT) if name not in columns]
    if missing:
        raise ValueError(f"{table}: expected the columns {LOCATION} and {COUNT}, found no {' and no '.join(missing)}")
    return [_entry(row, f"{table}, line {line}", table.parent, raw) for line, row in rows]


def assign_masks(paths: Iterable[Path], cases: Iterable[str]) -> tuple[dict[str, tuple[Path, ...]], tuple[Path, ...]]:
    """Mask files by case, and those of none.

    ``<case>.nrrd`` and ``<case>_anything.nrrd`` belong to a case (also after ``-``, ``.`` or a space); a name
    that goes on with a letter or digit is another case's, as -00010 is not -0001. The longest case wins.
    """
    longest_first = sorted((case for case in cases if case), key=len, reverse=True)
    of_case: dict[str, list[Path]] = {}
    of_none = []
    for path in paths:
        for case in longest_first:
            if path.stem.startswith(case) and path.stem[len(case) : len(case) + 1] in ("", "_", "-", ".", " "):
                of_case.setdefault(case, []).append(path)
                break
        else:
            of_none.append(path)
    return {case: tuple(found) for case, found in of_case.items()}, tuple(of_none)


def choose_mask(case: str, paths: tuple[Path, ...]) -> tuple[Path, str]:
    """The mask file of a case and a note on the choice, "" where there was none to make.

    A file named as corrected supersedes the others; what is left must be one file, or copies of one.

    Raises:
        ValueError: for no file, or several that differ.
    """
    if not paths:
        raise ValueError(f"{case}: expected a mask {case}*.nrrd, found none")
    corrected = [path for path in paths if CORRECTED.search(path.stem[len(case) :].lower())]
    candidates = corrected or paths
    names = ", ".join(str(path) for path in candidates)
    if len({path.read_bytes() for path in candidates}) > 1:
        raise ValueError(f"{case}: expected one mask, found {len(candidates)} that differ ({names}); keep one")
    if len(paths) == 1:
        return paths[0], ""
    why = "named as the corrected one" if corrected else "their contents are equal"
    return candidates[0], f"{candidates[0].name} taken of {len(paths)} mask files: {why}"


def _entry(row: dict, where: str, base: Path, raw: Path) -> Entry:
    location, count, subject = ((row.get(name) or "").strip() for name in (LOCATION, COUNT, SUBJECT))
    # Spreadsheets and data frames turn whole numbers into 19.0.
    count = re.sub(r"\.0*$", "", count)
    if not location:
        raise ValueError(f"{where}: expected a {LOCATION}, found none")
    if not count.isdecimal() or int(count) == 0:
        raise ValueError(f"{where}: expected {COUNT} above 0, found {count!r}")
    folder = _inside(base, location.replace("\\", "/"), raw, where)
    case = subject or next((part for part in reversed(folder.parts) if ARCHIVE_CASE.fullmatch(part)), "")
    if case and not SAFE_CASE.fullmatch(case):
        raise ValueError(f"{where}: expected a {SUBJECT} of letters, digits and -_. alone, found {case!r}")
    return Entry(case, folder, int(count))


def _inside(base: Path, location: str, raw: Path, where: str) -> Path:
    """The folder of a location, spelt from ``raw``; symbolic links count as what they point to."""
    try:
        relative = (base / location).resolve().relative_to(raw.resolve())
    except (ValueError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{where}: expected a {LOCATION} inside {raw}, found {location!r}, which leaves it; "
            "nothing is read from such a table"
        ) from error
    return raw / relative
