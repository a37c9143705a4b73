"""Strict reading of CSV: tables of text, with rows numbered as in a spreadsheet."""

from __future__ import annotations

import csv
import functools
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from utils.inputs import SHOWN_LENGTH, read_input, refuse_binary, shown

if TYPE_CHECKING:
    import pandas as pd

OTHER_DELIMITERS = ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars"))


@dataclass(frozen=True)
class Table:
    """A table of text, with methods to refuse values.

    Attributes:
        path: the file.
        frame: (N,C) cells, indexed by row number as in a spreadsheet: 1 is the first row of the file, rows without
            content count, and a quoted field with line breaks lies in one row.
    """

    path: Path
    frame: pd.DataFrame

    def where(self, index: int) -> str:
        """File and row of record ``index``, for a message."""
        return f"{self.path}, row {self.frame.index[index]}"

    def refuse(self, wrong: Sequence[bool], column: str, expected: str, advice: str = "") -> NoReturn:
        """Raise a ValueError about the first of the ``wrong`` (N,) rows, which says how many there are."""
        index, count = int(np.argmax(wrong)), int(np.count_nonzero(wrong))
        raise ValueError(
            f"{self.where(index)}: expected {expected} in {column}, found {shown(self.frame[column].iloc[index])}; "
            f"{count} row{' is' if count == 1 else 's are'} wrong{advice and f'; {advice}'}"
        )


def read_table(path: str | Path, needed: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Read a CSV file with a header.

    UTF-8 with or without mark, any line ends, quoted fields. Spaces around fields and names do not count, nor
    do rows without content, and empty fields beyond the header's last name.

    Args:
        needed: names of columns that must be there.
        optional: names of columns that may be there, once like those.

    Returns:
        All columns of the file, one row or more.

    Raises:
        OSError: if there is no such file or it cannot be read.
        ValueError: if it is no such table, with the row.
    """
    # Imported here: processes that prepare gaze read no table, and save 60 MB each.
    import pandas as pd

    path = Path(path)
    raw = _read_utf8(path)
    _check_delimiter(path, raw, needed)
    records = _records(path, raw)
    header = _header(path, next(records, (1, []))[1], needed, optional)
    rows, cells = [], []
    # Equal cells share their memory: more than half of that of a million rows.
    strip = functools.cache(str.strip)
    for row, fields in records:
        _check_width(path, row, fields, len(header))
        rows.append(row)
        cells += map(strip, fields[: len(header)])
    if not rows:
        raise ValueError(f"{path}: expected rows below the header, found none")
    frame = pd.DataFrame(np.array(cells, dtype=object).reshape(-1, len(header)), index=rows)
    # Columns that are not read may be there twice.
    twice = pd.Index(header).duplicated()
    frame.columns = [f"{name}.{place}" if twice[place] else name for place, name in enumerate(header)]
    return Table(path, frame)


def _read_utf8(path: Path) -> bytes:
    """The bytes of a file that is UTF-8 text; ValueError for another kind of file or other bytes, with the line."""
    raw = read_input(path)
    refuse_binary(path, raw, "a table (CSV)")
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
    """Refuse another delimiter before parsing, which would fail at quotation marks beside it."""
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


def _records(path: Path, raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Row number, as in a spreadsheet, and fields of each row with content; ValueError where it is no CSV."""
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


def _header(path: Path, fields: list[str], needed: Sequence[str], optional: Sequence[str]) -> list[str]:
    """Names of the columns, without empty ones from commas at the end; ValueError where a needed one is missing."""
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


def _check_width(path: Path, row: int, fields: list[str], width: int) -> None:
    """Refuse rows of another width; empty fields at the end are allowed, as spreadsheets write them."""
    if len(fields) < width or any(field.strip() for field in fields[width:]):
        advice = "complete or remove the row" if len(fields) < width else "look for decimal commas, or quote a field"
        raise ValueError(f"{path}, row {row}: expected {width} fields as in the header, found {len(fields)}; {advice}")


def numbers_of(texts: pd.Series) -> np.ndarray:
    """Numbers of texts, (N,) float64: NaN for an empty text, infinity for one that is no finite number."""
    return texts.map({text: _number(text) for text in texts.unique()}).to_numpy(np.float64)


def _number(text: str) -> float:
    # float() also takes 1_000 and digits of other scripts, which spreadsheets do not.
    try:
        number = float(text) if text.isascii() and "_" not in text else np.inf
    except ValueError:
        return np.inf if text else np.nan
    return number if np.isfinite(number) else np.inf
