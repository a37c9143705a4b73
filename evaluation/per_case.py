"""The per-case table of a results folder, read back and checked: a row a case and level."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.metrics import MEASURES
from utils.inputs import CONTROL_CHARACTERS, read_input

PER_CASE_FILE, SUMMARY_FILE = "per_case.csv", "summary.json"
PREDICTIONS_FOLDER, PROBABILITIES_FOLDER = "predictions", "probabilities"
ENSEMBLE, IGNORED_PX = "ensemble", "ignored_px"
NAME, GROUP, LEVEL = "name", "group", "level"
SHOWN_LENGTH = 60


@dataclass(frozen=True)
class PerCase:
    """A table of cases.

    Attributes:
        path: the file.
        names: the cases, each once, in the order of the file.
        groups: the group (patient) of each case, by name; None where the file has no such column.
        values: by level, by metric, by name; not a number for an empty cell. Every level has every case.
    """

    path: Path
    names: tuple[str, ...]
    groups: dict[str, str] | None
    values: dict[str, dict[str, dict[str, float]]]

    @property
    def levels(self) -> tuple[str, ...]:
        """``ensemble``, ``1``, ..., in the order of the file."""
        return tuple(self.values)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that the file has, in the order of ``MEASURES``."""
        return tuple(next(iter(self.values.values())))


def find_per_case(path: str | Path) -> Path:
    """The per-case table of a results folder, or the file itself.

    Raises:
        FileNotFoundError: if there is none; a sentence that names the other tables in the folder.
    """
    path = Path(path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: expected a results folder or its {PER_CASE_FILE}, found none")
    if (path / PER_CASE_FILE).is_file():
        return path / PER_CASE_FILE
    others = sorted(str(other) for pattern in ("per_case_*.csv", f"*/{PER_CASE_FILE}") for other in path.glob(pattern))
    advice = f"name one of {_listed(others)}" if others else "evaluate first (run.py evaluate)"
    raise FileNotFoundError(f"{path}: expected a results folder with {PER_CASE_FILE}, found none in it; {advice}")


def read_per_case(path: str | Path) -> PerCase:
    """Read a per-case table.

    Args:
        path: CSV (UTF-8) with the columns ``name``, ``level`` and one or more of ``MEASURES``; ``group`` may be there
            and holds in a case's every row. Other columns are passed over.

    Raises:
        OSError: if it cannot be read.
        ValueError: with file, row and column, for what is no such table: a column that is missing or there twice, a
            value that is no number or out of range, a case twice in a level, or a level without a case of the others.
    """
    path = Path(path)
    records = _records(path)
    _, header = next(records, (1, []))
    metrics = _metrics(path, header)
    groups: dict[str, str] = {}
    values: dict[str, dict[str, dict[str, float]]] = {}
    first_row: dict[tuple[str, str], int] = {}
    for row, fields in records:
        if len(fields) != len(header):
            raise ValueError(f"{path}, row {row}: expected {len(header)} fields as in the header, found {len(fields)}")
        cells = dict(zip(header, fields, strict=True))
        name, level = _name(path, row, cells), _text(path, row, cells, LEVEL)
        if (first := first_row.setdefault((name, level), row)) != row:
            raise ValueError(
                f"{path}, row {row}: expected every case once a level, found {shown(name)} of level {shown(level)} in "
                f"row {first} too; remove one"
            )
        _add_group(path, row, groups, cells, name)
        of_level = values.setdefault(level, {metric: {} for metric in metrics})
        for metric in metrics:
            of_level[metric][name] = _value(path, row, metric, cells[metric])
    if not values:
        raise ValueError(f"{path}: expected a row a case below the header, found none")
    names = tuple(dict.fromkeys(name for name, _ in first_row))
    _check_complete(path, names, values, metrics[0])
    return PerCase(path, names, groups or None, values)


def shown(text: str) -> str:
    """A text for a message: on one line, cut if it is long."""
    if len(text) > SHOWN_LENGTH:
        return f"{text[:SHOWN_LENGTH]!r}... ({len(text)} characters)"
    return repr(text) if text else "nothing"


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Row number, as spreadsheets count, and fields of each row with content."""
    try:
        text = read_input(path).decode("utf-8-sig")
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        for row, fields in enumerate(lines, start=1):
            if any(fields):
                yield row, fields
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected a per-case table (CSV in UTF-8), found something else ({error})") from error


def _metrics(path: Path, header: list[str]) -> list[str]:
    for column in (NAME, LEVEL):
        if column not in header:
            found = ", ".join(map(shown, header[:12])) or "an empty file"
            raise ValueError(f"{path}: expected the columns name, level and metrics, found no {column}: {found}")
    for column in header:
        if header.count(column) > 1 and column in (NAME, GROUP, LEVEL, *MEASURES):
            raise ValueError(
                f"{path}: expected one column {column}, found {header.count(column)}; remove or rename one"
            )
    metrics = [metric for metric in MEASURES if metric in header]
    if not metrics:
        raise ValueError(f"{path}: expected one or more of the columns {', '.join(MEASURES)}, found none of them")
    return metrics


def _text(path: Path, row: int, cells: dict[str, str], column: str) -> str:
    text = cells[column]
    if not text.strip() or CONTROL_CHARACTERS.search(text):
        raise ValueError(f"{path}, row {row}: expected a {column} on one line in {column}, found {shown(text)}")
    return text


def _name(path: Path, row: int, cells: dict[str, str]) -> str:
    """A case's id, by which files are looked up."""
    name = _text(path, row, cells, NAME)
    if Path(name).name != name or "\\" in name:
        raise ValueError(f"{path}, row {row}: expected a plain id, without folders, in {NAME}, found {shown(name)}")
    return name


def _add_group(path: Path, row: int, groups: dict[str, str], cells: dict[str, str], name: str) -> None:
    if GROUP not in cells:
        return
    group = _text(path, row, cells, GROUP)
    if (known := groups.setdefault(name, group)) != group:
        raise ValueError(
            f"{path}, row {row}: expected {shown(known)} in {GROUP}, as in an earlier row of {shown(name)}, found "
            f"{shown(group)}"
        )


def _value(path: Path, row: int, metric: str, text: str) -> float:
    if not text.strip():
        return math.nan
    try:
        # To float alone 1_000 and the digits of other scripts are numbers.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    highest = MEASURES[metric].highest
    if not (0 <= value <= highest and math.isfinite(value)):
        expected = "a finite number from 0" if highest == math.inf else f"a number in 0..{highest:g}"
        raise ValueError(f"{path}, row {row}: expected {expected}, or nothing, in {metric}, found {shown(text)}")
    return value


def _check_complete(path: Path, names: Sequence[str], values: dict, metric: str) -> None:
    for level, of_level in values.items():
        missing = [shown(name) for name in names if name not in of_level[metric]]
        if missing:
            raise ValueError(
                f"{path}: expected every case in every level, found no row of level {shown(level)} for "
                f"{len(missing)} of {len(names)} ({_listed(missing)}); evaluate again"
            )


def _listed(texts: Sequence[str], count: int = 5) -> str:
    return ", ".join(texts[:count]) + (", ..." if len(texts) > count else "")
