"""Reader of recordings that are tables: a table and its declared format (formats.py) to a recording."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from datasets.recordings import codings
from datasets.recordings.clock import MANY_ROWS, in_order, times_ms, usual_step
from datasets.recordings.content import SIDES, Content, find_content
from datasets.recordings.detection import GAP_STEPS
from datasets.recordings.formats import TableFormat
from datasets.recordings.recording import (
    GAZE_COLUMNS,
    ReadingSettings,
    Recording,
    Rect,
    Trial,
    check_times,
    equal_runs,
)
from datasets.recordings.reshape import RESHAPES
from datasets.recordings.tables import MS_PER_UNIT, TrackerTable

UNIT_SQUARE = Rect(0, 0, 1, 1)
SCREEN_SIZE = re.compile(r"(?:resolution|calibration area|^)\D*?(\d{3,5})\s*[x×\t]\s*(\d{3,5})", re.I)
# Shares of the screen lie in 0..1, and a little beyond where the eye leaves it.
MAX_SHARE, MAX_PERCENT = 2, 100
# A share of positions so far left of or above the origin, relative to the usual distance, is no look over the edge.
MANY_NEGATIVE, FAR_NEGATIVE = 0.25, 0.25
# By how many steps a fixation may be longer than its rows.
MORE_STEPS = 1.5
# Share of fixations that overlap the one before by half: more is no rounding.
MANY_OVERLAPPING = 0.25


def read(table: TrackerTable, format: TableFormat, settings: ReadingSettings) -> Recording:
    """Read a table of a declared format.

    A trial is a run of rows of one participant, recording, image and trial; rows without image or trial are left out
    where others have one. An image appears with the first sample of its trial; in a table of fixations the time is
    unknown.

    Raises:
        ValueError: for a missing column, a value that is not as declared, rows that contradict each other, or
            positions and durations that seem to be in another unit.
    """
    table = RESHAPES.get(format.name, lambda table: table)(table)
    content = find_content(table, format, settings)
    content.left_out["rows cut short at the end"] = int(table.cut_end)
    surface = format.image_of.match(table.path.stem) if format.image_of else None
    trials = tuple(_trials(content, surface[1] if surface else None))
    if content.moved:
        content.notes.append(f"{content.moved} rows are in the wrong order of time: sorted")
    unit = settings.xy_unit or content.plane.unit
    square = unit == "fraction" and (content.plane.of != "scene" or surface is not None)
    return Recording(
        table.path,
        format.name,
        trials,
        unit,
        UNIT_SQUARE if square else _screen(content) if unit == "px" else None,
        notes=tuple(content.notes),
        plane=content.plane.of,
        # Without counts of 0.
        left_out=dict(+content.left_out),
    )


def _screen(content: Content) -> Rect | None:
    """Rectangle of the screen, from columns or the lines above the header."""
    sides = pd.DataFrame({side: content.numbers(f"screen_{side}") for side in ("width", "height")})
    size = sides.max().tolist() if (sides.nunique() == 1).all() else []
    if not size:
        texts = set(content.text("screen")) - {""} if content.has("screen") else {content.table.preamble}
        found = SCREEN_SIZE.search(texts.pop()) if len(texts) == 1 else None
        size = [float(found[1]), float(found[2])] if found else []
    return Rect(0, 0, *size) if size and min(size) > 0 else None


def _trials(content: Content, surface: str | None) -> Iterator[Trial]:
    time_ms, duration_ms = times_ms(content)
    beside_samples = ["fix_" if content.has("fix_x", "fix_y") else ""]
    sides = {None: [], "rows": content.sides}.get(content.mode, beside_samples)
    extents = _extents(content, time_ms, duration_ms)
    fixations = [_of_side(content, side, time_ms).assign(**extents) for side in sides]
    samples = [_of_side(content, side, time_ms) for side in content.sides if content.mode != "rows"]
    windows = content.format.onset and content.mode != "rows"
    if content.mode == "growing":
        # Where every row is a fixation of its own, written when it ended, the image's onset is unknown.
        windows &= any(fixations[0].iloc[rows].duplicated(["id", "start_ms"]).any() for rows in content.trials)
    images, labels = content.text("image"), content.text("trial")
    rects, sizes = _rects(content), np.stack([content.numbers("image_height"), content.numbers("image_width")], axis=1)
    for number, rows in enumerate(content.trials, 1):
        first, eye = rows[0], content.eye[rows]
        ordered = np.concatenate([in_order(content, rows[eye == one], time_ms) for one in dict.fromkeys(eye)])
        parts = [
            merge(content, pd.concat([table.iloc[ordered] for table in tables]))
            for merge, tables in ((_fixations, fixations), (_samples, samples))
            if tables
        ]
        yield Trial(
            labels[first] or images[first] or content.who[first] or str(number),
            content.table.where(first),
            *(_window(content, rows, time_ms) if windows else ()),
            image=surface or images[first] or None,
            rect=(rect := _first_known(rects[rows])) and Rect(*rect),
            image_size=_first_known(sizes[rows]),
            gaze=pd.concat(parts, ignore_index=True)[list(GAZE_COLUMNS)],
            doubt="pixels of a snapshot, at 0,0, of unknown size" if content.has("snapshot") else "",
        )


def _samples(content: Content, found: pd.DataFrame) -> pd.DataFrame:
    """Samples of a trial; ValueError if many times occur twice in an eye, as where two eyes or people are mixed."""
    again, many = found.duplicated(["eye", "start_ms"]).to_numpy(), max(MANY_ROWS, MANY_OVERLAPPING * len(found))
    if again.sum() > many:
        # A copy of a row is no second position.
        again = again & ~found.duplicated(["eye", "start_ms", "x", "y"]).to_numpy()
    if again.sum() > many:
        raise ValueError(
            f"{content.table.where(found['row'].iloc[int(again.argmax())])}: expected one position at a time, found "
            f"another at the same time in {again.sum()} of {len(found)} rows; if they are of two eyes or several "
            "recordings, give --columns eye=NAME or recording=NAME"
        )
    return found


def _window(content: Content, rows: np.ndarray, time_ms: np.ndarray) -> tuple[float, float]:
    """Time window of a trial: from its first row to the next trial's, or one step after its last if that is later."""
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
        # Positions are from the media's corner, so its place is not needed.
        rects[:, :2] = np.nan_to_num(rects[:, :2])
    return rects if content.plane.of != "image" else np.full_like(rects, np.nan)


def _first_known(rows: np.ndarray) -> tuple[float, ...] | None:
    """The first complete row; None if there is none, or its two sides, the last values, are not above 0."""
    known = np.isfinite(rows).all(axis=1)
    found = rows[int(known.argmax())] if known.any() else None
    return tuple(found.tolist()) if found is not None and min(found[-2:]) > 0 else None


def _of_side(content: Content, side: str, time_ms: np.ndarray) -> pd.DataFrame:
    """Every row as a sample of one eye, with its number; positions are NaN where they are invalid, which ``bad`` marks,
    or stand for lost.
    """
    of_one = side in ("left_", "right_")
    whose = f"{side.rstrip('_')} eye's " if of_one else ""
    xy = np.stack([content.numbers(f"{side}x"), content.numbers(f"{side}y")])
    content.notes += [f"{count} of the {whose}{what}" for what, count in codings.mask_lost_positions(xy).items()]
    if content.format.y_up:
        xy[1] = 1 - xy[1]
    bad = _invalid_rows(content, side)
    xy[:, bad] = np.nan
    _check_unit(content, xy.T[np.isfinite(xy).all(axis=0)])
    roles = ["pupil"] if content.has("pupil") else [f"{side}pupil"] if of_one else ["left_pupil", "right_pupil"]
    pupil = pd.DataFrame({role: content.numbers(role) for role in roles}).mean(axis=1)
    eye = SIDES[side] if of_one else content.eye
    gaze = dict(zip(GAZE_COLUMNS, (time_ms, np.nan, *xy, pupil, eye), strict=True))
    return pd.DataFrame({**gaze, "bad": bad, "row": np.arange(len(time_ms))})


def _invalid_rows(content: Content, side: str) -> np.ndarray:
    eyes = [role for role in ("left_valid", "right_valid") if content.has(role)]
    roles = [f"{side}valid"]
    if side != "fix_" and not content.has(*roles):
        roles = eyes if eyes and not side else ["valid"]
    columns, how = map(content.columns.get, roles), (content.format.validity, content.settings.valid)
    bad = np.all([codings.invalid(content.table, column, *how) for column in columns], axis=0)
    if content.kind is not None and not content.has("kind"):
        # Samples that a yes-or-no column such as blink marks.
        bad = bad | np.isin(content.kind, ("blink", "gap"))
    bad = bad | (content.table.words(content.columns.get("on")) == "false")
    return bad | (content.numbers("confidence") < (content.format.min_confidence or -np.inf))


def _check_unit(content: Content, xy: np.ndarray) -> None:
    given, path = content.settings.xy_unit, content.table.path
    if not len(xy) or given == "px":
        return
    many = len(xy) >= MANY_ROWS
    usual = np.quantile(np.abs(xy), 0.9, axis=0)
    if content.plane.unit == "px" and given is None:
        # In a few rows, whole numbers may be pixels of a corner; fractions of the first pixel are not.
        if (usual <= MAX_SHARE).all() and (many or (xy % 1).any()):
            names = [content.columns[f"{side}{axis}"] for side in content.sides for axis in "xy"]
            raise ValueError(
                f"{path}: expected pixels in {' and '.join(map(repr, names))}, found hardly any above {MAX_SHARE}; if "
                "they are shares of the screen, give --xy_unit fraction, else --xy_unit px"
            )
        if many and xy.min() >= 0 and xy.max() <= MAX_PERCENT:
            content.notes.append(
                f"all positions lie within {MAX_PERCENT} pixels of the left upper corner: if they are percent, divide "
                "them by 100 and give --xy_unit fraction"
            )
    negative = (xy < -FAR_NEGATIVE * usual).mean(axis=0).max()
    if many and negative > MANY_NEGATIVE and content.plane.of == "screen":
        raise ValueError(
            f"{path}: expected positions from the left upper corner of the screen, found {negative:.0%} negative; are "
            "they degrees, or is the origin the centre of the screen? Convert them to pixels from the corner, y "
            "downwards, or, for pixels from elsewhere, give --xy_unit px and --stimulus_rect"
        )


def _extents(content: Content, time_ms, duration_ms) -> dict[str, np.ndarray]:
    """``start_ms``, ``duration_ms`` and ``id`` of every row's fixation; no duration where there is none."""
    start = time_ms
    ids = content.text("id") if content.has("id") else np.arange(len(time_ms))
    if content.mode == "growing":
        start = content.numbers("start") * MS_PER_UNIT[content.format.time_unit]
    elif content.mode == "runs":
        start, duration_ms, ids = _stretches(content, time_ms, duration_ms)
    # Numbers sort and group faster than texts.
    return {"start_ms": start, "duration_ms": duration_ms, "id": pd.factorize(ids)[0]}


def _stretches(content: Content, time_ms, duration_ms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = content.text("id")
    keys = ids if content.kind is None else np.where(content.kind == codings.FIXATION, "fixation " + ids, "")
    start, duration, number = time_ms.copy(), np.full(len(time_ms), np.nan), np.zeros(len(time_ms), int)
    cut = 0
    for index in _clocks(content, time_ms):
        times = time_ms[index]
        check_times(times, lambda row, index=index: content.table.where(index[row]))
        step = usual_step(times)
        for first, last in equal_runs(keys[index]):
            rows = index[first:last]
            if keys[rows[0]]:
                told = duration_ms[rows][np.isfinite(duration_ms[rows])] if duration_ms is not None else []
                begin, lasts, was_cut = _extent(times, first, last, step, told[0] if len(told) else None)
                start[rows], duration[rows], number[rows] = begin, lasts, index[first]
                cut += was_cut
    if cut:
        content.notes.append(f"{cut} fixations are cut by the first or last row of a recording: what is seen counts")
    return start, duration, number


def _clocks(content: Content, time_ms) -> Iterator[np.ndarray]:
    """Rows of each clock and eye; a clock may restart with a trial."""
    clock, names = pd.factorize(content.who + "\n" + content.eye)
    for number in range(len(names)):
        index = np.flatnonzero(clock == number)
        keys = content.keys[index]
        yield from np.split(index, np.flatnonzero((np.diff(time_ms[index]) < 0) & (keys[1:] != keys[:-1])) + 1)


def _extent(times, first: int, last: int, step: float, told: float | None) -> tuple[float, float, bool]:
    """Start and duration of the fixation in the rows first..last, and whether the table lacks a part of it.

    ``told`` is its duration as the table has it."""
    before = first > 0 and times[first] - times[first - 1] <= GAP_STEPS * step
    after = last < len(times) and times[last] - times[last - 1] <= GAP_STEPS * step
    until = times[last] if after else times[last - 1] + step
    seen = until - times[first]
    if told is None:
        return times[first], seen, False
    cut = told > seen + MORE_STEPS * step and not (before and after)
    if cut and not before:
        # It began before the first row.
        return (until - told, told, True) if after else (times[first], seen, True)
    return times[first], told, cut


def _fixations(content: Content, frame: pd.DataFrame) -> pd.DataFrame:
    """Merge the rows of one trial into one a fixation; ValueError if those of one eye overlap, as where two eyes or
    people are mixed.
    """
    if content.mode == "growing":
        # An invalid row, which may be the last one, is no state of its fixation.
        frame = frame[~frame["bad"]].dropna(subset=["start_ms"])
    frame = frame.dropna(subset=["duration_ms"])
    # Marked samples have positions of their own.
    place = "mean" if content.mode == "runs" and not content.has("fix_x") else content.format.merge
    how = {"duration_ms": "max", "x": place, "y": place, "pupil": "mean", "row": "first"}
    frame = frame.groupby(["eye", "id", "start_ms"], sort=False, dropna=False, as_index=False).agg(how)
    for _, of_eye in frame.groupby("eye"):
        of_eye = of_eye.sort_values("start_ms", kind="stable")
        start, duration = of_eye["start_ms"].to_numpy(), of_eye["duration_ms"].to_numpy()
        over = (start + duration)[:-1] - start[1:] > 0.5 * np.minimum(duration[:-1], duration[1:])
        if over.sum() > max(1, MANY_OVERLAPPING * len(over)):
            where = content.table.where(int(of_eye["row"].iloc[int(over.argmax()) + 1]))
            raise ValueError(
                f"{where}: expected fixations of one eye one after the other, found {over.sum()} of {len(of_eye)} that "
                "begin within the one before; if they are of two eyes or several recordings, give --columns eye=NAME "
                "or recording=NAME, if a fixation has several rows, leave one of them"
            )
    return frame
