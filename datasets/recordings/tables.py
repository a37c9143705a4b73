"""Reading of tables as trackers' software exports them: any usual encoding, separator and decimal mark."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import warnings
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from utils.inputs import read_input, refuse_binary
from utils.table import Table

MISSING = ("", ".", "-", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "-nan(ind)", "null", "(null)", "none", "undefined")
MS_PER_UNIT = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
UNIT_NAMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("usec", "µs", "μs", "micros", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("nsec", "nanos", "nanosecond", "nanoseconds"), "ns"),
}
UNIT_AT_END = re.compile(rf"_(?:in_)?({'|'.join([*MS_PER_UNIT, *UNIT_NAMES])}|px)$")
BLANKS = re.compile(r"\s*")
EYELINK_EDF = (b"SR_RESEARCH", "an EyeLink .edf file", "convert it with SR Research's edf2asc")


def read_text(path: Path, what: str = "an eye-tracker recording") -> str:
    """The text of a file: UTF-8 or UTF-16 with a byte order mark, else UTF-8, else Windows' Western European.

    Raises:
        OSError: if there is no such file, or it is a folder, say.
        ValueError: if it is empty or not text.
    """
    content = read_input(path)
    refuse_binary(path, content, what, (EYELINK_EDF,))
    with_mark = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if with_mark else "utf-8-sig")
    except UnicodeDecodeError:
        if with_mark:
            raise ValueError(f"{path}: expected UTF-16 as its first bytes say, found a damaged file") from None
        text = content.decode("cp1252", errors="replace")
    # Windows software may double a carriage return.
    text = re.sub("\r+\n|\r", "\n", text) if "\r" in text else text
    if not text.strip():
        raise ValueError(f"{path}: expected {what}, found an empty file")
    if "\0" in text:
        raise ValueError(f"{path}: expected {what} as text, found a binary file")
    return text


@dataclass(frozen=True)
class TrackerTable(Table):
    """A table of text whose columns are found by trackers' names of them.

    Attributes:
        preamble: what stands above the header.
        cut_end: whether the last row was cut short and is not here.
    """

    preamble: str = ""
    cut_end: bool = False

    def select(self, keep: np.ndarray) -> TrackerTable:
        """The rows to ``keep`` (N,) bool."""
        return replace(self, frame=self.frame[keep])

    def column(self, *names: str, units: tuple[str | None, ...] | None = (None,)) -> str | None:
        """The first column called one of ``names``, in one of the units (None among them: no unit; None: any);
        ValueError if there are two of that name and unit that differ.
        """
        for name in names:
            for column in self.frame.columns:
                if plain_name(column) == plain_name(name) and (units is None or unit_of(column) in units):
                    self._check_one(column)
                    return column
        return None

    def _check_one(self, column: str) -> None:
        name = (plain_name(column), unit_of(column))
        for other in self.frame.columns:
            # As pandas calls the second of two, or one that differs in case and punctuation.
            if other == f"{column}.1" or other != column and (plain_name(other), unit_of(other)) == name:
                if not self.frame[other].equals(self.frame[column]):
                    raise ValueError(
                        f"{self.path}: expected one column {column!r}, found two ({column!r} and {other!r}); rename one"
                    )

    def text(self, column: str | None) -> np.ndarray:
        """The column without surrounding blanks, empty where it is missing; empty texts if there is no such column."""
        if column is None:
            return np.full(len(self.frame), "", dtype=object)
        text = self.frame[column].str.strip()
        return text.mask(text.str.lower().isin(MISSING), "").to_numpy(dtype=object)

    def words(self, column: str | None) -> np.ndarray:
        """``text`` in lower case."""
        return np.char.lower(self.text(column).astype(str)).astype(object)

    def numbers(self, column: str | None, needed: str = "") -> np.ndarray:
        """The column as float64, NaN where it is missing; a decimal comma is read as a point, unless it may part
        thousands. ValueError for that, for a text that is no finite number, and where one that is needed is missing.
        """
        if column is None:
            return np.full(len(self.frame), np.nan)
        text = self.frame[column].str.strip()
        missing = text.str.lower().isin(MISSING).to_numpy()
        values = pd.to_numeric(text.str.replace(",", ".", regex=False), errors="coerce").to_numpy(np.float64)
        wrong = ~missing & ~np.isfinite(values)
        if wrong.any():
            self.refuse(wrong, column, "a number", "write one, or nothing where it is missing")
        comma = text.str.contains(",", regex=False).to_numpy()
        if comma.any() and not comma[~missing].all() and text[comma].str.fullmatch(r"[-+]?[1-9]\d{0,2},\d{3}").all():
            advice = "export numbers with a decimal point and nothing between thousands"
            self.refuse(comma, column, "a number without a comma, which may part thousands or decimals,", advice)
        if needed and missing.any():
            self.refuse(missing, column, needed)
        return np.where(missing, np.nan, values)


@lru_cache(maxsize=4096)
def plain_name(column: str) -> str:
    """A column's name for comparison: without unit, case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", UNIT_AT_END.sub("", re.sub(r"[\[(].*$", "", column.strip().lower())))


@lru_cache(maxsize=4096)
def unit_of(column: str) -> str | None:
    """Unit at the end of a column's name, in brackets or after an underscore: us in ``time [μs]``."""
    found = re.search(r"[\[(](?:in )?([^\])]*)[\])]?\s*$", column) or UNIT_AT_END.search(column.lower())
    unit = found[1].replace(" ", "").lower() if found else None
    return UNIT_NAMES.get(unit, unit)


def header_names(line: str) -> set[str]:
    """The plain names of a header row, with and without their units (``time [ns]``: time and time[ns])."""
    names = [name.strip().strip("\"'") for name in re.split("[\t;,]", line)]
    return {plain_name(name) for name in names} | {f"{plain_name(name)}[{unit_of(name)}]" for name in names}


def read_table(path: Path, text: str, *, first: int = 0, ragged: bool = False, cut_end: bool = False) -> TrackerTable:
    """A table with a header row, separated by tab, semicolon or comma; tuples in cells become ``NAME_x``, ``NAME_y``.

    Args:
        path, text: the file, whose name is for messages.
        first: the line of the header, from 0.
        ragged: whether fields may be missing or too many: those of other kinds of rows are named as in the header.
        cut_end: whether a last row that is cut short may be left out, which ``cut_end`` of the table says.

    Raises:
        ValueError: if it is none, or its last row is cut short.
    """
    *preamble, text = text.split("\n", first)
    header = text.split("\n", 1)[0]
    separator = max("\t;,", key=header.count)
    if separator not in header:
        raise ValueError(f"{path}: expected a header row with several columns, found {header.strip()[:60]!r}")
    was_cut = not ragged and _is_cut(path, text, separator, cut_end)
    text = text.rstrip("\n").rpartition("\n")[0] if was_cut else text
    if ragged:
        names, *rows = (line.replace('"', "").split(separator) for line in text.split("\n"))
        rows = [(row + [""] * len(names))[: len(names)] for row in rows]
        frame = pd.DataFrame(rows, columns=names, dtype=str)
    else:
        frame = _frame(path, text, separator)
    frame = frame.rename(columns=lambda name: str(name).strip())
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{path}: expected different names of columns, found {twice!r} twice; rename one")
    frame = _unfolded(frame.fillna(""))
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise ValueError(f"{path}: expected rows under the header, found none")
    # The header's row counts too.
    return TrackerTable(path, _without_tuples(frame.set_axis(frame.index + first + 2)), "\n".join(preamble), was_cut)


def _frame(path: Path, text: str, separator: str) -> pd.DataFrame:
    how = {"sep": separator, "keep_default_na": False, "skip_blank_lines": False, "low_memory": False}
    try:
        with warnings.catch_warnings():
            # Of fields beyond the header's, which are lost. Objects may be empty there, as where a separator ends
            # every row.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(io.StringIO(text), dtype=object, index_col=False, **how).astype(str)
    except pd.errors.ParserWarning:
        raise ValueError(
            f"{path}: expected as many fields in a row as in the header, found more; if the rows have names or "
            "numbers without a header, give them one"
        ) from None
    except (ValueError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: expected a table, found something else ({reason})") from None


def _without_tuples(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the parts of cells ``(x, y)`` or ``(x, y, z)`` as columns."""
    for column in frame.columns:
        texts = frame[column][frame[column] != ""]
        if len(texts) and re.match(r"[(\[]\s*[-+.\w]+\s*,", texts.iloc[0]):
            parts = frame[column].str.strip("()[] ").str.split(",", expand=True).fillna("")
            for axis, part in zip("xyz", parts, strict=False):
                if f"{column}_{axis}" not in frame:
                    frame = frame.assign(**{f"{column}_{axis}": parts[part].str.strip()})
    return frame


def _unfolded(frame: pd.DataFrame) -> pd.DataFrame:
    """Unfold scanpaths in cells, a list of records or lists of equal length, into a row an element.

    Lists that all have two or three elements are coordinates.
    """
    columns = [column for column in frame if len(frame) and _list_of(frame[column].iloc[0]) is not None]
    lists = {column: cells for column in columns if (cells := frame[column].map(_list_of)).notna().all()}
    alike: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for column, cells in lists.items():
        alike[tuple(map(len, cells))].append(column)
    nested = [column for column, cells in lists.items() if all(isinstance(one, dict) for cell in cells for one in cell)]
    several = [names for lengths, names in alike.items() if len(names) > 1 and not {*lengths} <= {2, 3}]
    columns = nested if len(nested) == 1 else max(several, key=len, default=[])
    if not columns:
        return frame
    rows = frame.assign(**lists).explode(columns).dropna(subset=columns, how="all")
    if columns == nested:
        inner = pd.DataFrame([*rows.pop(nested[0])], rows.index, dtype=object)
        rows = pd.concat([rows.drop(columns=inner.columns, errors="ignore"), inner], axis=1)
    return rows.map(_as_text)


def _list_of(text: str) -> list | None:
    try:
        return json.loads(text) if text.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        return None


def json_documents(where: Path | str, text: str, expected: str) -> list:
    """Decode JSON text of one value or several in a row, as JSON Lines; blanks give none. ValueError for text that is
    no JSON, or nested too deeply.
    """
    found, at = [], 0
    try:
        while (at := BLANKS.match(text, at).end()) < len(text):
            one, at = json.JSONDecoder().raw_decode(text, at)
            found.append(one)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: expected {expected}, found {error}; is the file whole?") from None
    return found


def read_records(path: Path, text: str) -> TrackerTable:
    """A JSON list of records as a table; lists in lists, or several one after the other, are one list.

    A record may hold a scanpath (``_unfolded``). What is no text or number stays JSON.

    Raises:
        ValueError: if it is none.
    """
    expected, records = "a JSON list of records", []
    for found in json_documents(path, text, expected):
        found = found.get("trials", found.get("data", found)) if isinstance(found, dict) else found
        for part in found if isinstance(found, list) and found and isinstance(found[0], list) else [found]:
            records += part if isinstance(part, list) else [part]
    if not records or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"{path}: expected {expected}, found {str(records)[:80]}")
    frame = pd.DataFrame(records, range(2, len(records) + 2), dtype=object)
    return TrackerTable(path, _unfolded(frame.map(_as_text).astype(str)))


def _as_text(value) -> str:
    if value is None or value != value:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _is_cut(path: Path, text: str, separator: str, allowed: bool) -> bool:
    """Whether the last row has too few fields, which pandas would take for empty; ValueError if that is not allowed."""
    header, last = text.split("\n", 1)[0], text.rstrip("\n").rpartition("\n")[2]
    expected, found = header.count(separator) + 1, last.count(separator) + 1
    if found >= expected or '"' in header + last or not last.strip():
        return False
    if not allowed:
        raise ValueError(
            f"{path}, last row: expected {expected} fields, found {found}; the file was cut short: export it again, or "
            "remove that row if nothing else is missing"
        )
    return True
