"""Exports of Gazepoint Analysis (``all_gaze.csv``, ``fixations.csv``), columns as in the Gazepoint API manual.

Positions are shares of the screen, times seconds. ``FPOG...`` is the tracker's fixation so far, repeated and growing
in every row of ``all_gaze.csv``; ``BPOG...`` is the sample, the mean of both eyes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from datasets.gaze.recordings.recording import BOTH, ReadingSettings, Recording, Rect, Trial, check_times, runs
from datasets.gaze.recordings.tables import Table, read_table

FIXATION = ("FPOGX", "FPOGY", "FPOGS", "FPOGD", "FPOGID")


def looks_like(text: str) -> bool:
    """Whether the header has one of Gazepoint's positions."""
    header = text.split("\n", 1)[0].upper()
    return "TIME" in header and ("FPOGX" in header or "BPOGX" in header)


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read an export; a trial is a stretch of rows of one ``MEDIA_NAME`` (or ``MEDIA_ID``).

    A row of ``fixations.csv`` is written when its fixation ends, so that when the image appeared is not known there.

    Raises:
        ValueError: for a missing column, a value that is no number, or times that run backwards.
    """
    del settings
    table = read_table(path, text)
    # The header has the date of the recording behind TIME.
    time = next((column for column in table.frame.columns if column.upper().startswith("TIME")), None)
    if time is None:
        raise ValueError(f"{path}: expected the column 'TIME', found none")
    if table.column("FPOGX") is None and table.column("BPOGX") is None:
        raise ValueError(f"{path}: expected the columns FPOGX, ... or BPOGX, ..., found neither")
    times = table.complete_numbers(time, "a time") * 1e3
    media = table.text(table.column("MEDIA_NAME", "MEDIA_ID"))
    # Counted by image, as the numbers may start anew with each; one number may stand for several fixations.
    ids = [*zip(table.text(table.column("FPOGID")), table.text(table.column("FPOGS")), strict=True)]
    row_a_fixation = table.column("FPOGID") is not None and all(len({*ids[a:b]}) == b - a for a, b in runs(media))
    trials = []
    for first, last in runs(media):
        keep = np.arange(len(times))
        part, part_times = table.select((keep >= first) & (keep < last)), times[first:last]
        check_times(part_times, part.where)
        step = float(np.median(np.diff(part_times))) if last - first > 1 else 0.0
        trials.append(
            Trial(
                label=media[first] or "1",
                where=part.where(0),
                start_ms=-np.inf if row_a_fixation else part_times[0],
                end_ms=np.inf if row_a_fixation else part_times[-1] + step,
                image=media[first] or None,
                fixations=_fixations(part),
                samples=_samples(part, part_times),
            )
        )
    return Recording(path, "gazepoint", tuple(trials), "fraction", Rect(0, 0, 1, 1))


def _valid(part: Table, name: str) -> np.ndarray:
    column = part.column(name)
    return part.numbers(column) > 0 if column else np.full(len(part.frame), True)


def _fixations(part: Table) -> pd.DataFrame | None:
    """The last valid row of each fixation; those of one trial only, as it is cut there."""
    names = [part.column(name) for name in FIXATION]
    if None in names:
        return None
    x, y, start, duration, ids = (part.numbers(name) for name in names)
    frame = pd.DataFrame({"start_ms": start * 1e3, "duration_ms": duration * 1e3, "x": x, "y": y, "id": ids})
    frame = frame[_valid(part, "FPOGV")].dropna(subset=["start_ms", "duration_ms"])
    if (frame["duration_ms"] < 0).any():
        raise ValueError(f"{part.where(0)}: expected durations of at least 0 in 'FPOGD', found a negative one")
    # Several fixations may have one number: they differ in their start, which stays while a fixation grows.
    frame = frame.drop_duplicates(["id", "start_ms"], keep="last").drop(columns="id")
    return frame.assign(pupil=np.nan, eye=BOTH).reset_index(drop=True)


def _samples(part: Table, times: np.ndarray) -> pd.DataFrame | None:
    x, y = part.column("BPOGX"), part.column("BPOGY")
    if x is None or y is None:
        return None
    xy = np.where(_valid(part, "BPOGV"), [part.numbers(x), part.numbers(y)], np.nan)
    return pd.DataFrame({"time_ms": times, "x": xy[0], "y": xy[1], "pupil": np.nan, "eye": BOTH})
