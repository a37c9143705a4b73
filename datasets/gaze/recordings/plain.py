"""Tables of samples, or of fixations, of any other tracker: the columns are found by usual names or given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from datasets.gaze.recordings.recording import BOTH, ReadingSettings, Recording, Rect, Trial, check_times, runs
from datasets.gaze.recordings.tables import MS_PER_UNIT, Table, ms_per_unit, plain_name, read_table, unit_of

# Role of a column: the names it goes by, without case, punctuation and unit.
ROLES = {
    "t": ("t", "time", "timestamp", "gazetimestamp", "recordingtimestamp", "systemtime", "timems", "elapsed")
    + ("start", "starttime", "onset", "fixationstart"),
    "x": ("x", "gazex", "xgaze", "gazepointx", "screenx", "xpos", "posx", "xpred", "fixationx", "avgx", "meanx"),
    "y": ("y", "gazey", "ygaze", "gazepointy", "screeny", "ypos", "posy", "ypred", "fixationy", "avgy", "meany"),
    "image": (
        "image",
        "imagename",
        "imagefile",
        "media",
        "medianame",
        "stimulus",
        "stimulusname",
        "picture",
        "filename",
    ),
    "trial": ("trial", "trialid", "trialindex", "trialnumber", "trialnr"),
    "pupil": ("pupil", "pupilsize", "pupildiameter"),
    "valid": ("valid", "validity", "isvalid"),
    "duration": ("duration", "dur", "fixationduration", "durationms"),
}
NEEDED = ("t", "x", "y")
FRACTION_UNITS = ("fraction", "norm", "normalized", "normalised")
UNIT_SQUARE = Rect(0, 0, 1, 1)
# Shares of the screen lie in 0..1, and a little beyond where the eye leaves it.
MAX_SHARE = 2
# Fixations last differently, and eyes move: so many rows of one duration, or in one corner, are no chance.
MANY_ROWS = 10


def looks_like(text: str) -> bool:
    """Whether the header has columns of time, x and y."""
    header = text.split("\n", 1)[0]
    names = {plain_name(name) for name in header.replace("\t", ",").replace(";", ",").replace('"', "").split(",")}
    return all(names & set(ROLES[role]) for role in NEEDED)


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read a table of samples, or of fixations where there is a duration.

    A trial is a stretch of rows of one image and trial; rows that name neither are skipped. An image appears
    with the first sample of its trial; in a table of fixations that is not known.

    Raises:
        ValueError: for a missing column, a value that is no number, or times that run backwards.
    """
    table = read_table(path, text)
    names = _find_columns(table, settings.columns or {})
    images, labels = table.text(names["image"]), table.text(names["trial"])
    keys = images + np.where(labels == "", "", "\n") + labels
    named = keys != "" if names["image"] or names["trial"] else np.full(len(keys), True)
    if not named.any():
        raise ValueError(f"{path}: expected rows with an image or a trial, found none")
    table, keys, images, labels = table.select(named), keys[named], images[named], labels[named]
    stretches = runs(keys)
    time = table.complete_numbers(names["t"], "a time")
    longest = slice(*max(stretches, key=lambda s: s[1] - s[0]))
    durations = _durations_ms(table, names["duration"], stretches, settings.time_unit)
    scale = ms_per_unit(
        names["t"],
        time[longest],
        settings.time_unit,
        path,
        durations_ms=None if durations is None else durations[longest],
    )
    gaze = _gaze(table, names, time * scale, durations)
    trials = []
    for number, (first, last) in enumerate(stretches, 1):
        part = gaze.iloc[first:last].reset_index(drop=True)
        label = labels[first] or images[first] or str(number)
        trials.append(_trial(table, part, first, label, images[first] or None))
    unit = settings.xy_unit or ("fraction" if unit_of(names["x"]) in FRACTION_UNITS else "px")
    if settings.xy_unit is None and unit == "px":
        _check_pixels(table, names, gaze[["x", "y"]].to_numpy())
    return Recording(path, "plain", tuple(trials), unit, UNIT_SQUARE if unit == "fraction" else None)


def _find_columns(table: Table, given: dict[str, str]) -> dict[str, str | None]:
    """The column of every role: as given, else by its usual names; None if there is none."""
    columns = list(table.frame.columns)
    for role, column in given.items():
        if column not in columns:
            raise ValueError(
                f"{table.path}: expected the column {column!r} (--columns {role}={column}), found "
                f"{', '.join(columns)[:200]}"
            )
    by_name = {plain_name(column): column for column in reversed(columns)}
    usual = {role: next((by_name[name] for name in names if name in by_name), None) for role, names in ROLES.items()}
    found = usual | given
    missing = [role for role in NEEDED if found[role] is None]
    if missing:
        raise ValueError(
            f"{table.path}: expected columns of time, x and y, found none for {', '.join(missing)} among "
            f"{', '.join(columns)[:200]}; give --columns t=NAME,x=NAME,y=NAME"
        )
    return found


def _durations_ms(
    table: Table, column: str | None, stretches: list[tuple[int, int]], given: str | None
) -> np.ndarray | None:
    """Durations of fixations, in ms unless the column's name or ``given`` says otherwise, or None without a column.

    Raises:
        ValueError: if they are durations of trials, which samples may have a column of too.
    """
    if column is None:
        return None
    durations = table.durations(column)
    if all(len({*durations[a:b]}) == 1 for a, b in stretches) and max(b - a for a, b in stretches) >= MANY_ROWS:
        raise ValueError(
            f"{table.where(0)}: expected durations of fixations in {column!r}, found the same one in all rows of every "
            "image or trial; if the rows are samples, rename or remove the column"
        )
    return durations * MS_PER_UNIT.get(unit_of(column) or given, 1.0)


def _check_pixels(table: Table, names: dict[str, str | None], xy: np.ndarray) -> None:
    """ValueError if positions are shares of the screen, which would all lie in its corner as pixels."""
    xy = np.abs(xy[np.isfinite(xy).all(axis=1)])
    if len(xy) >= MANY_ROWS and (np.quantile(xy, 0.9, axis=0) <= MAX_SHARE).all():
        raise ValueError(
            f"{table.path}: expected pixels in {names['x']!r} and {names['y']!r}, found hardly any above {MAX_SHARE}; "
            "if they are shares of the screen, give --xy_unit fraction, else --xy_unit px"
        )


def _gaze(table: Table, names: dict[str, str | None], time_ms: np.ndarray, durations_ms: np.ndarray | None):
    """Samples, or fixations where there is a column of durations."""
    x, y, pupil = (table.numbers(names[role]) for role in ("x", "y", "pupil"))
    invalid = np.isin(np.char.lower(table.text(names["valid"]).astype(str)), ("0", "0.0", "false", "invalid"))
    x, y = np.where(invalid, np.nan, [x, y])
    values = {"x": x, "y": y, "pupil": pupil, "eye": BOTH}
    if durations_ms is None:
        return pd.DataFrame({"time_ms": time_ms, **values})
    return pd.DataFrame({"start_ms": time_ms, "duration_ms": durations_ms, **values})


def _trial(table: Table, part: pd.DataFrame, first: int, label: str, image: str | None) -> Trial:
    where = table.where(first)
    if "duration_ms" in part:
        return Trial(label, where, image=image, fixations=part)
    times = part["time_ms"].to_numpy()
    check_times(times, lambda index: table.where(first + index))
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return Trial(label, where, times[0], times[-1] + step, image=image, samples=part)
