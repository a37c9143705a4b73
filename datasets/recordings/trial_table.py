"""Tables of trials: listing a recording's trials, writing a template to fill in, and applying a filled-in table."""

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.recordings.codings import number_or_text
from datasets.recordings.eyelink_names import stem
from datasets.recordings.recording import (
    Recording,
    Rect,
    Trial,
    count_fixations,
    counted,
    decimal,
    ends_ms,
    overlapping,
)
from datasets.recordings.tables import MS_PER_UNIT, read_table, read_text, unit_of
from utils.inputs import printable

RECT = ("left", "top", "width", "height")
HEADER = ("number", "trial", "start_ms", "end_ms", "image", "gaze", "at", "named by")
MAX_CELL = 60
COLUMNS = ("recording", "number", "trial", "image", "start_ms", "end_ms", *RECT)


@dataclass(frozen=True)
class TrialRow(Trial):
    """A row of a table of trials, as far as it is filled in; its label is empty without a name."""

    recording: str | None = None
    number: int | None = None


def read_trial_table(path: str | Path) -> tuple[list[TrialRow], list[str]]:
    """Read a table of trials: its rows, and the columns that are not used.

    Args:
        path: CSV with ``image``, ``trial`` or ``number`` (1 for the first trial of a recording), or several, and any
            of ``recording`` (a file name, with folders where that is needed), ``left``, ``top``, ``width``,
            ``height`` (of the image on the screen), ``start_ms``, ``end_ms`` (in the recording's clock; or ``start_s``,
            ...), ``image_width``, ``image_height`` (of the file, in pixels).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no such table, with its row.
    """
    path = Path(path)
    table = read_table(path, read_text(path, "a table of trials"))
    if all(table.column(name) is None for name in ("image", "trial", "number")):
        raise ValueError(f"{path}: expected a column 'image' or 'trial', found {', '.join(table.frame.columns)[:200]}")
    columns = {name: table.column(name) for name in ("recording", "trial", "image", "number")}
    columns |= {name: table.column(name, units=(None, "px")) for name in (*RECT, "image_width", "image_height")}
    columns |= {name: table.column(name, units=(None, *MS_PER_UNIT)) for name in ("start", "end")}
    given = [name for name in RECT if columns[name]]
    if given and len(given) < len(RECT):
        raise ValueError(f"{path}: expected the columns {', '.join(RECT)} together, found {', '.join(given)} alone")
    texts = {name: table.text(columns[name]) for name in ("recording", "trial", "image")}
    numbers = {name: table.numbers(column) for name, column in columns.items() if name not in texts}
    for name, unknown in (("start", -np.inf), ("end", np.inf)):
        times_ms = numbers[name] * MS_PER_UNIT.get(unit_of(columns[name] or ""), 1)
        numbers[name] = np.where(np.isnan(times_ms), unknown, times_ms)
    rows = [_row(table.where(row.Index), row) for row in pd.DataFrame(texts | numbers).itertuples()]
    return rows, [column for column in table.frame if column not in columns.values()]


def _row(where: str, row) -> TrialRow:
    if np.isfinite(row.number) and not (row.number >= 1 and row.number % 1 == 0):
        raise ValueError(f"{where}: expected a trial's number of 1 or more, found {decimal(row.number)}")
    if not row.image and not row.trial and np.isnan(row.number):
        raise ValueError(f"{where}: expected an image or a trial, found neither")
    rect, size = [getattr(row, name) for name in RECT], (row.image_height, row.image_width)
    if np.isfinite(rect).any() and not (np.isfinite(rect).all() and min(rect[2:]) > 0):
        raise ValueError(f"{where}: expected {', '.join(RECT)} with a positive width and height, found {rect}")
    if row.end <= row.start:
        raise ValueError(
            f"{where}: expected an end after the start, found {decimal(row.start)} to {decimal(row.end)} ms"
        )
    if np.isfinite(size).any() and not (min(size) >= 1 and size[0] % 1 == size[1] % 1 == 0):
        raise ValueError(f"{where}: expected image_width and image_height in whole pixels, found {size[::-1]}")
    return TrialRow(
        row.trial,
        where,
        row.start,
        row.end,
        row.image or None,
        Rect(*rect) if np.isfinite(rect).all() else None,
        size if np.isfinite(size).all() else None,
        named_by="--trials" if row.image else "",
        recording=row.recording or None,
        number=int(row.number) if np.isfinite(row.number) else None,
    )


def apply_trial_table(recording: Recording, rows: Sequence[TrialRow]) -> Recording:
    """Apply the rows of a table of trials to a recording.

    A row fits the trial of its number; without one, those of its name; without a name, the trials of its image, or,
    with times, every trial that overlaps them. Trials that no row fits are left out, with a note, as there is on rows
    that reach beyond the time of their trial.

    Raises:
        ValueError: if no row fits, two claim the same time of a trial, a row's number and name are those of two
            trials, its times those of another, or it places an image whose positions are shares of itself.
    """
    mine = [row for row in rows if is_of(row, recording.path)]
    placed = next((row for row in mine if row.rect), None)
    if placed:
        _check_place_matters(recording, placed.where)
    fitted: dict[int, list[Trial]] = defaultdict(list)
    for row in mine:
        for index in _fitting(recording.trials, row):
            fitted[index].append(_with_row(recording.trials[index], row))
    if not fitted:
        names = ", ".join(dict.fromkeys(trial.label for trial in recording.trials))
        raise ValueError(
            f"{recording.path}: expected a row of the trial table for one of its trials ({names[:120]}), found none"
        )
    others = [trial for index, trial in enumerate(recording.trials) if index not in fitted]
    pairs = [(recording.trials[index], part) for index, parts in fitted.items() for part in parts]
    notes = {
        "trials are not in the trial table and were left out": len(others),
        "rows of the trial table reach beyond the time of their trial, whose gaze alone counts; for EyeLink "
        "--onset_message and --offset_message say when an image was there": sum(
            part.start_ms < trial.start_ms or part.end_ms > trial.end_ms for trial, part in pairs
        ),
    }
    left_out = {"fixations in trials that are not in the trial table": count_fixations(others)}
    return replace(
        recording,
        trials=tuple(part for index in sorted(fitted) for part in _split_gaze(fitted[index])),
        notes=recording.notes + counted(notes),
        left_out=recording.left_out | left_out,
    )


def _split_gaze(trials: list[Trial]) -> list[Trial]:
    """Split the gaze of one trial among the trials that rows made of it, by time; the rest stays with the first, to be
    counted once. ValueError if two rows claim the same time, whose fixations would count twice.
    """
    trials = sorted(trials, key=lambda trial: trial.start_ms)
    for trial, other in itertools.pairwise(trials):
        if other.start_ms < trial.end_ms:
            raise ValueError(
                f"{other.where}: expected one row of the trial table for a time of a trial, found another that fits "
                f"trial {trial.label!r} too ({trial.where}); give start_ms and end_ms, or remove one"
            )
    if len(trials) == 1:
        return trials
    gaze = trials[0].gaze
    # A sample at the very end counts.
    parts = [overlapping(gaze, one.start_ms, np.nextafter(one.end_ms, np.inf)) for one in trials]
    rest = gaze[~gaze.index.isin(np.concatenate([part.index for part in parts]))]
    parts[0] = pd.concat([parts[0], rest]).sort_index()
    return [replace(trial, gaze=part) for trial, part in zip(trials, parts, strict=True)]


def is_of(row: TrialRow, path: Path) -> bool:
    """Whether a row may be of a recording: it names none, or this one, with or without folders."""
    if row.recording is None:
        return True
    *folders, name = [part for part in re.split(r"[\\/]", row.recording) if part != "."] or [""]
    if name in (path.name, path.stem):
        here = [place.as_posix().split("/")[:-1] for place in (_unresolved(path), path.resolve())]
        return not folders or any(place[-len(folders) :] == folders for place in here)
    # The tracker's own file, of which this is the export.
    ending = Path(name).suffix[1:]
    return not folders and ending.isalpha() and Path(name).stem == path.stem


def _unresolved(path: Path) -> Path:
    """Absolute path with its links unresolved: files may have other names where a link leads."""
    return Path(os.path.abspath(path))


def trial_template(recordings: Sequence[Recording]) -> str:
    """Template of a table of trials (CSV), filled in as far as the recordings name their trials' images and places."""
    stems, rows = [recording.path.stem for recording in recordings], []
    for recording in recordings:
        alone = stems.count(recording.path.stem) == 1
        name = recording.path.name if alone else _unresolved(recording.path).as_posix()
        for number, trial in enumerate(recording.trials, 1):
            times = (trial.start_ms, trial.end_ms) if trial.end_ms > trial.start_ms else (np.nan,) * 2
            rect = None if trial.rect is None or recording.plane == "image" else astuple(trial.rect)
            place = rect if rect and np.isfinite(rect).all() and min(rect[2:]) > 0 else (np.nan,) * len(RECT)
            cells = [decimal(cell, None) if np.isfinite(cell) else "" for cell in (*times, *place)]
            rows.append([name, number, trial.label, trial.image or "", *cells])
    return pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, lineterminator="\n")


def list_trials(recording: Recording) -> list[str]:
    """Lines of a table with a row a trial, columns separated by two blanks or more; "-" where unknown.

    Where a recording does not say when a trial began or ended, its first and last gaze stand in brackets.
    """
    rows = [HEADER, *(_listed(recording, number, trial) for number, trial in enumerate(recording.trials, 1))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    screen = recording.screen
    size = (
        f", screen of {decimal(screen.width)} x {decimal(screen.height)}" if screen and recording.unit == "px" else ""
    )
    left_out = [f"  left out: {one}" for one in counted(recording.left_out)]
    notes = [f"  note: {note}" for note in recording.notes]
    return [f"{recording.path}: {recording.format}, {len(recording.trials)} trials{size}", *table, *left_out, *notes]


def _listed(recording: Recording, number: int, trial: Trial) -> tuple[str, ...]:
    kind, gaze = ("fixations", trial.fixations) if len(trial.fixations) else ("samples", trial.samples)
    counts = ", ".join(f"{count} {kind} ({eye})" for eye, count in gaze["eye"].value_counts(sort=False).items())
    known = ((trial.start_ms, gaze["start_ms"].min()), (trial.end_ms, ends_ms(gaze).max()))
    times = (decimal(t) if np.isfinite(t) or np.isnan(seen) else f"({decimal(seen)})" for t, seen in known)
    cells = (trial.label, *times, trial.image, counts or "0 fixations")
    where = trial.where.removeprefix(f"{recording.path}, ")
    named_by = trial.named_by if trial.image or not trial.image_doubt else f"not certain: {trial.image_doubt}"
    return (str(number), *map(_cell, cells), where, printable(named_by or "-"))


def _cell(text: str | None) -> str:
    text = printable(text or "-")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 3] + "..."


def with_rect(recording: Recording, rect: Rect | None) -> Recording:
    """The recording with one place for all images; unchanged without."""
    if rect is None:
        return recording
    _check_place_matters(recording, "--stimulus_rect")
    others = sum(
        trial.rect not in (None, rect) and np.isfinite((trial.rect.width, trial.rect.height)).all()
        for trial in recording.trials
    )
    notes = (f"--stimulus_rect is used, though {others} trials say that the image was elsewhere",) if others else ()
    trials = tuple(replace(trial, rect=rect) for trial in recording.trials)
    return replace(recording, trials=trials, notes=recording.notes + notes)


def _check_place_matters(recording: Recording, where: str) -> None:
    if recording.plane == "image":
        raise ValueError(
            f"{where}: expected no place of the image for {recording.path}, whose positions are shares of the image "
            "(MCS norm), found one; leave it out, or export positions on the screen (DACS px) too"
        )


def with_image(recording: Recording, image: str | None) -> Recording:
    """The recording with one image for all trials, unchanged without; ValueError if it names several."""
    if image is None:
        return recording
    named = {trial.image for trial in recording.trials} - {None}
    if len(named) > 1:
        raise ValueError(f"{recording.path}: --image {image}: expected a recording of one image, found {len(named)}")
    trials = tuple(replace(trial, image=image, named_by="--image") for trial in recording.trials)
    return replace(recording, trials=trials)


def _fitting(trials: Sequence[Trial], row: TrialRow) -> list[int]:
    if row.number is not None:
        return _of_number(trials, row)
    if row.label:
        exact = [index for index, trial in enumerate(trials) if trial.label == row.label]
        return exact or [index for index, trial in enumerate(trials) if _same_label(row.label, trial.label)]
    if np.isfinite(row.start_ms) or np.isfinite(row.end_ms):
        return [i for i, trial in enumerate(trials) if trial.start_ms < row.end_ms and trial.end_ms > row.start_ms]
    return [index for index, trial in enumerate(trials) if trial.image and stem(trial.image) == stem(row.image)]


def _of_number(trials: Sequence[Trial], row: TrialRow) -> list[int]:
    """The trial of the row's number; ValueError if the row describes another."""
    if row.number > len(trials):
        raise ValueError(f"{row.where}: expected the number of one of {len(trials)} trials, found {row.number}")
    trial = trials[row.number - 1]
    if row.label and not _same_label(row.label, trial.label):
        raise ValueError(
            f"{row.where}: expected trial {row.number} to be called {trial.label[:60]!r}, as the recording does, found "
            f"{row.label[:60]!r}; write the table anew with --trials_template"
        )
    if row.start_ms >= trial.end_ms or row.end_ms <= trial.start_ms:
        raise ValueError(
            f"{row.where}: expected a time in {decimal(trial.start_ms)} to {decimal(trial.end_ms)} ms, when trial "
            f"{row.number} was, found {decimal(row.start_ms)} to {decimal(row.end_ms)} ms"
        )
    return [row.number - 1]


def _same_label(one: str, other: str) -> bool:
    return one.strip() == other.strip() or number_or_text(one) == number_or_text(other)


def _with_row(trial: Trial, row: TrialRow) -> Trial:
    given = {name: value for name in ("image", "rect", "image_size", "named_by") if (value := getattr(row, name))}
    start = row.start_ms if np.isfinite(row.start_ms) else trial.start_ms
    end = row.end_ms if np.isfinite(row.end_ms) else trial.end_ms
    if row.number is None and not row.label:
        # Times alone may overlap several trials: each gets its part.
        start, end = max(start, trial.start_ms), min(end, trial.end_ms)
    return replace(trial, where=row.where, start_ms=start, end_ms=end, **given)
