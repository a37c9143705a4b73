"""Exports of Tobii Pro Lab: one row a sample, the columns called as in its "Data export" manual.

Older versions write ``Gaze point X`` and ``Recording timestamp``, newer ones ``Gaze point X [DACS px]`` and
``Recording timestamp [μs]``; coordinates are pixels of the screen (DACS) or shares of the image (MCS norm).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.gaze.recordings.recording import (
    BOTH,
    LEFT,
    RIGHT,
    ReadingSettings,
    Recording,
    Rect,
    Trial,
    check_times,
    mean_of_present,
    overlapping,
    runs,
)
from datasets.gaze.recordings.tables import Table, ms_per_unit, read_table

# RCS: what the display area was called in the first versions.
PX = (None, "dacspx", "px", "rcspx")
SHARE = ("mcsnorm",)
TIME = (None, "ms", "us")


def looks_like(text: str) -> bool:
    """Whether the header has Pro Lab's time column."""
    return "Recording timestamp" in text.split("\n", 1)[0]


@dataclass(frozen=True)
class _Names:
    """The columns of one file, None where it lacks one."""

    time: str
    fixation_x: str | None
    fixation_y: str | None
    gaze: dict[str, tuple[str, str]]
    unit: str


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read an export with any number of participants and recordings.

    A trial is a stretch of rows of one ``Presented Media name`` (or ``Presented Stimulus name``). The tracker's
    fixations are those of ``Eye movement type``, with ``Fixation point X/Y`` and the event's whole duration.

    Raises:
        ValueError: for a missing column, a value that is no number, or times that run backwards.
    """
    table = read_table(path, text)
    names = _names(table)
    sensor = np.char.lower(table.text(table.column("Sensor")).astype(str))
    # Rows of events (a key, a mouse click, the start of an image) have no sensor and no gaze: among samples they
    # would part the fixation in whose midst they stand, and each part would count with its whole duration.
    table = table.select(sensor == ("eye tracker" if (sensor == "eye tracker").any() else ""))
    if table.frame.empty:
        raise ValueError(f"{path}: expected rows of the sensor 'Eye Tracker', found none")
    times = table.complete_numbers(names.time, "a time")
    who = table.text(table.column("Participant name")) + "\n" + table.text(table.column("Recording name"))
    stretches = runs(who)
    times = times * ms_per_unit(names.time, times[slice(*stretches[0])], settings.time_unit, path)
    trials: list[Trial] = []
    for first, last in stretches:
        part = table.select(_between(len(times), first, last))
        trials += _trials(part, times[first:last], names)
    size = [table.single(table.column(f"Recording resolution {side}", units=PX)) for side in ("width", "height")]
    screen = Rect(0, 0, 1, 1) if names.unit == "fraction" else Rect(0, 0, *size) if None not in size else None
    return Recording(path, "tobii", tuple(trials), names.unit, screen, on_image=names.unit == "fraction")


def _between(count: int, first: int, last: int) -> np.ndarray:
    index = np.arange(count)
    return (index >= first) & (index < last)


def _names(table: Table) -> _Names:
    time = table.column("Recording timestamp", units=TIME)
    if time is None:
        raise ValueError(f"{table.path}: expected the column 'Recording timestamp' in ms or μs, found none")
    if table.column("Presented Media name", "Presented Stimulus name") is None:
        raise ValueError(
            f"{table.path}: expected the column 'Presented Media name' or 'Presented Stimulus name', found neither; "
            "export it, it says which image was shown"
        )
    for units, unit in ((PX, "px"), (SHARE, "fraction")):
        fixation = [table.column(f"Fixation point {axis}", units=units) for axis in "XY"]
        gaze = {
            eye: [table.column(f"Gaze point{side} {axis}", units=units) for axis in "XY"]
            for eye, side in ((BOTH, ""), (LEFT, " left"), (RIGHT, " right"))
        }
        gaze = {eye: tuple(columns) for eye, columns in gaze.items() if None not in columns}
        if None not in fixation or gaze:
            return _Names(time, *(fixation if None not in fixation else (None, None)), gaze, unit)
    raise ValueError(
        f"{table.path}: expected the columns 'Fixation point X' and 'Y' or 'Gaze point X' and 'Y' (px of the screen, "
        "or MCSnorm), found neither"
    )


def _trials(part: Table, times: np.ndarray, names: _Names) -> list[Trial]:
    """The trials of one recording of one participant."""
    check_times(times, part.where)
    media_column = part.column("Presented Media name", "Presented Stimulus name")
    media = part.text(media_column)
    fixations, samples = _fixations(part, times, names), _samples(part, times, names)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    trials = []
    for first, last in runs(media):
        if not media[first]:
            continue
        start, end = times[first], times[last] if last < len(times) else times[-1] + step
        trials.append(
            Trial(
                label=media[first],
                where=part.where(first),
                start_ms=start,
                end_ms=end,
                image=media[first],
                rect=_rect(part, first, last) if names.unit == "px" else None,
                image_size=_size(part, first, last, "Original Media"),
                fixations=overlapping(fixations, start, end),
                samples=overlapping(samples, start, end),
            )
        )
    return trials


def _known(part: Table, first: int, last: int, names: tuple[str, ...]) -> list[float]:
    """What the first of the rows says in which these columns are filled; NaN if none does."""
    rows = part.select(_between(len(part.frame), first, last))
    values = np.stack([rows.numbers(rows.column(name, units=PX)) for name in names], axis=1)
    return values[int(np.isfinite(values).all(axis=1).argmax())].tolist()


def _rect(part: Table, first: int, last: int) -> Rect | None:
    names = tuple(f"Presented Media {what}" for what in ("position X", "position Y", "width", "height"))
    values = _known(part, first, last, names)
    return Rect(*values) if np.isfinite(values).all() and min(values[2:]) > 0 else None


def _size(part: Table, first: int, last: int, what: str) -> tuple[float, float] | None:
    values = _known(part, first, last, (f"{what} height", f"{what} width"))
    return tuple(values) if np.isfinite(values).all() and min(values) > 0 else None


def _pupil(part: Table) -> np.ndarray:
    sides = [part.numbers(part.column(f"Pupil diameter {side}", units=(None, "mm"))) for side in ("left", "right")]
    return mean_of_present(np.stack(sides))


def _fixations(part: Table, times: np.ndarray, names: _Names) -> pd.DataFrame | None:
    types = part.column("Eye movement type")
    if types is None or names.fixation_x is None:
        return None
    is_fixation = np.char.lower(part.text(types).astype(str)) == "fixation"
    index = part.text(part.column("Eye movement type index"))
    if not is_fixation.any():
        return None
    durations = part.numbers(part.column("Gaze event duration", "Eye movement event duration", units=(None, "ms")))
    x, y, pupil = part.numbers(names.fixation_x), part.numbers(names.fixation_y), _pupil(part)
    keys = np.where(is_fixation, "fixation " + index, "")
    rows = []
    for first, last in runs(keys):
        if keys[first]:
            stretch = slice(first, last)
            # Without the column the event lasts until the next row.
            until = times[last] if last < len(times) else times[last - 1]
            duration = _first_number(durations[stretch], until - times[first])
            at = _first_number(x[stretch], np.nan), _first_number(y[stretch], np.nan)
            rows.append((times[first], duration, *at, float(mean_of_present(pupil[stretch, None])[0]), BOTH))
    return pd.DataFrame(rows, columns=["start_ms", "duration_ms", "x", "y", "pupil", "eye"])


def _first_number(values: np.ndarray, default: float) -> float:
    found = values[np.isfinite(values)]
    return float(found[0]) if len(found) else float(default)


def _samples(part: Table, times: np.ndarray, names: _Names) -> pd.DataFrame | None:
    pupil = _pupil(part)
    tables = [
        pd.DataFrame({"time_ms": times, "x": part.numbers(x), "y": part.numbers(y), "pupil": pupil, "eye": eye})
        for eye, (x, y) in names.gaze.items()
    ]
    return pd.concat(tables, ignore_index=True) if tables else None
