"""Exports of Pupil Cloud (Pupil Invisible, Neon): ``fixations.csv`` and ``gaze.csv``.

Coordinates are pixels of the scene camera or of the reference image, or shares of a Marker Mapper's surface, y
downwards; times are nanoseconds since 1970. ``--image`` or ``--trials`` has to say what was shown, and
``--stimulus_rect`` where it is among the pixels.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from datasets.gaze.recordings.pupil import UNIT_SQUARE, fixation_table, is_false, needed, sample_table
from datasets.gaze.recordings.recording import ReadingSettings, Recording, Trial
from datasets.gaze.recordings.tables import Table, read_table


def looks_like(text: str) -> bool:
    """Whether the header has times in nanoseconds and a gaze or fixation position."""
    header = text.split("\n", 1)[0]
    return "timestamp [ns]" in header and bool(re.search(r"(fixation|gaze)[\w ]* x \[(px|normalized)\]", header))


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read ``fixations.csv`` or ``gaze.csv``, a trial a recording; ValueError for missing columns or wrong values."""
    del settings
    table = read_table(path, text)
    event = table.column("start timestamp", units=("ns",)) is not None
    what = "fixation" if event else "gaze"
    names = {
        unit: [table.column(f"{what} {axis}", f"{what} position on surface {axis}", units=(unit,)) for axis in "xy"]
        for unit in ("normalized", "px")
    }
    names = [(unit, columns) for unit, columns in names.items() if None not in columns]
    if not names:
        raise ValueError(
            f"{path}: expected the columns '{what} x [px]' and '{what} y [px]' or [normalized], found neither"
        )
    unit, columns = names[0]
    xy = np.stack([table.numbers(column) for column in columns], axis=1)
    outside = is_false(table, f"{what} detected on surface", f"{what} detected in reference image")
    trials = []
    recordings = table.text(table.column("recording id"))
    for recording in dict.fromkeys(recordings):
        here = recordings == recording
        trials.append(_trial(table.select(here), xy[here], outside[here], event, recording))
    return Recording(
        path, "pupil_cloud", tuple(trials), *(("fraction", UNIT_SQUARE) if unit == "normalized" else ("px", None))
    )


def _trial(table: Table, xy: np.ndarray, outside: np.ndarray, event: bool, recording: str) -> Trial:
    label = recording or "1"
    if event:
        start = table.complete_numbers(needed(table, "start timestamp", units=("ns",)), "a time") * 1e-6
        duration = table.durations(needed(table, "duration", units=("ms",)))
        ids = table.text(needed(table, "fixation id"))
        return Trial(label, str(table.path), fixations=fixation_table(start, duration, xy, ids, outside))
    time = table.complete_numbers(needed(table, "timestamp", units=("ns",)), "a time") * 1e-6
    return Trial(label, str(table.path), samples=sample_table(table, time, xy, outside))
