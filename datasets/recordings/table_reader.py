"""The one reader of recordings that are tables: a table and its declaration (formats.py) to a recording."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from datasets.recordings.clock import in_order, times_ms, usual_step
from datasets.recordings.content import Content, find_content
from datasets.recordings.detection import GAP_STEPS
from datasets.recordings.fixation_rows import MANY_TOGETHER, merged, with_extents
from datasets.recordings.formats import TableFormat
from datasets.recordings.positions import MANY_ROWS, positions
from datasets.recordings.recording import SAMPLE_COLUMNS, ReadingSettings, Recording, Rect, Trial
from datasets.recordings.reshape import RESHAPES
from datasets.recordings.tables import Table

UNIT_SQUARE = Rect(0, 0, 1, 1)
SCREEN_SIZE = re.compile(r"(?:resolution|calibration area|^)\D*?(\d{3,5})\s*[x×\t]\s*(\d{3,5})", re.I)


def read(table: Table, format: TableFormat, settings: ReadingSettings) -> Recording:
    """Read a table as declared.

    A trial is a stretch of rows of one participant, recording, image and trial; rows that name no image or trial are
    left out where others do. An image appears with the first sample of its trial; in a table of fixations that is
    not known.

    Raises:
        ValueError: for a missing column, a value that is not as declared, rows that contradict each other, or
            positions and durations in what seems another unit.
    """
    table = RESHAPES.get(format.name, lambda table: table)(table)
    content = find_content(table, format, settings)
    content.left_out["rows cut short at the end"] = int(table.cut_end)
    surface = format.image_of.match(table.path.stem) if format.image_of else None
    trials = tuple(_trials(content, surface[1] if surface else None))
    if content.moved:
        content.notes.append(f"{len(content.moved)} rows are in the wrong order of time: sorted")
    unit = settings.xy_unit or content.plane.unit
    square = unit == "fraction" and (content.plane.of != "scene" or surface is not None)
    return Recording(
        table.path,
        format.name,
        trials,
        unit,
        UNIT_SQUARE if square else _screen(content) if unit == "px" else None,
        notes=tuple(content.notes),
        on_image=content.plane.of == "image",
        # Without what never happened.
        left_out=dict(+content.left_out),
    )


def _screen(content: Content) -> Rect | None:
    """The size of the screen, as columns or the lines above the header say."""
    size = [content.table.single(content.columns.get(f"screen_{side}")) for side in ("width", "height")]
    if None in size:
        texts = set(content.text("screen")) - {""} if content.has("screen") else {content.table.preamble}
        found = SCREEN_SIZE.search(texts.pop()) if len(texts) == 1 else None
        size = [float(found[1]), float(found[2])] if found else size
    return Rect(0, 0, *size) if None not in size and min(size) > 0 else None


def _trials(content: Content, surface: str | None) -> Iterator[Trial]:
    time_ms, duration_ms = times_ms(content)
    gaze = positions(content)
    fixations = with_extents(content, gaze["fixations"], time_ms, duration_ms)
    windows = content.format.onset and content.mode != "rows"
    if content.mode == "growing":
        # Where every row is a fixation of its own, written when it ended, nothing tells when the image appeared.
        windows &= any(fixations[0][0].iloc[rows].duplicated(["id", "start_ms"]).any() for rows in content.trials)
    images, labels = content.text("image"), content.text("trial")
    rects, sizes = _rects(content), np.stack([content.numbers("image_height"), content.numbers("image_width")], axis=1)
    for number, rows in enumerate(content.trials, 1):
        first = rows[0]
        yield Trial(
            labels[first] or images[first] or content.who[first] or str(number),
            content.table.where(first),
            *(_window(content, rows, time_ms) if windows else ()),
            image=surface or images[first] or None,
            rect=(rect := _first_known(rects[rows], 2)) and Rect(*rect),
            image_size=_first_known(sizes[rows], 2),
            fixations=merged(content, _of_trial(content, fixations, rows, time_ms)) if fixations else None,
            samples=_samples(content, gaze["samples"], rows, time_ms) if gaze["samples"] else None,
            doubt="pixels of a snapshot, at 0,0, of unknown size" if content.has("snapshot") else "",
        )


def _of_trial(content: Content, tables: list, rows: np.ndarray, time_ms) -> pd.DataFrame:
    """The rows of a trial in every eye's table, each eye's in order of time, with ``row`` and ``time_ms``."""
    parts = []
    for table, eye in tables:
        for of in dict.fromkeys(eye[rows]):
            ordered = in_order(content, rows[eye[rows] == of], time_ms)
            parts.append(table.iloc[ordered].assign(row=ordered, time_ms=time_ms[ordered], eye=of))
    return pd.concat(parts, ignore_index=True)


def _samples(content: Content, tables: list, rows: np.ndarray, time_ms) -> pd.DataFrame:
    """The samples of a trial; ValueError if as a rule an eye has two at a time: then they are of two eyes."""
    found = _of_trial(content, tables, rows, time_ms)
    again, many = found.duplicated(["eye", "time_ms"]).to_numpy(), max(MANY_ROWS, MANY_TOGETHER * len(found))
    if again.sum() > many:
        # A copy of a row is no second position.
        again = again & ~found.duplicated(["eye", "time_ms", "x", "y"]).to_numpy()
    if again.sum() > many:
        raise ValueError(
            f"{content.table.where(found['row'].iloc[int(again.argmax())])}: expected one position at a time, found "
            f"another at the same time in {again.sum()} of {len(found)} rows; if they are of two eyes or several "
            "recordings, give --columns eye=NAME or recording=NAME"
        )
    return found[list(SAMPLE_COLUMNS)]


def _window(content: Content, rows: np.ndarray, time_ms: np.ndarray) -> tuple[float, float]:
    """From the first row of a trial to the one after it, or one step behind the last where that comes later."""
    times, following = np.sort(time_ms[rows]), rows[-1] + 1
    step = usual_step(times)
    end = times[-1] + step
    if following < len(time_ms) and content.who[following] == content.who[rows[-1]]:
        until = time_ms[following]
        end = until if times[-1] < until <= times[-1] + GAP_STEPS * step else end
    return float(times[0]), float(end)


def _rects(content: Content) -> np.ndarray:
    """(N,4) left, top, width and height of the image in every row, in the unit of the positions."""
    rects = np.stack([content.numbers(role) for role in ("left", "top", "width", "height")], axis=1)
    if content.plane.of == "media":
        rects[:, :2] = 0
    return rects if content.plane.of != "image" else np.full_like(rects, np.nan)


def _first_known(rows: np.ndarray, positive: int) -> tuple[float, ...] | None:
    """The first row without a gap; None if there is none, or one of its ``positive`` last values is not above 0."""
    known = np.isfinite(rows).all(axis=1)
    found = rows[int(known.argmax())] if known.any() else None
    return tuple(found.tolist()) if found is not None and min(found[-positive:]) > 0 else None
