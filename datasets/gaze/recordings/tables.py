"""Text files as trackers' software exports them: any usual encoding, separator and decimal mark."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.inputs import read_input

MISSING = ("", ".", "-", "na", "n/a", "nan", "null", "none")
MS_PER_UNIT = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
UNIT_NAMES = {"sec": "s", "secs": "s", "seconds": "s", "µs": "us", "μs": "us", "msec": "ms"}
# Sampling rates that exist; the ranges of the mean step that they allow do not overlap between units.
RATES_HZ = (7, 4000)
# From the start of a fixation to that of the next, in durations: a saccade, or a blink, lies between.
STEPS_PER_FIXATION = (0.9, 30)
BINARY_KINDS = (
    (b"SR_RESEARCH", "an EyeLink .edf file: convert it with SR Research's edf2asc"),
    (b"PK\x03\x04", "a zip or Excel file: unpack it, or export as text (.tsv, .csv)"),
    (b"\x1f\x8b", "a gzip file: unpack it"),
    (b"\x89HDF", "an HDF5 file: export as text (.csv)"),
)


def read_text(path: Path) -> str:
    """The text of a file: UTF-8 or UTF-16 with a byte order mark, else UTF-8, else Windows' Western European.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is empty or not text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected an eye-tracker recording, found none")
    content = read_input(path)
    for magic, kind in BINARY_KINDS:
        if content.startswith(magic):
            raise ValueError(f"{path}: expected a recording as text, found {kind}")
    text = _decode(path, content)
    if not text.strip():
        raise ValueError(f"{path}: expected an eye-tracker recording, found an empty file")
    if "\0" in text:
        raise ValueError(f"{path}: expected a recording as text, found a binary file")
    return text


def _decode(path: Path, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise ValueError(f"{path}: expected UTF-16 as its first bytes say, found a damaged file") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


@dataclass(frozen=True)
class Table:
    """A table of text; rows count from 1 at the header, as spreadsheets do."""

    path: Path
    frame: pd.DataFrame

    def where(self, index: int) -> str:
        return f"{self.path}, row {int(self.frame.index[index]) + 2}"

    def select(self, keep: np.ndarray) -> Table:
        return Table(self.path, self.frame[keep])

    def column(self, *names: str, units: tuple[str | None, ...] = (None,)) -> str | None:
        """The first column called one of ``names``, in one of the units (in brackets; None: no unit)."""
        known = {(plain_name(column), unit_of(column)): column for column in reversed(self.frame.columns)}
        found = (known.get((plain_name(name), unit)) for name in names for unit in units)
        return next((column for column in found if column is not None), None)

    def text(self, column: str | None) -> np.ndarray:
        """The column without surrounding blanks; empty texts if there is no such column."""
        if column is None:
            return np.full(len(self.frame), "", dtype=object)
        return self.frame[column].str.strip().to_numpy(dtype=object)

    def numbers(self, column: str | None) -> np.ndarray:
        """The column as float64, NaN where it is missing; a decimal comma is read as a point.

        Raises:
            ValueError: for a text that is no finite number, with its row.
        """
        if column is None:
            return np.full(len(self.frame), np.nan)
        text = self.frame[column].str.strip()
        missing = text.str.lower().isin(MISSING).to_numpy()
        values = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce").to_numpy(np.float64)
        wrong = np.flatnonzero(~missing & ~np.isfinite(values))
        if len(wrong):
            found = text.iloc[wrong[0]]
            raise ValueError(f"{self.where(wrong[0])}: expected a number in {column!r}, found {found[:40]!r}")
        return np.where(missing, np.nan, values)

    def complete_numbers(self, column: str, what: str) -> np.ndarray:
        """``numbers`` of a column in which none may be missing; ValueError with the first row that lacks one."""
        values = self.numbers(column)
        if np.isnan(values).any():
            raise ValueError(f"{self.where(int(np.isnan(values).argmax()))}: expected {what} in {column!r}, found none")
        return values

    def durations(self, column: str) -> np.ndarray:
        """``complete_numbers`` of a column of durations; ValueError for a negative one."""
        values = self.complete_numbers(column, "a duration")
        if (values < 0).any():
            row = int((values < 0).argmax())
            raise ValueError(f"{self.where(row)}: expected a duration of at least 0, found {values[row]:g}")
        return values

    def single(self, column: str | None) -> float | None:
        """The one value of a column that is constant where it is given; None if it is not."""
        values = self.numbers(column)
        values = np.unique(values[np.isfinite(values)])
        return float(values[0]) if len(values) == 1 else None


def plain_name(column: str) -> str:
    """A column's name for comparison: without unit, case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"([\[(].*|_(ms|us|ns|s|px|secs?))$", "", column.strip().lower()))


def unit_of(column: str) -> str | None:
    """The unit at the end of a column's name, in brackets or after an underscore: us of ``time [μs]``."""
    found = re.search(r"[\[(](?:in )?([^\])]*)[\])]?\s*$", column) or re.search(
        r"_(ms|us|ns|s|px|secs?)$", column.lower()
    )
    unit = found[1].replace(" ", "").lower() if found else None
    return UNIT_NAMES.get(unit, unit)


def read_table(path: Path, text: str) -> Table:
    """A table with a header row, separated by tab, semicolon or comma.

    Raises:
        ValueError: if it is none, or its last row is cut short.
    """
    header = text.split("\n", 1)[0]
    separator = max("\t;,", key=header.count)
    if separator not in header:
        raise ValueError(f"{path}: expected a header row with several columns, found {header.strip()[:60]!r}")
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=False, low_memory=False
        )
    except (ValueError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: expected a table, found something else ({reason})") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise ValueError(f"{path}: expected as many fields in a row as in the header, found more")
    frame = frame.rename(columns=lambda name: str(name).strip())
    _check_end(path, text, separator, len(frame.columns))
    frame = frame.fillna("")
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise ValueError(f"{path}: expected rows under the header, found none")
    return Table(path, frame)


def _check_end(path: Path, text: str, separator: str, num_columns: int) -> None:
    """A last row with too few fields is a file cut short; pandas would take the rest for empty."""
    last = text.rstrip("\r\n").rsplit("\n", 1)[-1]
    if last.count(separator) + 1 < num_columns and '"' not in last and last.strip():
        raise ValueError(
            f"{path}, last row: expected {num_columns} fields, found {last.count(separator) + 1}; "
            "the file was cut short: export it again"
        )


def ms_per_unit(
    column: str, times: np.ndarray, given: str | None, path: Path, *, durations_ms: np.ndarray | None = None
) -> float:
    """How many milliseconds a unit of a time column has: as given, as its name says, else by the usual step.

    The step is that of samples, or, where ``durations_ms`` are given, from one fixation to the next.
    """
    unit = given or unit_of(column)
    if unit in MS_PER_UNIT:
        return MS_PER_UNIT[unit]
    steps = np.diff(times[np.isfinite(times)])
    steps = steps[steps > 0]
    step = float(np.median(steps)) if len(steps) else np.nan
    low, high = 1e3 / RATES_HZ[1], 1e3 / RATES_HZ[0]
    if durations_ms is not None:
        low, high = float(np.median(durations_ms)) * np.array(STEPS_PER_FIXATION)
    for scale in MS_PER_UNIT.values():
        if low <= step * scale <= high:
            return scale
    raise ValueError(
        f"{path}: expected a time unit in the name of the column {column!r}, found none, and its usual step ({step:g}) "
        f"fits no {'sampling rate' if durations_ms is None else 'duration of a fixation'}; "
        f"give --time_unit {'|'.join(MS_PER_UNIT)}"
    )
