"""The table of scores, a row a case and level: made, written as ``per_case.csv``, and read back and checked."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.metrics import COUNTS, IGNORED_PX, MEASURES
from utils.files import write_text
from utils.inputs import CONTROL_CHARACTERS, first_few, plain_id, shown
from utils.table import Table, numbers_of, read_table

PER_CASE_FILE, SUMMARY_FILE = "per_case.csv", "summary.json"
PREDICTIONS_FOLDER, PROBABILITIES_FOLDER = "predictions", "probabilities"
ENSEMBLE = "ensemble"
COLUMNS = NAME, GROUP, LEVEL = "name", "group", "level"
Row = dict[str, str | float]


def table_of(rows: Sequence[Row]) -> pd.DataFrame:
    """The table of scores: a row a case and level, as ``evaluation.scores.score_case`` makes them.

    Args:
        rows: with ``name``, ``level``, metrics by name and counts of pixels; ``group`` where cases have one.

    Returns:
        Columns ``name``, ``group`` (the case's own name where it has none), ``level``, all overlaps and those
        distances that any row has, in the order of ``MEASURES``, and the counts that any row has; NaN where there is no
        value.
    """
    found = {key for row in rows for key in row}
    metrics = [name for name, measure in MEASURES.items() if measure.of or name in found]
    columns = [*COLUMNS, *metrics, *(name for name in COUNTS if name in found)]
    return pd.DataFrame([{GROUP: row[NAME], **row} for row in rows], columns=columns)


def metrics_of(table: pd.DataFrame) -> list[str]:
    """The metrics that a table has, in the order of ``MEASURES``."""
    return [name for name in MEASURES if name in table]


def write_per_case(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table of scores as CSV; a metric without a value is an empty cell.

    ``ignored_px`` stands behind the metrics where the table has it; the other counts stay out.
    """
    ignored = [IGNORED_PX] * (IGNORED_PX in table)
    write_text(path, table.to_csv(columns=[*COLUMNS, *metrics_of(table), *ignored], index=False, lineterminator="\n"))


def find_per_case(path: str | Path) -> Path:
    """The per-case table of a results folder, or the file itself.

    Raises:
        FileNotFoundError: if there is none; the message names the other tables in the folder.
    """
    path = Path(path)
    if path.name == SUMMARY_FILE:
        path = path.parent
    if path.is_file():
        if path.suffix.lower() in (".pth", ".pt"):
            raise ValueError(
                f"{path}: expected a results folder or its {PER_CASE_FILE}, found a checkpoint, which run.py evaluate "
                "scores"
            )
        return path
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: expected a results folder or its {PER_CASE_FILE}, found none")
    if (path / PER_CASE_FILE).is_file():
        return path / PER_CASE_FILE
    others = sorted(str(other) for pattern in ("per_case_*.csv", f"*/{PER_CASE_FILE}") for other in path.glob(pattern))
    advice = f"name one of {first_few(others)}" if others else "evaluate first (run.py evaluate)"
    raise FileNotFoundError(f"{path}: expected a results folder with {PER_CASE_FILE}, found none in it; {advice}")


def read_per_case(path: str | Path) -> pd.DataFrame:
    """Read a per-case table.

    Args:
        path: CSV (UTF-8) with the columns ``name``, ``level`` and one or more of ``MEASURES``; ``group`` may be there
            and holds in a case's every row. Other columns are passed over.

    Returns:
        As ``table_of`` returns it, with the columns that the file has, without counts. Every level has every case.

    Raises:
        OSError: if it cannot be read.
        ValueError: with file, row and column, for what is no such table: a column that is missing or there twice, a
            value that is no number or out of range, a case twice in a level, or a level without a case of the others.
    """
    table = read_table(path, (NAME, LEVEL), (GROUP, *MEASURES))
    texts, metrics = table.frame, metrics_of(table.frame)
    if not metrics:
        raise ValueError(f"{path}: expected one or more of the columns {', '.join(MEASURES)}, found none of them")
    keys = [column for column in COLUMNS if column in texts]
    for column in keys:
        # Software on a Mac may write decomposed accents.
        texts[column] = texts[column].map(plain_id)
        one_line = (texts[column] != "") & ~texts[column].str.contains(CONTROL_CHARACTERS)
        _check(table, one_line, column, f"a {column} on one line")
    plain = texts[NAME].map(lambda name: Path(name).name == name and "\\" not in name)
    _check(table, plain, NAME, "a plain id, without folders,")
    _check_once(path, texts)
    if GROUP in texts:
        _check_groups(path, texts)
    scores = texts[keys].copy()
    for metric in metrics:
        scores[metric] = values = numbers_of(texts[metric])
        highest = MEASURES[metric].highest
        expected = "a finite number from 0" if highest == math.inf else f"a number in 0..{highest:g}"
        in_range = (values >= 0) & (values <= highest) & np.isfinite(values)
        _check(table, np.isnan(values) | in_range, metric, f"{expected}, or nothing,")
    _check_complete(path, scores)
    return scores.reset_index(drop=True)


def _check(table: Table, right: Sequence[bool], column: str, expected: str) -> None:
    if not np.all(right):
        table.refuse(~np.asarray(right), column, expected, "evaluate again")


def _check_once(path: Path, texts: pd.DataFrame) -> None:
    for row, (name, level) in texts.loc[texts.duplicated([NAME, LEVEL]), [NAME, LEVEL]].iterrows():
        first = ((texts[NAME] == name) & (texts[LEVEL] == level)).idxmax()
        raise ValueError(
            f"{path}, row {row}: expected every case once a level, found {shown(name)} of level {shown(level)} in row "
            f"{first} too; remove one"
        )


def _check_groups(path: Path, texts: pd.DataFrame) -> None:
    first = texts.groupby(NAME)[GROUP].transform("first")
    for row, (name, group) in texts.loc[texts[GROUP] != first, [NAME, GROUP]].iterrows():
        raise ValueError(
            f"{path}, row {row}: expected {shown(first[row])} in {GROUP}, as in an earlier row of {shown(name)}, found "
            f"{shown(group)}"
        )


def _check_complete(path: Path, table: pd.DataFrame) -> None:
    names = table[NAME].drop_duplicates()
    for level, of_level in table.groupby(LEVEL, sort=False):
        missing = [shown(name) for name in names[~names.isin(of_level[NAME])]]
        if missing:
            raise ValueError(
                f"{path}: expected every case in every level, found no row of level {shown(level)} for "
                f"{len(missing)} of {len(names)} ({first_few(missing)}); evaluate again"
            )


def evenly_spaced(ranked: Sequence[str], count: int) -> list[str]:
    """Names of cases at even ranks, first and last included, so that failures are among the examples shown."""
    return [ranked[index] for index in np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int)]
