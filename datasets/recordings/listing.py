"""The trials of a recording in words: for a user who wants to know what is in a file before saying what is missing."""

import numpy as np

from datasets.recordings.recording import Recording, Trial, plain
from utils.inputs import printable

HEADER = ("number", "trial", "start_ms", "end_ms", "image", "gaze", "at", "named by")
MAX_CELL = 60


def list_trials(recording: Recording) -> list[str]:
    """The lines of a table with a row a trial, columns parted by two blanks or more; "-" for what is not known.

    Where a recording does not say when a trial began or ended, its first and last gaze stand in brackets.
    """
    rows = [HEADER, *(_row(recording, number, trial) for number, trial in enumerate(recording.trials, 1))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    screen = recording.screen
    size = f", screen of {plain(screen.width)} x {plain(screen.height)}" if screen and recording.unit == "px" else ""
    left_out = [f"  left out: {count} {what}" for what, count in recording.left_out.items() if count]
    notes = [f"  note: {note}" for note in recording.notes]
    return [f"{recording.path}: {recording.format}, {len(recording.trials)} trials{size}", *table, *left_out, *notes]


def _row(recording: Recording, number: int, trial: Trial) -> tuple[str, ...]:
    cells = (trial.label, *_times(trial), trial.image, _gaze(trial))
    where = trial.where.removeprefix(f"{recording.path}, ")
    named_by = trial.named_by if trial.image or not trial.image_doubt else f"not certain: {trial.image_doubt}"
    return (str(number), *map(_cell, cells), where, printable(named_by or "-"))


def _times(trial: Trial) -> tuple[str, str]:
    first, last = np.nan, np.nan
    if trial.fixations is not None:
        ends = trial.fixations["start_ms"] + trial.fixations["duration_ms"]
        first, last = trial.fixations["start_ms"].min(), ends.max()
    elif trial.samples is not None:
        first, last = trial.samples["time_ms"].min(), trial.samples["time_ms"].max()
    known = ((trial.start_ms, first), (trial.end_ms, last))
    return tuple(plain(t) if np.isfinite(t) or np.isnan(gaze) else f"({plain(gaze)})" for t, gaze in known)


def _cell(text: str | None) -> str:
    text = printable(text or "-")
    return text if len(text) <= MAX_CELL else text[: MAX_CELL - 3] + "..."


def _gaze(trial: Trial) -> str:
    """How many fixations, or, without any, samples, an eye."""
    for kind, table in (("fixations", trial.fixations), ("samples", trial.samples)):
        if table is not None and len(table):
            return ", ".join(f"{count} {kind} ({eye})" for eye, count in table["eye"].value_counts(sort=False).items())
    return "0 fixations"
