"""Times and durations of a table's rows in milliseconds, and their order."""

import numpy as np
import pandas as pd

from datasets.recordings.content import Content
from datasets.recordings.formats import PLAIN
from datasets.recordings.recording import check_times, decimal
from datasets.recordings.tables import MS_PER_UNIT, unit_of

# Eyes move, and fixations differ in duration: so many rows in one corner, or of one duration, are no chance.
MANY_ROWS = 10
# A median duration below the first is no median of fixations in ms; and the range of usual medians.
SHORTEST_MS, USUAL_MS = 5, (30, 3000)
# Rows further from their place in order of time are no jitter.
MAX_MOVED_ROWS = 10
# Steps of sampling rates that exist, 4000 to 7 Hz; the ranges do not overlap between units.
STEPS_MS = (1e3 / 4000, 1e3 / 7)
# From the start of a fixation to that of the next, in durations: a saccade, or a blink, lies between.
STEPS_PER_FIXATION = (0.9, 30)


def times_ms(content: Content) -> tuple[np.ndarray, np.ndarray | None]:
    """Times, or starts, of all rows in ms, NaN without a column of times; and durations, if there are any.

    Raises:
        ValueError: for an unknown unit, or values that contradict each other.
    """
    table, columns, settings = content.table, content.columns, content.settings
    durations = _durations_ms(content)
    if not content.has("t"):
        return np.full(len(table.frame), np.nan), durations
    times = table.numbers(columns["t"], "a time")
    ends = table.numbers(columns["end"], "an end") if content.mode == "rows" and content.has("end") else None
    scale = MS_PER_UNIT.get(settings.time_unit or unit_of(columns["t"])) or MS_PER_UNIT.get(content.format.time_unit)
    if scale is None:
        scale = _fitting_scale(content, times, ends, durations)
    elif content.mode is None and not settings.time_unit:
        _check_pace(content, _step(content, times) * scale)
    if durations is None and ends is not None:
        durations = (ends - times) * scale
    if durations is not None and (durations < 0).any():
        row = int((durations < 0).argmax())
        raise ValueError(f"{table.where(row)}: expected a duration of at least 0, found {decimal(durations[row])} ms")
    return times * scale, durations


def _fitting_scale(content: Content, times: np.ndarray, ends: np.ndarray | None, durations_ms) -> float:
    """Milliseconds in the unit of times, guessed from start to end of fixations, or from the steps between rows."""
    column = content.columns["t"]
    if ends is not None:
        usual = float(np.median(ends - times))
        low, high = USUAL_MS if durations_ms is None else np.array((0.5, 2)) * np.median(durations_ms)
        what = "of a fixation" if durations_ms is None else f"in {content.columns['duration']!r}"
        misfit = (
            f"ends that fit the durations {what}, found {decimal(usual)} from {column!r} to {content.columns['end']!r} "
            "as a rule"
        )
    else:
        usual, what, (low, high) = _step(content, times), "sampling rate", STEPS_MS
        if content.mode == "rows":
            low, high = float(np.median(durations_ms[_longest(content)])) * np.array(STEPS_PER_FIXATION)
            what = "duration of a fixation"
        misfit = (
            f"a time unit in the name of the column {column!r}, found none, and its usual step ({decimal(usual)}) fits "
            f"no {what}"
        )
    scale = next((scale for scale in MS_PER_UNIT.values() if low <= usual * scale <= high), None)
    if scale is None:
        raise ValueError(f"{content.table.path}: expected {misfit}; give --time_unit {'|'.join(MS_PER_UNIT)}")
    return scale


def _check_pace(content: Content, step_ms: float) -> None:
    """Raise ValueError for samples that are as far apart as fixations."""
    if step_ms > STEPS_MS[1]:
        raise ValueError(
            f"{content.table.path}: expected samples, or fixations with a duration or an end, found rows "
            f"{decimal(step_ms)} ms apart as a rule, too slow for samples, and no column of durations; if they are "
            "fixations, give --columns duration=NAME or end=NAME, else --time_unit with the unit of time"
        )


def _longest(content: Content) -> np.ndarray:
    """Rows of one eye in the longest trial: rows of both eyes would have shorter steps."""
    rows = max(content.trials, key=len)
    return rows[content.eye[rows] == content.eye[rows[0]]]


def _step(content: Content, times: np.ndarray) -> float:
    """The usual step in the longest trial: between samples, or from one fixation to the next; NaN without any."""
    steps = np.diff(times[_longest(content)])
    steps = steps[steps > 0]
    # Where two eyes' fixations are mixed, half of the steps are from one eye to the other.
    return float(np.quantile(steps, 0.75 if content.mode == "rows" else 0.5)) if len(steps) else np.nan


def _durations_ms(content: Content) -> np.ndarray | None:
    column, table = content.columns.get("duration"), content.table
    if column is None or content.mode is None:
        return None
    # Some rows of samples may have none.
    durations = table.numbers(column, "a duration" if content.mode == "rows" else "")
    unit = content.format.duration_unit or content.settings.time_unit
    scale = MS_PER_UNIT.get(unit_of(column)) or MS_PER_UNIT.get(unit)
    if content.format is PLAIN and content.mode == "rows":
        # A column of the trials' durations has one value a trial, and tables of samples may have it, too.
        alike = all(len({*durations[rows]}) == 1 for rows in content.trials)
        if alike and max(map(len, content.trials)) >= MANY_ROWS:
            raise ValueError(
                f"{table.where(0)}: expected durations of fixations in {column!r}, found the same one in all rows of "
                "every image or trial; if the rows are samples, rename or remove the column"
            )
    usual = pd.Series(durations).median()
    if scale is None and 0 < usual < SHORTEST_MS:
        raise ValueError(
            f"{table.path}: expected durations of fixations in ms in {column!r}, found {decimal(usual)} as a rule; "
            "give --time_unit s if they are seconds, else --time_unit ms"
        )
    return durations * (scale or 1.0)


def in_order(content: Content, rows: np.ndarray, time_ms: np.ndarray) -> np.ndarray:
    """The rows of a trial and eye in order of time; ValueError if samples are too far from it."""
    times = time_ms[rows]
    back = np.diff(times) < 0
    if not back.any():
        return rows
    order = np.argsort(times, kind="stable")
    if content.mode != "rows" and np.abs(order - np.arange(len(order))).max() > MAX_MOVED_ROWS:
        check_times(times, lambda row: content.table.where(rows[row]))
    content.moved += int(back.sum())
    return rows[order]


def usual_step(times: np.ndarray) -> float:
    """The median of the steps forward; 0 without any."""
    steps = np.diff(times)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
