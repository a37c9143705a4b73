"""Recordings as all readers return them: trials, each one image seen once, with fixations, samples, or both.

Readers raise ValueError, with file and row or line, for input that is not as its format demands, or ambiguous.
"""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.gaze.fixations import MAX_ID_BYTES, without_folders
from datasets.recordings.formats import PLAIN
from datasets.recordings.tables import MS_PER_UNIT
from utils.inputs import CONTROL_CHARACTERS
from utils.settings import setting

GAZE_COLUMNS = ("start_ms", "duration_ms", "x", "y", "pupil", "eye")
NO_GAZE = pd.DataFrame(columns=GAZE_COLUMNS, dtype=np.float64)
LEFT, RIGHT, BOTH = "left", "right", "both"
# The fields of ``ReadingSettings`` that are read for tables, and for EyeLink.
TABLE_OPTIONS = ("columns", "valid", "time_unit", "xy_unit")
MESSAGE_OPTIONS = ("image_message", "onset_message", "offset_message")


@dataclass(frozen=True)
class Rect:
    """A rectangle in the unit of the recording's coordinates; y grows downwards."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Trial:
    """A trial: one image seen once.

    Attributes:
        label: its name in the recording, to be found in a table of trials.
        where: file and line or row, for messages.
        start_ms, end_ms: when the image appeared and vanished, in the recording's clock; infinite if not known.
        image: its name as recorded; None if the recording does not say.
        rect: where it was on the screen; None if the recording does not say.
        image_size: (height, width) in pixels, if known.
        gaze: the tracker's own fixations, which may reach beyond the trial, and samples, each in order of time for
            each eye, with ``GAZE_COLUMNS``: a sample has no duration, and no x, y where the eye was not found; ``eye``
            is left, right, or both where the tracker gives their mean.
        num_blinks: as the tracker counted.
        onset_known, offset_known: whether the recording says when the image appeared, else it is the start of the
            trial; and when it vanished, else it is when the next one appeared.
        named_by: the message or option that names the image.
        image_doubt: why the image is ambiguous, an error message.
        doubt: why ``rect`` is ambiguous, a part of an error message.
    """

    label: str
    where: str
    start_ms: float = -np.inf
    end_ms: float = np.inf
    image: str | None = None
    rect: Rect | None = None
    image_size: tuple[float, float] | None = None
    gaze: pd.DataFrame = field(default_factory=lambda: NO_GAZE)
    num_blinks: int = 0
    onset_known: bool = True
    offset_known: bool = True
    named_by: str = ""
    image_doubt: str = ""
    doubt: str = ""

    @property
    def fixations(self) -> pd.DataFrame:
        return self.gaze[self.gaze["duration_ms"].notna()]

    @property
    def samples(self) -> pd.DataFrame:
        return self.gaze[self.gaze["duration_ms"].isna()]


@dataclass(frozen=True)
class Recording:
    """A recording: one file.

    Attributes:
        unit: of all coordinates: ``px``, or ``fraction`` of the screen or surface, 0..1.
        screen: the part of the plane that is the screen; None if the recording does not say.
        px_per_degree: (x, y), where the tracker wrote its resolution.
        sampling_rate_hz: as the tracker says; None if it does not.
        notes: for the user.
        plane: where coordinates are measured: on the ``screen``; from the left upper corner of the ``media``, or as
            shares of the ``image``, wherever it was on the screen; or in the ``scene`` camera's picture.
        left_out: numbers of what the reader left out, by description.
    """

    path: Path
    format: str
    trials: tuple[Trial, ...]
    unit: str = "px"
    screen: Rect | None = None
    px_per_degree: tuple[float, float] | None = None
    sampling_rate_hz: float | None = None
    notes: tuple[str, ...] = ()
    plane: str = "screen"
    left_out: dict[str, int] = field(default_factory=dict)


def _pattern(text: str) -> str:
    """A type for regular expressions."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"expected a regular expression, found {text!r} ({error})") from None
    return text


def _columns(text: str) -> dict[str, str]:
    """A type for ``role=NAME,...``; a name may hold an equals sign, but no comma."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(role in PLAIN.columns and name for role, _, name in pairs) or len({p[0] for p in pairs}) < len(pairs):
        raise argparse.ArgumentTypeError(
            f"expected role=NAME,... with each role of {', '.join(PLAIN.columns)} at most once, found {text!r}"
        )
    return {role: name for role, _, name in pairs}


def _message(meaning: str) -> str | None:
    return setting(None, f"EyeLink message {meaning}", _pattern, metavar="REGEX")


@dataclass(frozen=True)
class ReadingSettings:
    """Settings of the readers; None leaves it to the file."""

    columns: dict[str, str] | None = setting(
        None,
        f"columns of {', '.join(PLAIN.columns)} (default: by usual names)",
        _columns,
        metavar="t=NAME,x=NAME,...",
    )
    valid: Sequence[str] | None = setting(
        None,
        "what the column of validity has where a row is good (default: true, valid; 1 where it is called valid)",
        lambda text: text.split(","),
        metavar="VALUE[,VALUE]",
    )
    time_unit: str | None = setting(None, "of times (default: by name or step)", choices=MS_PER_UNIT)
    xy_unit: str | None = setting(None, "of positions (default: by name, else px)", choices=("px", "fraction"))
    image_message: str | None = _message(
        "that names the image, in its first group if it has one (default: TRIAL_VAR, IMGLOAD, TRIALID)"
    )
    onset_message: str | None = _message(
        "at which the image appears (default: SYNCTIME and the like, else the start of the trial)"
    )
    offset_message: str | None = _message(
        "at which it vanishes (default: blank_screen and the like, else the end of the trial)"
    )
    want_samples: bool = False


def unread(settings, *read: str) -> list[str]:
    """Options without effect: fields of ``settings`` that differ from their defaults and are not in ``read``."""
    usual = vars(type(settings)())
    return [f"--{name}" for name in usual if name not in read and getattr(settings, name) != usual[name]]


def count_fixations(trials: Iterable[Trial]) -> int:
    """How many fixations trials have, of all eyes."""
    return sum(len(trial.fixations) for trial in trials)


def counted(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Notes ``NUMBER DESCRIPTION`` of all counts above 0."""
    return tuple(f"{count} {what}" for what, count in counts.items() if count)


def ends_ms(gaze: pd.DataFrame) -> pd.Series:
    """End of each fixation; for a sample its own time."""
    return gaze["start_ms"] + gaze["duration_ms"].fillna(0)


def overlapping(gaze: pd.DataFrame, start_ms: float, end_ms: float) -> pd.DataFrame:
    """Fixations and samples that overlap start..end, both in the recording's clock."""
    return gaze[(gaze["start_ms"] < end_ms) & (ends_ms(gaze) >= start_ms)]


def image_name(name: str, where: str) -> str:
    """The base name of an image as recorded; ValueError if it cannot name a file."""
    base = without_folders(name.strip().strip("\"'")).strip()
    too_long = len(base.encode(errors="replace")) > MAX_ID_BYTES
    if not base or base.startswith(".") or too_long or CONTROL_CHARACTERS.search(base):
        raise ValueError(f"{where}: expected the name of an image, found {name[:80]!r}")
    return base


def equal_runs(keys: np.ndarray) -> list[tuple[int, int]]:
    """Start and stop index of each run of equal keys."""
    if not len(keys):
        return []
    edges = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    return list(zip([0, *edges], [*edges, len(keys)], strict=True))


def check_times(times_ms: np.ndarray, where) -> None:
    """Raise ValueError where time runs backwards; ``where(index)`` names file and row."""
    back = np.flatnonzero(np.diff(times_ms) < 0)
    if len(back):
        index = int(back[0]) + 1
        raise ValueError(
            f"{where(index)}: expected times that do not decrease, found {decimal(times_ms[index])} ms after "
            f"{decimal(times_ms[index - 1])} ms; sort the rows, or give the trials one after the other"
        )


def decimal(number: float, digits: int | None = 3) -> str:
    """A number without an exponent, with up to ``digits`` decimals (None: all it has); "-" if it is not finite."""
    return np.format_float_positional(number, precision=digits, trim="-") if np.isfinite(number) else "-"
