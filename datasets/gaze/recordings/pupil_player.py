"""Exports of Pupil Player (Pupil Core): fixations, gaze positions, and both on a surface.

Coordinates are shares of the scene camera's picture or of the surface, y upwards; times are seconds of a clock of
its own, which may be negative. A surface is taken to be named after its image (``fixations_on_surface_<name>.csv``);
otherwise ``--image`` or ``--trials`` has to say what was shown. Positions in the scene camera's picture fit an image
only if the head did not move, and where the image is in it has to be said.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from datasets.gaze.recordings.pupil import UNIT_SQUARE, fixation_table, is_false, needed, sample_table
from datasets.gaze.recordings.recording import ReadingSettings, Recording, Trial
from datasets.gaze.recordings.tables import read_table

# Pupil Player's own "minimum data confidence".
MIN_CONFIDENCE = 0.6
ON_SURFACE = re.compile(r"(?:fixations|gaze_positions)_on_surface_(.+)")


def looks_like(text: str) -> bool:
    """Whether the header is one of Pupil Player's."""
    header = text.split("\n", 1)[0]
    fixations = "norm_pos_x" in header and ("duration" in header or "gaze_timestamp" in header)
    return fixations or ("x_norm" in header and "gaze_timestamp" in header)


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read one of Pupil Player's exports as a single trial; ValueError for missing columns or wrong values."""
    del settings
    table = read_table(path, text)
    x, y = needed(table, "norm_pos_x", "x_norm"), needed(table, "norm_pos_y", "y_norm")
    surface = ON_SURFACE.match(path.stem)
    image = surface[1] if surface else None
    outside = is_false(table, "on_surf") | (table.numbers(table.column("confidence")) < MIN_CONFIDENCE)
    xy = np.stack([table.numbers(x), 1 - table.numbers(y)], axis=1)
    duration = table.column("duration")
    if duration is not None:
        start = needed(table, "start_timestamp", "world_timestamp")
        ids = table.text(needed(table, "id", "fixation_id"))
        times = table.complete_numbers(start, "a time") * 1e3
        fixations = fixation_table(times, table.durations(duration), xy, ids, outside)
        trial = Trial(path.stem, str(path), image=image, fixations=fixations)
    else:
        time = table.complete_numbers(needed(table, "gaze_timestamp"), "a time") * 1e3
        trial = Trial(path.stem, str(path), image=image, samples=sample_table(table, time, xy, outside))
    return Recording(path, "pupil_player", (trial,), "fraction", UNIT_SQUARE if surface else None)
