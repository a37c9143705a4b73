"""What the exports of Pupil Player and Pupil Cloud have in common: neither says which image was shown when."""

from __future__ import annotations

import numpy as np
import pandas as pd

from datasets.gaze.recordings.recording import BOTH, Rect, check_times
from datasets.gaze.recordings.tables import Table

UNIT_SQUARE = Rect(0, 0, 1, 1)


def needed(table: Table, *names: str, units: tuple[str | None, ...] = (None,)) -> str:
    """The column of one of these names; ValueError if there is none."""
    column = table.column(*names, units=units)
    if column is None:
        raise ValueError(f"{table.path}: expected the column {' or '.join(map(repr, names))}, found none")
    return column


def is_false(table: Table, *names: str) -> np.ndarray:
    """Where the column says False; nowhere if there is no such column."""
    return np.char.lower(table.text(table.column(*names)).astype(str)) == "false"


def fixation_table(start, duration, xy, ids, outside) -> pd.DataFrame:
    """One row a fixation; on a surface there is one a video frame, whose positions are averaged."""
    frame = pd.DataFrame({"start_ms": start, "duration_ms": duration, "x": xy[:, 0], "y": xy[:, 1], "id": ids})
    frame.loc[outside, ["x", "y"]] = np.nan
    merged = frame.groupby("id", sort=False).agg({"start_ms": "min", "duration_ms": "max", "x": "mean", "y": "mean"})
    return merged.assign(pupil=np.nan, eye=BOTH).sort_values("start_ms", kind="stable").reset_index(drop=True)


def sample_table(table: Table, time: np.ndarray, xy: np.ndarray, outside: np.ndarray) -> pd.DataFrame:
    """Samples in order of time; those outside the surface, or not trusted, are missing."""
    check_times(time, table.where)
    x, y = np.where(outside[:, None], np.nan, xy).T
    return pd.DataFrame({"time_ms": time, "x": x, "y": y, "pupil": np.nan, "eye": BOTH})
