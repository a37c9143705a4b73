"""Content of a table by its declared format: columns by role, rows of gaze, and their trials."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from datasets.gaze.fixations import IMAGE_ENDINGS
from datasets.recordings import codings
from datasets.recordings.codings import EVENT, FIXATION, SAMPLE
from datasets.recordings.formats import PLAIN, STATUS, Plane, TableFormat
from datasets.recordings.recording import BOTH, LEFT, RIGHT, ReadingSettings, equal_runs
from datasets.recordings.tables import TrackerTable, unit_of

SIDES = {"": BOTH, "left_": LEFT, "right_": RIGHT}


@dataclass
class Content:
    """Content of a table while it is read.

    Attributes:
        columns: by role; None for a role without one.
        mode: how the table gives the tracker's fixations: ``rows`` (a fixation has rows of its own), ``growing`` (rows
            of samples repeat their fixation with its start), ``runs`` (runs of rows are one), or None.
        moved: how many rows were behind a later one.
    """

    table: TrackerTable
    format: TableFormat
    settings: ReadingSettings
    columns: dict[str, str | None]
    plane: Plane
    mode: str | None = None
    left_out: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    moved: int = 0

    def text(self, role: str) -> np.ndarray:
        return self.table.text(self.columns.get(role))

    def numbers(self, role: str) -> np.ndarray:
        return self.table.numbers(self.columns.get(role))

    def leave_out(self, rows: dict[str, np.ndarray]) -> None:
        """Drop rows, (N,) bool by description, and count them; call it before eyes, clocks and trials are read."""
        for what, there in rows.items():
            self.left_out[what] = int(there.sum())
        kind, kept = self.kind, ~np.logical_or.reduce([*rows.values()])
        self.table, self.kind = self.table.select(kept), None if kind is None else kind[kept]

    def has(self, *roles: str) -> bool:
        return all(self.columns.get(role) for role in roles)

    @property
    def sides(self) -> list[str]:
        """The eyes, keys of ``SIDES``, whose positions have columns."""
        return [side for side in SIDES if self.has(f"{side}x", f"{side}y")]

    @cached_property
    def kind(self) -> np.ndarray | None:
        if self.has("kind"):
            return codings.kinds(self.table, self.columns["kind"])
        return codings.flagged_kinds(self.table) if self.format is PLAIN else None

    @cached_property
    def eye(self) -> np.ndarray:
        return codings.eyes(self.table, self.columns.get("eye"))

    @cached_property
    def who(self) -> np.ndarray:
        """Participant and recording of every row, which share a clock."""
        who = np.full(len(self.table.frame), "", dtype=object)
        for role in ("participant", "recording", "snapshot"):
            if self.has(role):
                who = np.where(who == "", self.text(role), who + " " + self.text(role))
        return who

    @cached_property
    def keys(self) -> np.ndarray:
        """Image and trial of every row."""
        labels = self.text("trial")
        return self.text("image") + np.where(labels == "", "", "\n") + labels

    @cached_property
    def trials(self) -> list[np.ndarray]:
        """Rows of each trial: a run of one image and trial. Those of one eye may lie between or after the other's; the
        n-th run of an image in one eye belongs to the n-th in the other.
        """
        rows = pd.DataFrame({"who": self.who, "eye": self.eye, "key": self.keys})
        begins = rows["key"] != rows.groupby(["who", "eye"])["key"].shift()
        rows["count"] = begins.groupby([rows["who"], rows["eye"], rows["key"]]).cumsum()
        if (self.keys != "").any():
            self.left_out["rows without an image or trial"] = int((self.keys == "").sum())
            rows = rows[rows["key"] != ""]
        trials = rows.index.to_series().groupby([rows["who"], rows["key"], rows["count"]], sort=False)
        return [index.to_numpy() for _, index in trials]


def find_content(table: TrackerTable, format: TableFormat, settings: ReadingSettings) -> Content:
    """Find the columns of every role, on the first plane that has what is wanted, and the rows of gaze.

    Raises:
        ValueError: if positions or times are missing, with the names that were looked for, or kinds are not clear.
    """
    given = settings.columns or {}
    for role, column in given.items():
        if column not in table.frame:
            raise ValueError(
                f"{table.path}: expected the column {column!r} (--columns {role}={column}), found "
                f"{', '.join(table.frame.columns)[:200]}"
            )
    options = [
        Content(table, format, settings, _columns(table, format, plane, given), plane) for plane in format.planes
    ]
    # The user's columns name their unit, too.
    units = {unit_of(column) for role, column in given.items() if role.split("_")[-1] in ("x", "y")}
    options.sort(key=lambda option: not units <= set(option.plane.names))
    for option in options:
        option.mode = _mode(option)
    wants = (
        lambda option: option.mode and not settings.want_samples,
        lambda option: option.sides and option.mode != "rows",
        lambda option: option.mode,
    )
    content = next((option for wanted in wants for option in options if wanted(option)), None)
    content = content or max(options, key=lambda option: sum(map(bool, option.columns.values())))
    _check_found(content)
    if settings.xy_unit not in (None, content.plane.unit) and format is not PLAIN:
        raise ValueError(
            f"{table.path}: expected no --xy_unit {settings.xy_unit}, as positions of {format.name} are in "
            f"{content.plane.unit}; leave it out, or give --format plain"
        )
    if format is PLAIN:
        shown = [f"{role}={column}" for role, column in content.columns.items() if column and role not in given]
        content.notes += [f"columns by their usual names: {', '.join(shown)}"] if shown else []
        _leave_out_others(content)
    _take_kinds(content)
    if content.mode == "rows" and content.has("t") and not content.has("id"):
        # Exact copies, as where a table was appended to itself.
        copies = content.table.frame.duplicated([*filter(None, dict.fromkeys(content.columns.values()))]).to_numpy()
        content.leave_out({"rows that are copies of others": copies})
    _find_images(content)
    return content


def _columns(table: TrackerTable, format: TableFormat, plane: Plane, given: dict[str, str]) -> dict[str, str | None]:
    def find(role: str) -> str | None:
        names = format.columns[role].split("|")
        if role == "kind" and format is PLAIN:
            # Columns of likely names first, if they have event types.
            named = filter(None, (table.column(name, units=None) for name in names))
            named = (column for column in named if codings.has_kinds(table, column))
            others = (column for column in table.frame if codings.parts_saccades(table, column))
            return next(itertools.chain(named, others), None)
        if role == "valid" and format is PLAIN and not table.column(*names):
            there = filter(None, map(table.column, STATUS.split("|")))
            return next((column for column in there if codings.has_validity(table, column)), None)
        if role == "image":
            # Not every column of files is one of images.
            there = filter(None, map(table.column, names))
            return max(there, key=lambda column: _are_images(table, column), default=None)
        return table.column(*names, units=plane.names if role.split("_")[-1] in ("x", "y") else None)

    # A column that the user gives for one role serves no other.
    columns = {role: None if (column := find(role)) in given.values() else column for role in format.columns} | given
    if {"x", "y"} & set(given) and not {"left_x", "right_x"} & set(given):
        columns |= dict.fromkeys(("left_x", "left_y", "right_x", "right_y"))
    return columns


def _mode(content: Content) -> str | None:
    declared = content.format.columns
    fixations = content.kind is not None and (content.kind == FIXATION).any()
    if "start" in declared:
        return "growing" if content.has("fix_x", "fix_y", "start", "duration", "id") else None
    if "fix_x" in declared:
        if not content.has("fix_x", "fix_y") or not (fixations if content.has("kind") else content.has("id")):
            return None
        keys = content.text("kind") + " " + content.text("id")
        # A fixation has a row of its own, and not one a sample.
        if content.has("duration") and all(
            last - first == 1 for first, last in equal_runs(keys) if keys[first].strip()
        ):
            content.columns |= {"x": content.columns["fix_x"], "y": content.columns["fix_y"]}
            content.columns |= dict.fromkeys(("left_x", "right_x"))
            return "rows"
        return "runs"
    lasts = next((role for role in ("duration", "end") if content.has(role)), None)
    # Beside samples, the duration is that of the sample's fixation, empty for samples outside of any.
    beside = content.settings.want_samples and (content.text(lasts) == "").any()
    if content.sides and lasts and not beside:
        return "rows"
    return "runs" if content.has("x", "y", "kind") and {FIXATION, "saccade"} <= set(content.kind) else None


def _check_found(content: Content) -> None:
    format, table = content.format, content.table
    missing = ["t"] if content.mode != "rows" and not content.has("t") else []
    if not content.sides and not content.mode:
        side = next((side for side in SIDES if content.has(f"{side}x") or content.has(f"{side}y")), "")
        missing += [role for role in (f"{side}x", f"{side}y") if not content.has(role)]
    if missing:
        wanted = []
        for role in missing:
            names = f"{format.columns.get(role, role)}|{format.columns.get(f'fix_{role}', '')}".strip("|").split("|")
            wanted.append(f"{role} ({' or '.join(map(repr, names[:4]))}{', ...' if len(names) > 4 else ''})")
        raise ValueError(
            f"{table.path}: expected columns of time, x and y as {format.name} has them, found none for "
            f"{'; '.join(wanted)} among {', '.join(table.frame.columns)[:200]}; give --columns "
            f"{','.join(f'{role}=NAME' for role in missing)}"
        )


def _leave_out_others(content: Content) -> None:
    """Drop rows without gaze, where others have some: PyGaze's messages, and Gorilla's rows about the screen."""
    roles = ["t", "duration", *(f"{side}{axis}" for side in SIDES for axis in "xy")]
    messages = content.table.words(content.table.frame.columns[0]) == "msg"
    empty = np.all([content.text(role) == "" for role in roles], axis=0) & ~messages
    if not (messages | empty).all():
        content.leave_out({"rows of messages": messages, "rows without time and position": empty})


def _take_kinds(content: Content) -> None:
    kinds, table = content.kind, content.table
    if kinds is None:
        if content.mode == "rows":
            codings.check_no_codes(table, content.format.columns.get("kind", "").split("|"))
        return
    wanted = kinds == (FIXATION if content.mode == "rows" else SAMPLE)
    if not wanted.any():
        if content.mode == "rows":
            found = ", ".join(sorted(set(kinds) - {""})[:5])
            raise ValueError(
                f"{table.path}: expected rows that are fixations in {content.columns['kind']!r}, found {found}"
            )
        # Events would split the fixation around them.
        wanted = kinds != EVENT
        if not wanted.any():
            raise ValueError(f"{table.path}: expected rows of gaze, found those of kind {EVENT} alone")
    if not wanted.all():
        others = dict.fromkeys(kinds[~wanted])
        content.leave_out({f"rows of kind {kind or '(none)'}": kinds == kind for kind in others})


def _find_images(content: Content) -> None:
    """Where no column is one of images by its name, take the one whose values are image files."""
    if content.has("image"):
        return
    found = [column for column in content.table.frame if _are_images(content.table, column)]
    if len(found) == 1:
        content.columns["image"] = found[0]
        content.notes.append(f"images by the column {found[0]!r}, whose values are names of image files")
    elif found:
        content.notes.append(f"images are named in {', '.join(found)}: --columns image=NAME says in which")


def _are_images(table: TrackerTable, column: str) -> bool:
    names = set(table.words(column)) - {""}
    return bool(names) and all(name.endswith(IMAGE_ENDINGS) for name in names)
