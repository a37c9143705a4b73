"""Reshaping of tables to their declared formats: rows left out, columns made of others."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from datasets.recordings.tables import TrackerTable

MAPPED = re.compile(r"Mapped (fixation [XY]|eye movement type|eye movement type index) \[(.+)\]", re.I)
MEDIA = ("Presented Media name", "Presented Stimulus name", "MediaName")
KINDS = ("GazeEventType", "Eye movement type")
# A file name: experiments write answers and times there, too.
SMI_STIMULUS = re.compile(r"# Message: (.*\.[a-z]\w{1,4})\s*$", re.I)
DATA_VIEWER_MISSING = [".", "UNDEFINED", "UNDEFINEDnull", "MISSING"]
OWN_TABLE = ("IMAGE", "CURRENT_FIX_X", "CURRENT_FIX_Y", "CURRENT_FIX_DURATION")


def tobii(table: TrackerTable) -> TrackerTable:
    """Keep the eye tracker's rows alone, and unfold a glasses project's fixations on its snapshots.

    Rows of events (a key, a mouse click, the start of an image) have no sensor and no gaze: they would split the
    fixation around them, and each part would count with its whole duration.
    """
    sensor = table.words(table.column("Sensor"))
    tracker = sensor == ("eye tracker" if (sensor == "eye tracker").any() else "")
    if not tracker.any():
        raise ValueError(f"{table.path}: expected rows of the sensor 'Eye Tracker', found none")
    # Without sensors, rows of keys and the mouse are those without a kind, or, before there were kinds, with an event.
    kind, event = (table.words(table.column(*names)) for names in (KINDS, ("StudioEvent", "Event")))
    if not sensor[tracker].any():
        tracker &= kind != "" if (kind != "").any() else event == ""
    table = table.select(tracker)
    # Studio 2 maps fixations to the media; Studio 3 says so in the unit.
    names = {f"MappedFixationPoint{axis}": f"FixationPoint{axis} (MCSpx)" for axis in "XY"}
    return _snapshots(replace(table, frame=table.frame.rename(columns=names)))


def _snapshots(table: TrackerTable) -> TrackerTable:
    """Repeat the rows for every snapshot, with the positions mapped to it in place of those in the scene."""
    mapped = [(column, found) for column in table.frame if (found := MAPPED.fullmatch(column))]
    # Columns of media may be there, and empty.
    if not mapped or any((table.text(table.column(name)) != "").any() for name in MEDIA):
        return table
    frames = []
    for snapshot in dict.fromkeys(found[2] for _, found in mapped):
        # Mapped fixation X corresponds to Fixation point X in the scene.
        mine = {column: found[1].capitalize() for column, found in mapped if found[2] == snapshot}
        mine = {column: re.sub("^Fixation ([xy])$", r"Fixation point \1", name) for column, name in mine.items()}
        scene = [table.column(name, units=None) for name in (*mine.values(), "Gaze event duration")]
        frame = table.frame.drop(columns=[column for column in scene if column]).rename(columns=mine)
        on_it = frame.get("Eye movement type", pd.Series("", frame.index)).str.strip() != ""
        frames.append(frame.assign(**{"Snapshot": snapshot, "Presented Media name": np.where(on_it, snapshot, "")}))
    return replace(table, frame=pd.concat(frames).fillna(""))


def smi(table: TrackerTable) -> TrackerTable:
    """Make a column of the stimulus, from messages between the rows, or the line ``Stimulus:`` above the header."""
    first = table.frame.columns[0]
    # The headers of other kinds of rows, and the lines between them.
    above = table.frame[first].str.startswith("Table Header") | (table.frame[first].str.strip() == first)
    table = table.select(~above.to_numpy())
    if table.column("Stimulus"):
        return table
    shown = pd.Series(np.nan, table.frame.index, dtype=object)
    for column in table.frame:
        shown = shown.fillna(table.frame[column].str.extract(SMI_STIMULUS, expand=False))
    above = re.search(r"^(?:## )?Stimulus:\s*(\S.*)$", table.preamble, re.M)
    shown = shown.ffill().fillna(above[1].strip() if above else "")
    return replace(table, frame=table.frame.assign(Stimulus=shown))


def data_viewer(table: TrackerTable) -> TrackerTable:
    """Empty the marks of missing values; ValueError for our own fixation table, which has these reports' columns."""
    if all(name in table.frame for name in OWN_TABLE):
        xy = np.concatenate([table.numbers(name) for name in OWN_TABLE[1:3]])
        if np.nanmax(xy, initial=0) <= 1 and np.nanmin(xy, initial=0) >= 0:
            raise ValueError(
                f"{table.path}: expected a recording, found a fixation table (positions from 0 to 1), which is what "
                "this command writes: give it to prepare --fixations"
            )
    return replace(table, frame=table.frame.replace(DATA_VIEWER_MISSING, ""))


RESHAPES = {"tobii": tobii, "smi": smi, "data_viewer": data_viewer}
