"""A comma-separated text file with a column of labels and columns of numbers, its rows as a spreadsheet counts."""

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np

from utils.inputs import SHOWN_LENGTH, read_input, shown

# How files of other kinds begin that are handed over in place of a CSV, and the way out.
OTHER_KINDS = (
    (b"\x1f\x8b", "a gzip-compressed file", "unpack it first"),
    (b"PK\x03\x04", "an Excel workbook or a ZIP archive", "save it as CSV or unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save it as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
)
OTHER_DELIMITERS = ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"))
# Rows held as text at a time: few, as text takes ten times the memory of the numbers, and above some 700 lists
# at a time Python's garbage collector goes over them again and again.
BLOCK_ROWS = 500


@dataclass(frozen=True)
class Table:
    """A column of labels and some of numbers, for whoever checks their values.

    Attributes:
        path: where it comes from.
        raw: the file, for the text of the few fields that a message shows.
        header: names of all columns of the file.
        rows: (N,) int, the row of each record as spreadsheets count: 1 is the first row of the file, rows
            without content count, and a field with line breaks in quotation marks lies in one row.
        labels: the distinct labels in the order of first appearance.
        label_index: (N,) int, where in ``labels`` each row's is.
        numbers: by name, the columns asked for that are there, (N,) float64, with NaN for an empty field and
            inf for what is no finite number.
    """

    path: Path
    raw: bytes = field(repr=False)
    header: list[str]
    rows: np.ndarray
    labels: list[str]
    label_index: np.ndarray
    numbers: dict[str, np.ndarray]

    def refuse(self, wrong: np.ndarray, column: str, expected: str, advice: str) -> NoReturn:
        """Raise a ValueError about the first of the ``wrong`` (N,) bool rows, which says how many there are."""
        index, count = int(np.argmax(wrong)), int(np.count_nonzero(wrong))
        raise ValueError(
            f"{self.path}, row {self.rows[index]}: expected {expected} in {column}, "
            f"found {shown(self.text(index, column))}; {count} row{' is' if count == 1 else 's are'} wrong; {advice}"
        )

    def text(self, index: int, column: str) -> str:
        """What the file says there."""
        _, fields = next(self.whole_rows({int(self.rows[index])}))
        return fields[self.header.index(column)]

    def whole_rows(self, wanted: Collection[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Row number and all fields, those of other columns too, of the rows with the ``wanted`` numbers."""
        for row, fields in records_of(self.path, self.raw):
            if row in wanted:
                yield row, tuple(text.strip() for text in fields[: len(self.header)])


def read_table(path: str | Path, label: str, needed: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read some columns of a CSV file with a header.

    UTF-8 with or without mark, any line ends, quoted fields. Spaces around fields and names do not count, nor
    do rows without content, and empty fields beyond the header's last name.

    Args:
        label: name of the column of text.
        needed, optional: names of columns of numbers; those of ``needed`` must be there.

    Raises:
        OSError: if there is no such file or it cannot be read.
        ValueError: if it is no such table, with the row.
    """
    path = Path(path)
    raw = read_text(path)
    _check_delimiter(path, raw, (label, *needed))
    records = records_of(path, raw)
    _, names = next(records, (1, []))
    header = header_of(path, names, (label, *needed), optional)
    number_names = [name for name in (*needed, *optional) if name in header]
    label_position, *positions = (header.index(name) for name in (label, *number_names))
    rows, label_index, blocks = [], [], []
    index_of: dict[str, int] = {}
    while block := list(itertools.islice(records, BLOCK_ROWS)):
        for row, fields in block:
            check_width(path, row, fields, len(header))
            rows.append(row)
            label_index.append(index_of.setdefault(fields[label_position].strip(), len(index_of)))
        blocks.append([_numbers([fields[position] for _, fields in block]) for position in positions])
    if not rows:
        raise ValueError(f"{path}: expected rows below the header, found none")
    numbers = dict(zip(number_names, map(np.concatenate, zip(*blocks, strict=True)), strict=True))
    return Table(path, raw, header, np.array(rows), list(index_of), np.array(label_index), numbers)


def read_text(path: Path) -> bytes:
    """The bytes of a file that is UTF-8 text.

    OSError if it cannot be read; ValueError for another kind of file, with the way out, or other bytes, with the line.
    """
    try:
        raw = read_input(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: expected a table (CSV), found none") from error
    for beginning, kind, advice in OTHER_KINDS:
        if raw.startswith(beginning):
            raise ValueError(f"{path}: expected a table (CSV), found {kind}; {advice}")
    if (position := raw.find(b"\0")) >= 0:
        where = f"line {_line(raw, position)}"
        raise ValueError(f"{path}: expected a table (CSV), found a NUL byte in {where}; save the table as UTF-8")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        found = f"the byte 0x{raw[error.start]:02x} in line {_line(raw, error.start)}"
        raise ValueError(f"{path}: expected a table (CSV) in UTF-8, found {found}; save it as UTF-8") from error
    return raw


def _line(raw: bytes, position: int) -> int:
    return len(re.findall(rb"\r\n?|\n", raw[:position])) + 1


def _check_delimiter(path: Path, raw: bytes, needed: Sequence[str]) -> None:
    """Before parsing, which would stumble over quotation marks beside another delimiter."""
    lines = itertools.islice(re.finditer(rb"[^\r\n]+", raw), 2)
    header, first_row, *_ = *(line[0].decode("utf-8-sig") for line in lines), "", ""
    for delimiter, plural in OTHER_DELIMITERS:
        names = {part.strip(" \"'") for part in header.split(delimiter)}
        if len(names.intersection(needed)) > 1:
            decimal_commas = " and decimal commas" if "," in first_row else ""
            raise ValueError(
                f"{path}: expected commas between the columns, found {plural}{decimal_commas}; "
                "save it with commas between columns and points in numbers"
            )


def records_of(path: Path, raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Row number, as spreadsheets count, and fields of each row with content; ValueError where it is no CSV."""
    lines = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", newline="")
    row = 0
    try:
        for row, fields in enumerate(csv.reader(lines, skipinitialspace=True, strict=True), start=1):
            if any(fields):
                yield row, fields
    except csv.Error as error:
        raise ValueError(
            f"{path}, row {row + 1}: expected a table (CSV), found something else ({error}); "
            "look for a stray quotation mark"
        ) from error


def header_of(path: Path, fields: list[str], needed: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The columns' names without empty ones at the end, which a comma there would make; ValueError where one lacks."""
    names = [field.strip() for field in fields]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise ValueError(f"{path}: expected a table (CSV), found an empty file")
    missing = [name for name in needed if name not in names]
    if missing:
        there = ", ".join(name if name.isprintable() else repr(name) for name in names)
        raise ValueError(
            f"{path}: expected the columns {', '.join(needed)}, found no {', '.join(missing)}; "
            f"the file has {there if len(there) <= 20 * SHOWN_LENGTH else shown(there)}"
        )
    for name in (*needed, *optional):
        if (count := names.count(name)) > 1:
            raise ValueError(f"{path}: expected one column {name}, found {count}; remove or rename one")
    return names


def check_width(path: Path, row: int, fields: list[str], width: int) -> None:
    """Empty fields at the end are a spreadsheet's; a field too few may be the end of a file cut off."""
    if len(fields) < width or any(field.strip() for field in fields[width:]):
        advice = "complete or remove the row" if len(fields) < width else "look for decimal commas, or quote a field"
        raise ValueError(f"{path}, row {row}: expected {width} fields as in the header, found {len(fields)}; {advice}")


def _numbers(texts: list[str]) -> np.ndarray:
    """As ``Table.numbers`` has them."""
    if _is_plain("".join(texts)):
        with contextlib.suppress(ValueError):
            numbers = np.array(list(map(float, texts)))
            if np.isfinite(numbers).all():
                return numbers
    return np.array([number_of(text.strip()) for text in texts])


def number_of(text: str) -> float:
    """The number that a field says; NaN for an empty one, infinity for what is no finite number."""
    try:
        number = float(text) if _is_plain(text) else np.inf
    except ValueError:
        return np.inf if text else np.nan
    return number if np.isfinite(number) else np.inf


def _is_plain(text: str) -> bool:
    """Whether ``float`` and spreadsheets agree: 1_000 and the digits of other scripts are numbers to it alone."""
    return text.isascii() and "_" not in text
