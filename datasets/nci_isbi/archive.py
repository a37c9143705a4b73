"""Contents of the downloads: the series that metadata.csv lists, and the mask files of each case."""

import csv
import re
from collections.abc import Iterable, Sequence
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
    """Series and mask files by case, any number of each; those of no case under ""."""

    entries: dict[str, list[Entry]]
    masks: dict[str, list[Path]]


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
        for entry in _read_metadata(table, raw):
            # A series that two tables list alike is one series.
            if entry not in entries.setdefault(entry.case, []):
                entries[entry.case].append(entry)
    masks_by_case: dict[str, list[Path]] = {}
    for path in masks:
        masks_by_case.setdefault(_case_of(path, entries), []).append(path)
    return Archive(dict(sorted(entries.items())), masks_by_case)


def choose_mask(case: str, paths: Sequence[Path]) -> tuple[Path, str]:
    """Choose the mask file of a case; with it, a note on the choice, "" where there is one file.

    A file named as corrected supersedes the others; the rest must be one file, or copies of one, else ValueError.
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


def _read_metadata(table: Path, raw: Path) -> list[Entry]:
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


def _entry(row: dict, where: str, base: Path, raw: Path) -> Entry:
    location, count, subject = ((row.get(name) or "").strip() for name in (LOCATION, COUNT, SUBJECT))
    # Spreadsheets and data frames turn whole numbers into 19.0.
    count = re.sub(r"\.0*$", "", count)
    if not location:
        raise ValueError(f"{where}: expected a {LOCATION}, found none")
    if not count.isdecimal() or int(count) == 0:
        raise ValueError(f"{where}: expected {COUNT} above 0, found {count!r}")
    location = location.replace("\\", "/")
    try:
        # Spelt from raw; symbolic links count as what they point to.
        folder = raw / (base / location).resolve().relative_to(raw.resolve())
    except (ValueError, OSError, RuntimeError) as error:
        raise ValueError(
            f"{where}: expected a {LOCATION} inside {raw}, found {location!r}, which leaves it; "
            "nothing is read from such a table"
        ) from error
    case = subject or next((part for part in reversed(folder.parts) if ARCHIVE_CASE.fullmatch(part)), "")
    if case and not SAFE_CASE.fullmatch(case):
        raise ValueError(f"{where}: expected a {SUBJECT} of letters, digits and -_. alone, found {case!r}")
    return Entry(case, folder, int(count))


def _case_of(mask: Path, cases: Iterable[str]) -> str:
    """The case of a mask file, "" for none.

    ``<case>.nrrd`` and ``<case>_anything.nrrd`` belong to a case (also after ``-``, ``.`` or a space); a name
    that goes on with a letter or digit is another case's, as -00010 is not -0001. The longest case wins.
    """
    fitting = [
        case
        for case in cases
        if case and mask.stem.startswith(case) and mask.stem[len(case) : len(case) + 1] in ("", "_", "-", ".", " ")
    ]
    return max(fitting, key=len, default="")
