"""The tracker's own fixations among a table's rows: one or several rows each, or stretches of samples."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from datasets.recordings.clock import usual_step
from datasets.recordings.codings import FIXATION
from datasets.recordings.content import Content
from datasets.recordings.detection import GAP_STEPS
from datasets.recordings.recording import FIXATION_COLUMNS, check_times, runs
from datasets.recordings.tables import MS_PER_UNIT

# By how many steps a fixation may be longer than its rows.
MORE_STEPS = 1.5
# Of fixations that begin in the first half of the one before: more are no rounding.
MANY_TOGETHER = 0.25


def with_extents(content: Content, tables: list, time_ms, duration_ms) -> list[tuple[pd.DataFrame, np.ndarray]]:
    """With ``start_ms``, ``duration_ms`` and ``id`` of the fixation that every row is of; no duration in none."""
    start = time_ms
    ids = content.text("id") if content.has("id") else np.arange(len(time_ms))
    if content.mode == "growing":
        start = content.numbers("start") * MS_PER_UNIT[content.format.time_unit]
    elif content.mode == "runs":
        start, duration_ms, ids = _stretches(content, time_ms, duration_ms)
    # Numbers sort and group faster than texts.
    ids = pd.factorize(ids)[0]
    return [(table.assign(start_ms=start, duration_ms=duration_ms, id=ids), eye) for table, eye in tables]


def _stretches(content: Content, time_ms, duration_ms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = content.text("id")
    keys = ids if content.kind is None else np.where(content.kind == FIXATION, "fixation " + ids, "")
    start, duration, number = time_ms.copy(), np.full(len(time_ms), np.nan), np.zeros(len(time_ms), int)
    cut = 0
    for index in _clocks(content, time_ms):
        times = time_ms[index]
        check_times(times, lambda row, index=index: content.table.where(index[row]))
        step = usual_step(times)
        for first, last in runs(keys[index]):
            rows = index[first:last]
            if keys[rows[0]]:
                said = duration_ms[rows][np.isfinite(duration_ms[rows])] if duration_ms is not None else []
                begin, lasts, was_cut = _extent(times, first, last, step, said[0] if len(said) else None)
                start[rows], duration[rows], number[rows] = begin, lasts, index[first]
                cut += was_cut
    if cut:
        content.notes.append(f"{cut} fixations are cut by the first or last row of a recording: what is seen counts")
    return start, duration, number


def _clocks(content: Content, time_ms) -> Iterator[np.ndarray]:
    """The rows of each clock and eye; a clock may begin anew with a trial."""
    for index in content.clocks:
        keys = content.keys[index]
        yield from np.split(index, np.flatnonzero((np.diff(time_ms[index]) < 0) & (keys[1:] != keys[:-1])) + 1)


def _extent(times, first: int, last: int, step: float, said: float | None) -> tuple[float, float, bool]:
    """Start, duration, and whether a part is not in the table, of the fixation in the rows first..last."""
    before = first > 0 and times[first] - times[first - 1] <= GAP_STEPS * step
    after = last < len(times) and times[last] - times[last - 1] <= GAP_STEPS * step
    until = times[last] if after else times[last - 1] + step
    seen = until - times[first]
    if said is None:
        return times[first], seen, False
    cut = said > seen + MORE_STEPS * step and not (before and after)
    if cut and not before:
        # The first row is not where it began.
        return (until - said, said, True) if after else (times[first], seen, True)
    return times[first], said, cut


def merged(content: Content, frame: pd.DataFrame) -> pd.DataFrame:
    """One row a fixation, of the rows of one trial.

    Raises:
        ValueError: if fixations of one eye lie over each other: then they are of two eyes, or of two people.
    """
    if content.mode == "growing":
        # A row that is not trusted is none of its fixation's, and may be the last.
        frame = frame[~frame["bad"]].dropna(subset=["start_ms"])
    frame = frame.dropna(subset=["duration_ms"])
    # Rows that are marked samples have each their own position.
    place = "mean" if content.mode == "runs" and not content.has("fix_x") else content.format.merge
    how = {"duration_ms": "max", "x": place, "y": place, "pupil": "mean", "row": "first"}
    frame = frame.groupby(["eye", "id", "start_ms"], sort=False, dropna=False, as_index=False).agg(how)
    for _, of_eye in frame.groupby("eye"):
        of_eye = of_eye.sort_values("start_ms", kind="stable")
        start, duration = of_eye["start_ms"].to_numpy(), of_eye["duration_ms"].to_numpy()
        over = (start + duration)[:-1] - start[1:] > 0.5 * np.minimum(duration[:-1], duration[1:])
        if over.sum() > max(1, MANY_TOGETHER * len(over)):
            where = content.table.where(int(of_eye["row"].iloc[int(over.argmax()) + 1]))
            raise ValueError(
                f"{where}: expected fixations of one eye one after the other, found {over.sum()} of {len(of_eye)} that "
                "begin within the one before; if they are of two eyes or several recordings, give --columns eye=NAME "
                "or recording=NAME, if a fixation has several rows, leave one of them"
            )
    return frame.reset_index(drop=True)[list(FIXATION_COLUMNS)]
