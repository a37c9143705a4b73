"""The one reader of recordings that are tables: a table and its declaration (formats.py) to a recording."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from datasets.gaze.fixations import IMAGE_ENDINGS
from datasets.gaze.recordings import codings
from datasets.gaze.recordings.codings import FIXATION, SAMPLE
from datasets.gaze.recordings.formats import PLAIN, SHARE, Plane, TableFormat
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
    plain,
    runs,
)
from datasets.gaze.recordings.reshape import RESHAPES
from datasets.gaze.recordings.tables import MS_PER_UNIT, Table, ms_per_unit, unit_of

UNIT_SQUARE = Rect(0, 0, 1, 1)
SIDES = (("", BOTH), ("left_", LEFT), ("right_", RIGHT))
# Shares of the screen lie in 0..1, and a little beyond where the eye leaves it.
MAX_SHARE = 2
# Fixations last differently, and eyes move: so many rows of one duration, or in one corner, are no chance.
MANY_ROWS = 10
# More rows than these are no stray ones: the origin is elsewhere, or two eyes are in one.
MANY_NEGATIVE, MANY_TOGETHER = 0.25, 0.25
# Of the usual distance from the origin: what lies further to its left or above it is no look at the edge.
NEGATIVE_SHARE = 0.25
# Nobody's fixations last so short in milliseconds as a rule, nor so long in seconds.
SHORTEST_MS = 5
# A row that is further from its place in order of time was not written there by chance.
MAX_MOVED_ROWS = 10
# A longer step than this many usual ones is a gap.
GAP_STEPS = 4
SCREEN_SIZE = re.compile(r"(?:resolution|calibration area|^)\D*?(\d{3,5})\s*[x×\t]\s*(\d{3,5})", re.I)


@dataclass
class _Content:
    """What is known of a table, row by row, while it is read.

    Attributes:
        columns: by role; None for what is not there.
        mode: what gives the tracker's fixations: ``rows`` (a fixation has rows of its own), ``growing`` (rows of
            samples repeat their fixation with its start), ``runs`` (stretches of rows are one), or None.
        moved: the rows that stood behind a later one.
    """

    table: Table
    format: TableFormat
    settings: ReadingSettings
    columns: dict[str, str | None]
    plane: Plane
    mode: str | None
    left_out: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)

    def text(self, role: str) -> np.ndarray:
        return self.table.text(self.columns.get(role))

    def numbers(self, role: str) -> np.ndarray:
        return self.table.numbers(self.columns.get(role))

    def has(self, *roles: str) -> bool:
        return all(self.columns.get(role) for role in roles)

    def keep(self, mask: np.ndarray) -> None:
        self.table = self.table.select(mask)


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
    content = _find(table, format, settings)
    content.left_out["rows cut short at the end"] += table.cut_end
    _take_kinds(content)
    _take_image(content)
    surface = format.image_of.match(table.path.stem) if format.image_of else None
    time_ms, duration_ms = _times_ms(content)
    gaze = _gaze(content)
    trials = _trials(content, gaze, time_ms, duration_ms)
    if content.moved:
        content.notes.append(f"{len(content.moved)} rows are in the wrong order of time: sorted")
    if surface:
        trials = [replace(trial, image=surface[1]) for trial in trials]
    unit = settings.xy_unit or content.plane.unit
    square = unit == "fraction" and (content.plane.of != "scene" or surface)
    return Recording(
        table.path,
        format.name,
        tuple(trials),
        unit,
        UNIT_SQUARE if square else _screen(content) if unit == "px" else None,
        notes=tuple(content.notes),
        on_image=content.plane.of == "image",
        # Without what never happened.
        left_out=dict(+content.left_out),
    )


# Columns


def _find(table: Table, format: TableFormat, settings: ReadingSettings) -> _Content:
    """The column of every role, on the first plane that has what is wanted."""
    given = settings.columns or {}
    for role, column in given.items():
        if column not in table.frame:
            raise ValueError(
                f"{table.path}: expected the column {column!r} (--columns {role}={column}), found "
                f"{', '.join(table.frame.columns)[:200]}"
            )
    options = []
    for plane in format.planes:
        columns = {role: _column(table, format, plane, role) for role in format.columns} | given
        if {"x", "y"} & set(given) and not {"left_x", "right_x"} & set(given):
            columns |= dict.fromkeys(("left_x", "left_y", "right_x", "right_y"))
        mode = _mode(table, format, columns)
        some = any(columns.get(f"{side}x") and columns.get(f"{side}y") for side, _ in SIDES)
        options.append((mode and not settings.want_samples, some and mode != "rows", mode, columns, plane))
    wanted = next((option for option in options if option[0]), None)
    wanted = wanted or next((option for option in options if option[1] or option[2]), None)
    wanted = wanted or max(options, key=lambda option: sum(column is not None for column in option[3].values()))
    _, some, mode, columns, plane = wanted
    _check_found(table, format, columns, needs_time=mode != "rows", some=some or mode is not None)
    if mode == "runs" and columns.get("duration") and _row_a_fixation(table, columns):
        mode, columns = (
            "rows",
            columns | {"x": columns["fix_x"], "y": columns["fix_y"], "left_x": None, "right_x": None},
        )
    given_unit = settings.xy_unit
    if given_unit and given_unit != plane.unit:
        if unit_of(columns.get("x") or columns.get("left_x") or "") in SHARE[1:] or format is not PLAIN:
            raise ValueError(
                f"{table.path}: expected no --xy_unit {given_unit}, as {format.name} has positions in {plane.unit}; "
                "leave it out, or give --format plain"
            )
    content = _Content(table, format, settings, columns, plane, mode)
    if format is PLAIN:
        shown = [f"{role}={column}" for role, column in columns.items() if column and role not in given]
        content.notes += [f"columns by their usual names: {', '.join(shown)}"] if shown else []
    return content


def _column(table: Table, format: TableFormat, plane: Plane, role: str) -> str | None:
    position = role.removeprefix("left_").removeprefix("right_").removeprefix("fix_") in ("x", "y")
    names = format.columns[role].split("|")
    if role == "kind" and format is PLAIN:
        # Any name that may be one of kinds, if kinds are what it says.
        found = [table.column(name, units=None) for name in names]
        return next((column for column in found if column and codings.has_kinds(table, column)), None)
    return table.column(*names, units=plane.names if position else None)


def _mode(table: Table, format: TableFormat, columns: dict[str, str | None]) -> str | None:
    def has(*roles: str) -> bool:
        return all(columns.get(role) for role in roles)

    if "fix_x" in format.columns:
        if not has("fix_x", "fix_y") or not (has("start", "duration", "id") if "start" in format.columns else True):
            return None
        if "start" in format.columns:
            return "growing"
        if has("kind"):
            return "runs" if (codings.kinds(table, columns["kind"]) == FIXATION).any() else None
        return "runs" if has("id") else None
    positions = any(has(f"{side}x", f"{side}y") for side, _ in SIDES)
    if positions and (has("duration") or has("end")):
        return "rows"
    if positions and has("x", "kind") and {FIXATION, "saccade"} <= set(codings.kinds(table, columns["kind"])):
        return "runs"
    return None


def _row_a_fixation(table: Table, columns: dict[str, str | None]) -> bool:
    """Whether fixations have one row each, and not one a sample."""
    keys = table.text(columns.get("kind")) + " " + table.text(columns.get("id"))
    return all(last - first == 1 for first, last in runs(keys) if keys[first].strip())


def _check_found(table: Table, format: TableFormat, columns: dict, *, needs_time: bool, some: bool) -> None:
    """ValueError with the names that were looked for, if positions or times are missing."""
    missing = ["t"] if needs_time and not columns.get("t") else []
    if not some:
        sides = [side for side, _ in SIDES if columns.get(f"{side}x") or columns.get(f"{side}y")] or [""]
        missing += [role for role in (f"{sides[0]}x", f"{sides[0]}y") if not columns.get(role)]
    if missing:
        wanted = "; ".join(f"{role} ({_names(format, role)})" for role in missing)
        raise ValueError(
            f"{table.path}: expected columns of time, x and y as {format.name} has them, found none for {wanted} among "
            f"{', '.join(table.frame.columns)[:200]}; give --columns {','.join(f'{role}=NAME' for role in missing)}"
        )


def _names(format: TableFormat, role: str) -> str:
    names = [repr(name) for name in format.columns.get(role, role).split("|")]
    if f"fix_{role}" in format.columns:
        names += [repr(name) for name in format.columns[f"fix_{role}"].split("|")]
    return " or ".join(names[:4]) + (", ..." if len(names) > 4 else "")


# Rows


def _take_kinds(content: _Content) -> None:
    """Only rows that are fixations, or samples; what others there are is counted."""
    column = content.columns.get("kind")
    if column is None:
        if content.mode == "rows":
            for name in content.format.columns.get("kind", "").split("|"):
                found = content.table.column(name, units=None)
                if found:
                    codings.check_no_codes(content.table, found)
        return
    kinds = codings.kinds(content.table, column)
    wanted = FIXATION if content.mode == "rows" else SAMPLE if (kinds == SAMPLE).any() else None
    if wanted is None:
        return
    if not (kinds == wanted).any():
        found = ", ".join(sorted(set(kinds) - {""})[:5])
        raise ValueError(f"{content.table.path}: expected rows that are fixations in {column!r}, found {found}")
    for kind, count in Counter(kinds[kinds != wanted]).items():
        content.left_out[f"rows of kind {kind or '(none)'}"] += count
    content.keep(kinds == wanted)


def _take_image(content: _Content) -> None:
    """Without a column of images by name, the one whose values are files of images."""
    if content.has("image") or content.has("snapshot"):
        return
    frame = content.table.frame
    found = []
    for column in frame:
        values = [value for value in frame[column].unique() if value.strip()]
        if values and all(value.strip().lower().endswith(IMAGE_ENDINGS) for value in values):
            found.append(column)
    if len(found) == 1:
        content.columns["image"] = found[0]
        content.notes.append(f"images by the column {found[0]!r}, whose values are names of image files")
    elif found:
        content.notes.append(f"images are named in {', '.join(found)}: --columns image=NAME says in which")


def _who(content: _Content) -> np.ndarray:
    """Whose clock a row has: participant and recording."""
    who = np.full(len(content.table.frame), "", dtype=object)
    for role in ("participant", "recording", "snapshot"):
        if content.has(role):
            who = np.where(who == "", content.text(role), who + " " + content.text(role))
    return who


def _stretches(who: np.ndarray, keys: np.ndarray, eye: np.ndarray) -> list[np.ndarray]:
    """The rows of each trial: a stretch of one key, where rows of one eye may lie between or after those of the other.

    The n-th stretch of a key that one eye has is the n-th that the other one has.
    """
    rows: dict[tuple, list[np.ndarray]] = defaultdict(list)
    for of in dict.fromkeys(zip(who, eye, strict=True)):
        index = np.flatnonzero((who == of[0]) & (eye == of[1]))
        counts: Counter = Counter()
        for first, last in runs(keys[index]):
            key = keys[index[first]]
            counts[key] += 1
            rows[of[0], key, counts[key]].append(index[first:last])
    found = [np.sort(np.concatenate(parts)) for parts in rows.values()]
    return sorted(found, key=lambda index: index[0])


# Times


def _times_ms(content: _Content) -> tuple[np.ndarray, np.ndarray | None]:
    """Time, or start, of every row, NaN without; and durations, if there are any."""
    table, format, columns, settings = content.table, content.format, content.columns, content.settings
    raw = table.complete_numbers(columns["t"], "a time") if content.has("t") else np.full(len(table.frame), np.nan)
    longest = _longest(content)
    duration_ms = _durations_ms(content)
    unit = settings.time_unit or (unit_of(columns["t"]) if content.has("t") else None)
    unit = unit if unit in MS_PER_UNIT else format.time_unit
    if not content.has("t") or unit:
        scale = MS_PER_UNIT.get(unit, 1.0)
    elif content.has("end") and content.mode == "rows":
        spans = content.numbers("end") - raw
        scale = _scale_of_spans(content, spans, duration_ms)
    else:
        durations = None if duration_ms is None or content.mode != "rows" else duration_ms[longest]
        scale = ms_per_unit(columns["t"], raw[longest], settings.time_unit, table.path, durations_ms=durations)
    if duration_ms is None and content.mode == "rows":
        duration_ms = (table.complete_numbers(columns["end"], "an end") - raw) * scale
    if duration_ms is not None:
        _check_durations(content, duration_ms)
    return raw * scale, duration_ms


def _longest(content: _Content) -> np.ndarray:
    """The rows of the longest stretch of one recording, image and trial."""
    keys = _who(content) + "\n" + content.text("image") + "\n" + content.text("trial")
    first, last = max(runs(keys), key=lambda run: run[1] - run[0])
    return np.arange(first, last)


def _scale_of_spans(content: _Content, spans: np.ndarray, duration_ms: np.ndarray | None) -> float:
    """Milliseconds in the unit of starts and ends, by what lies between them: durations, or how long fixations last."""
    span = float(np.nanmedian(spans)) if np.isfinite(spans).any() else np.nan
    low, high = (30, 3000) if duration_ms is None else np.array((0.5, 2)) * np.median(duration_ms)
    for scale in MS_PER_UNIT.values():
        if low <= span * scale <= high:
            return scale
    what = "of a fixation" if duration_ms is None else f"in {content.columns['duration']!r}"
    raise ValueError(
        f"{content.table.path}: expected ends that fit the durations {what}, found {plain(span)} from "
        f"{content.columns['t']!r} to {content.columns['end']!r} as a rule; give --time_unit {'|'.join(MS_PER_UNIT)}"
    )


def _durations_ms(content: _Content) -> np.ndarray | None:
    column = content.columns.get("duration")
    if column is None or content.mode is None:
        return None
    table, settings = content.table, content.settings
    # In rows of samples some may have none.
    durations = table.complete_numbers(column, "a duration") if content.mode == "rows" else table.numbers(column)
    unit = unit_of(column) if unit_of(column) in MS_PER_UNIT else content.format.duration_unit or settings.time_unit
    if content.format is PLAIN and content.mode == "rows":
        _check_same(content, durations)
    scaled = durations * MS_PER_UNIT.get(unit, 1.0)
    if not unit and np.nanmedian(scaled) < SHORTEST_MS and np.nanmax(scaled) > 0:
        raise ValueError(
            f"{table.path}: expected durations of fixations in ms in {column!r}, found {plain(np.nanmedian(scaled))} "
            "as a rule; give --time_unit s if they are seconds, else --time_unit ms"
        )
    return scaled


def _check_same(content: _Content, durations: np.ndarray) -> None:
    """ValueError if they are durations of trials, which samples may have a column of too."""
    stretches = runs(content.text("image") + "\n" + content.text("trial"))
    if all(len({*durations[a:b]}) == 1 for a, b in stretches) and max(b - a for a, b in stretches) >= MANY_ROWS:
        raise ValueError(
            f"{content.table.where(0)}: expected durations of fixations in {content.columns['duration']!r}, found the "
            "same one in all rows of every image or trial; if the rows are samples, rename or remove the column"
        )


def _check_durations(content: _Content, duration_ms: np.ndarray) -> None:
    if (duration_ms < 0).any():
        row = int((duration_ms < 0).argmax())
        found = plain(duration_ms[row])
        raise ValueError(f"{content.table.where(row)}: expected a duration of at least 0, found {found} ms")


def _in_order(content: _Content, index: np.ndarray, time_ms: np.ndarray) -> np.ndarray:
    """The rows of a trial and eye in order of time; ValueError if they are so far from it that something is wrong."""
    times = time_ms[index]
    if not (np.diff(times) < 0).any():
        return index
    order = np.argsort(times, kind="stable")
    moved = np.abs(order - np.arange(len(order)))
    if content.mode != "rows" and moved.max() > MAX_MOVED_ROWS:
        check_times(times, lambda row: content.table.where(index[row]))
    content.moved.update(index[1:][np.diff(times) < 0].tolist())
    return index[order]


# Gaze


def _gaze(content: _Content) -> dict[str, list[pd.DataFrame]]:
    """``fixations`` and ``samples``: x, y, pupil and eye of all rows, a table an eye."""
    found: dict[str, list[pd.DataFrame]] = {"fixations": [], "samples": []}
    of_row = codings.eyes(content.table, content.columns.get("eye"))
    if content.mode in ("growing", "runs"):
        fix = "fix_" if content.has("fix_x", "fix_y") else ""
        found["fixations"].append(_positions(content, fix, of_row))
    kind = "fixations" if content.mode == "rows" else "samples"
    for side, eye in SIDES:
        if content.has(f"{side}x", f"{side}y"):
            found[kind].append(_positions(content, side, eye if side else of_row))
    _check_plane(content, [*found["fixations"], *found["samples"]])
    return found


def _positions(content: _Content, side: str, eye) -> pd.DataFrame:
    """Positions of one eye, NaN where they are not to be trusted or say that there is none."""
    xy = np.stack([content.numbers(f"{side}x"), content.numbers(f"{side}y")])
    for value, there in codings.lost(xy).items():
        what = f"{side.rstrip('_')} {'fixations' if content.mode == 'rows' else 'samples'}".strip()
        content.left_out[f"{what} at ({value:g}, {value:g}), which stands for lost"] += int(there.sum())
        xy[:, there] = np.nan
    if content.format.y_up:
        xy[1] = 1 - xy[1]
    bad = _distrusted(content, side)
    xy[:, bad] = np.nan
    pupils = [content.numbers(role) for role in (f"{side}pupil", "pupil") if content.has(role)]
    if not pupils and side in ("", "fix_"):
        pupils = [mean_of_present(np.stack([content.numbers(f"{eye}_pupil") for eye in (LEFT, RIGHT)]))]
    pupil = pupils[0] if pupils else np.nan
    return pd.DataFrame({"x": xy[0], "y": xy[1], "pupil": pupil, "eye": eye, "bad": bad})


def _distrusted(content: _Content, side: str) -> np.ndarray:
    coding, good = content.format.validity, content.settings.valid
    table, columns = content.table, content.columns

    def invalid(role: str) -> np.ndarray:
        return codings.invalid(table, columns.get(role), coding, good)

    bad = invalid(f"{side}valid")
    if side == "" and not content.has("valid") and content.has("left_valid", "right_valid"):
        bad = bad | (invalid("left_valid") & invalid("right_valid"))
    if side in ("left_", "right_") and not content.has(f"{side}valid"):
        bad = bad | invalid("valid")
    bad = bad | (table.words(columns.get("on")) == "false")
    return bad | (content.numbers("confidence") < (content.format.min_confidence or -np.inf))


def _check_plane(content: _Content, gaze: list[pd.DataFrame]) -> None:
    """ValueError for positions that are plainly of another unit or origin."""
    given, unit, path = content.settings.xy_unit, content.plane.unit, content.table.path
    for table in gaze:
        xy = table[["x", "y"]].to_numpy()
        xy = xy[np.isfinite(xy).all(axis=1)]
        if len(xy) < MANY_ROWS or given == "px":
            continue
        if unit == "px" and given is None and (np.quantile(np.abs(xy), 0.9, axis=0) <= MAX_SHARE).all():
            names = [content.columns.get(f"{side}{axis}") for side, _ in SIDES for axis in "xy"]
            names = " and ".join(repr(name) for name in names if name)
            raise ValueError(
                f"{path}: expected pixels in {names}, found hardly any above {MAX_SHARE}; if they are shares of the "
                "screen, give --xy_unit fraction, else --xy_unit px"
            )
        if unit == "px" and given is None and xy.min() >= 0 and xy.max() <= 100:
            content.notes.append(
                "all positions lie within 100 pixels of the left upper corner: if they are percent, divide them by 100 "
                "and give --xy_unit fraction"
            )
        negative = (xy < -NEGATIVE_SHARE * np.quantile(np.abs(xy), 0.9, axis=0)).mean(axis=0)
        if negative.max() > MANY_NEGATIVE and content.plane.of == "screen":
            raise ValueError(
                f"{path}: expected positions from the left upper corner of the screen, found {negative.max():.0%} "
                "negative; are they degrees, or is the origin the centre of the screen? Convert them to pixels from "
                "the corner, y downwards, or, for pixels from elsewhere, give --xy_unit px and --stimulus_rect"
            )


# Fixations


def _fixation_rows(content: _Content, gaze: list[pd.DataFrame], time_ms, duration_ms, who) -> list[pd.DataFrame]:
    """A table an eye: ``start_ms``, ``duration_ms``, position and ``id`` of the fixation of every row; NaN in none."""
    if not gaze:
        return []
    start = time_ms
    ids = content.text("id") if content.has("id") else np.arange(len(time_ms))
    if content.mode == "growing":
        start = content.numbers("start") * MS_PER_UNIT[content.format.time_unit]
    elif content.mode == "runs":
        start, duration_ms, ids = _runs_of_rows(content, time_ms, duration_ms, who)
    return [of_eye.assign(start_ms=start, duration_ms=duration_ms, id=ids) for of_eye in gaze]


def _runs_of_rows(content: _Content, time_ms, duration_ms, who) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start, duration and number of the fixation of every row; NaN for the duration of rows in none."""
    ids = content.text("id")
    kinds = codings.kinds(content.table, content.columns["kind"]) if content.has("kind") else None
    keys = ids if kinds is None else np.where(kinds == FIXATION, "fixation " + ids, "")
    start, duration, number = time_ms.copy(), np.full(len(time_ms), np.nan), np.zeros(len(time_ms), int)
    cut = 0
    for of in dict.fromkeys(who):
        index = np.flatnonzero(who == of)
        check_times(time_ms[index], lambda row, index=index: content.table.where(index[row]))
        for first, last in runs(keys[index]):
            rows = index[first:last]
            if not keys[rows[0]]:
                continue
            said = duration_ms[rows][np.isfinite(duration_ms[rows])] if duration_ms is not None else []
            begin, lasts, was_cut = _extent(time_ms[index], first, last, said[0] if len(said) else np.nan)
            start[rows], duration[rows], number[rows] = begin, lasts, index[first]
            cut += was_cut
    if cut:
        content.notes.append(
            f"{cut} fixations began before the first row or ended after the last: only what is seen counts"
        )
    return start, duration, number


def _extent(times: np.ndarray, first: int, last: int, said: float) -> tuple[float, float, bool]:
    """Start, duration, and whether a part is not in the table, of the fixation in the rows first..last."""
    step = _step(times)
    before = first > 0 and times[first] - times[first - 1] <= GAP_STEPS * step
    after = last < len(times) and times[last] - times[last - 1] <= GAP_STEPS * step
    until = times[last] if after else times[last - 1] + step
    seen = until - times[first]
    if np.isnan(said):
        return times[first], seen, False
    cut = said > seen + 1.5 * step and not (before and after)
    if cut and not before:
        # The first row is not where it began.
        return (until - said, said, True) if after else (times[first], seen, True)
    return times[first], said, cut


def _fixations_of(content: _Content, tables: list[pd.DataFrame], index: np.ndarray, time_ms) -> pd.DataFrame | None:
    """The fixations of a trial, one row each."""
    if not tables:
        return None
    frame = pd.concat([table.iloc[rows].assign(row=rows) for table, rows in _by_eye(content, tables, index, time_ms)])
    if content.mode == "growing":
        # A row that is not trusted is none of its fixation's, and may be the last.
        frame = frame[~frame["bad"]].dropna(subset=["start_ms"])
    frame = frame.dropna(subset=["duration_ms"])
    merge = content.format.merge
    merged = frame.groupby(["eye", "id", "start_ms"], sort=False, dropna=False, as_index=False).agg(
        {"duration_ms": "max", "x": merge, "y": merge, "pupil": "mean", "row": "first"}
    )
    if content.mode == "rows" and content.has("t") and not content.has("id"):
        copies = merged.duplicated(["eye", "start_ms", "duration_ms", "x", "y"])
        content.left_out["rows that are copies of others"] += int(copies.sum())
        merged = merged[~copies]
    for _, of_eye in merged.groupby("eye"):
        _check_apart(content, of_eye)
    return merged.reset_index(drop=True)[["start_ms", "duration_ms", "x", "y", "pupil", "eye"]]


def _check_apart(content: _Content, fixations: pd.DataFrame) -> None:
    """ValueError if fixations of one eye lie over each other: then they are of two eyes, or of two people."""
    ordered = fixations.sort_values("start_ms", kind="stable")
    start, duration = ordered["start_ms"].to_numpy(), ordered["duration_ms"].to_numpy()
    shared = (start + duration)[:-1] - start[1:]
    over = shared > 0.5 * np.minimum(duration[:-1], duration[1:])
    if over.sum() > max(1, MANY_TOGETHER * len(over)):
        row = int(ordered["row"].iloc[int(over.argmax()) + 1])
        raise ValueError(
            f"{content.table.where(row)}: expected fixations of one eye one after the other, found {int(over.sum())} "
            f"of {len(ordered)} that begin within the one before; if they are of two eyes or several recordings, give "
            "--columns eye=NAME or recording=NAME, if a fixation has several rows, leave one of them"
        )


# Trials


def _trials(content: _Content, gaze: dict, time_ms: np.ndarray, duration_ms: np.ndarray | None) -> list[Trial]:
    table = content.table
    who, images, labels = _who(content), content.text("image"), content.text("trial")
    keys = images + np.where(labels == "", "", "\n") + labels
    stretches = _stretches(who, keys, codings.eyes(table, content.columns.get("eye")))
    if (keys != "").any():
        content.left_out["rows without an image or trial"] += int((keys == "").sum())
        stretches = [index for index in stretches if keys[index[0]]]
    fixations = _fixation_rows(content, gaze["fixations"], time_ms, duration_ms, who)
    windows = content.format.onset and (bool(gaze["samples"]) or content.mode in ("growing", "runs"))
    if content.mode == "growing":
        # A row a fixation: when the image appeared is not known.
        windows &= any(fixations[0].iloc[index].duplicated(["id", "start_ms"]).any() for index in stretches)
    place = _Place.of(content)
    trials = []
    for number, index in enumerate(stretches, 1):
        first = index[0]
        trial = Trial(labels[first] or images[first] or who[first] or str(number), table.where(first))
        start, end = _window(index, who, time_ms) if windows else (-np.inf, np.inf)
        trials.append(
            replace(
                trial,
                start_ms=start,
                end_ms=end,
                image=images[first] or None,
                rect=place.rect(index),
                image_size=place.image_size(index),
                doubt=place.doubt,
                fixations=_fixations_of(content, fixations, index, time_ms),
                samples=_samples_of(content, gaze["samples"], index, time_ms),
            )
        )
    return trials


def _samples_of(content: _Content, tables: list[pd.DataFrame], index: np.ndarray, time_ms) -> pd.DataFrame | None:
    """The samples of a trial, those of each eye in order of time."""
    if not tables:
        return None
    found = []
    for table, rows in _by_eye(content, tables, index, time_ms):
        found.append(table.iloc[rows].assign(time_ms=time_ms[rows]))
        _check_one_eye(content, rows, found[-1])
    return pd.concat(found, ignore_index=True)[["time_ms", "x", "y", "pupil", "eye"]]


def _by_eye(content: _Content, tables: list[pd.DataFrame], index: np.ndarray, time_ms):
    """Each table with the rows among ``index`` that are of one eye, in order of time."""
    for table in tables:
        eye = table["eye"].to_numpy()[index]
        for of in dict.fromkeys(eye):
            yield table, _in_order(content, index[eye == of], time_ms)


def _check_one_eye(content: _Content, rows: np.ndarray, samples: pd.DataFrame) -> None:
    """ValueError if as a rule two samples have one time: then they are of two eyes."""
    again = samples["time_ms"].duplicated() & ~samples.duplicated(["time_ms", "x", "y"])
    if again.sum() > max(MANY_ROWS, MANY_TOGETHER * len(samples)):
        where = content.table.where(rows[int(again.to_numpy().argmax())])
        raise ValueError(
            f"{where}: expected one position at a time, found another at the same time in {int(again.sum())} of "
            f"{len(samples)} rows; if they are of two eyes or several recordings, give --columns eye=NAME or "
            "recording=NAME"
        )


def _window(index: np.ndarray, who: np.ndarray, time_ms: np.ndarray) -> tuple[float, float]:
    """From the first row of a trial to the one after it, or one step behind the last where that comes later."""
    start, last, step = time_ms[index].min(), time_ms[index].max(), _step(np.sort(time_ms[index]))
    following = index[-1] + 1
    if following < len(who) and who[following] == who[index[-1]]:
        if last < time_ms[following] <= last + GAP_STEPS * step:
            return float(start), float(time_ms[following])
    return float(start), float(last + step)


def _step(times: np.ndarray) -> float:
    steps = np.diff(times)
    return float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0


@dataclass(frozen=True)
class _Place:
    """Where and how large the image was, row by row: (N,4) left, top, width, height; (N,2) height and width."""

    rects: np.ndarray
    sizes: np.ndarray
    doubt: str = ""

    @staticmethod
    def of(content: _Content) -> _Place:
        rects = np.stack([content.numbers(role) for role in ("left", "top", "width", "height")], axis=1)
        if content.plane.of == "media":
            rects[:, :2] = 0
        if content.plane.of == "image":
            rects[:] = np.nan
        doubt = "pixels of a snapshot, at 0,0, of unknown size" if content.has("snapshot") else ""
        sizes = np.stack([content.numbers(role) for role in ("image_height", "image_width")], axis=1)
        return _Place(rects, sizes, doubt)

    def rect(self, index: np.ndarray) -> Rect | None:
        found = _first_known(self.rects[index])
        return Rect(*found) if found is not None and min(found[2:]) > 0 else None

    def image_size(self, index: np.ndarray) -> tuple[float, float] | None:
        found = _first_known(self.sizes[index])
        return tuple(found) if found is not None and min(found) > 0 else None


def _first_known(rows: np.ndarray) -> list[float] | None:
    known = np.isfinite(rows).all(axis=1)
    return rows[int(known.argmax())].tolist() if known.any() else None


def _screen(content: _Content) -> Rect | None:
    """The size of the screen, as columns or the lines above the header say."""
    size = [content.table.single(content.columns.get(f"screen_{side}")) for side in ("width", "height")]
    if None in size:
        texts = set(content.text("screen")) - {""} if content.has("screen") else {content.table.preamble}
        found = SCREEN_SIZE.search(texts.pop()) if len(texts) == 1 else None
        size = [float(found[1]), float(found[2])] if found else size
    return Rect(0, 0, *size) if None not in size and min(size) > 0 else None
