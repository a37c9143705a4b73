"""The fixation table: one row a fixation, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

IMAGE = "IMAGE"
X, Y = "CURRENT_FIX_X", "CURRENT_FIX_Y"
DURATION = "CURRENT_FIX_DURATION"
NEEDED_COLUMNS = (IMAGE, X, Y, DURATION)


@dataclass(frozen=True)
class Fixations:
    """The fixations on one image, in the order of the table.

    Attributes:
        xy: (N,2) float64 in 0..1; x from the left, y from the top.
        duration_ms: (N,) float64.
    """

    xy: np.ndarray
    duration_ms: np.ndarray


def read_fixations(path: str | Path) -> dict[str, Fixations]:
    """Read a fixation table.

    Args:
        path: CSV with the columns of ``NEEDED_COLUMNS``; others are ignored.

    Returns:
        Fixations by image id, the file name in the table without its ending (the prostate table says
        ``.jpg`` where the slices are ``.dcm``), in the order of first appearance.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table, a value is out of range, with file, row and value (rows count from
            1 at the header, as spreadsheets do), or two images differ in their ending only.
    """
    path = Path(path)
    table = _read_table(path)
    for column, low, high in ((X, 0, 1), (Y, 0, 1), (DURATION, 0, np.inf)):
        table[column] = _numbers_in_range(path, table[column], low, high)
    stems = table[IMAGE].map(lambda name: Path(name).stem)
    _check_stems(path, table[IMAGE], stems)
    return {
        str(stem): Fixations(rows[[X, Y]].to_numpy(np.float64), rows[DURATION].to_numpy(np.float64))
        for stem, rows in table.groupby(stems, sort=False)
    }


def _read_table(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a fixation table (CSV), found none")
    try:
        # As text, so that an image named 007 stays one.
        table = pd.read_csv(path, dtype={IMAGE: str})
    except (ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{path}: expected a fixation table (CSV), found something else ({reason})") from error
    missing = [column for column in NEEDED_COLUMNS if column not in table]
    if missing:
        raise ValueError(
            f"{path}: expected the columns {', '.join(NEEDED_COLUMNS)}, found no {', '.join(missing)}; "
            f"the file has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise ValueError(f"{path}: expected one row a fixation, found none")
    unnamed = table[IMAGE].isna()
    if unnamed.any():
        raise ValueError(f"{path}, row {_row(unnamed)}: expected an image name in {IMAGE}, found nothing")
    return table


def _numbers_in_range(path: Path, column: pd.Series, low: float, high: float) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = ~(np.isfinite(numbers) & (numbers >= low) & (numbers <= high))
    if wrong.any():
        expected = f"a number in {low}..{high}" if np.isfinite(high) else f"a number of at least {low}"
        raise ValueError(
            f"{path}, row {_row(wrong)}: expected {expected} in {column.name}, "
            f"found {str(column[wrong].iloc[0])!r}; {int(wrong.sum())} rows are wrong"
        )
    return numbers


def _check_stems(path: Path, names: pd.Series, stems: pd.Series) -> None:
    """Two images of one id would share one heatmap."""
    variants = names.groupby(stems).unique()
    twice = variants[variants.map(len) > 1]
    if len(twice):
        raise ValueError(
            f"{path}: expected one image name an id, found {' and '.join(twice.iloc[0])}; "
            f"{len(twice)} ids have several; rename one image of each"
        )


def _row(wrong: pd.Series) -> int:
    """The row of the first wrong value; the header is row 1."""
    return int(np.flatnonzero(wrong)[0]) + 2
