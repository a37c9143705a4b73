"""EyeLink recordings as SR Research's edf2asc writes them (.asc).

The lines are described in "The ASC File Format" of the EyeLink user manuals, the messages (TRIALID, !V IMGLOAD,
!V TRIAL_VAR, an offset before the text) in "Protocol for EyeLink Data to Viewer Integration" of the Data Viewer manual.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from datasets.recordings import codings
from datasets.recordings.eyelink_trials import Message, find_trials
from datasets.recordings.recording import (
    BOTH,
    GAZE_COLUMNS,
    LEFT,
    NO_GAZE,
    RIGHT,
    ReadingSettings,
    Recording,
    Rect,
    Trial,
    check_times,
    counted,
    decimal,
    overlapping,
)
from utils.interrupt import time_limit

# A second does for a hundred thousand messages; some patterns never end.
TRIAL_SECONDS = 20
EYES = {"L": LEFT, "R": RIGHT, "LEFT": LEFT, "RIGHT": RIGHT}
# Warning flags behind a sample's values, for one eye or two.
FLAGS = r"([.CIR]{3}|[.CIR]{5})(?=\s|$)"
WRITTEN = re.compile(
    r"^(\*\* CONVERTED FROM|START[ \t]+\d|[SE]FIX [LR]\b|MSG[ \t]+\d+(?:\.\d+)?(?=\s)|\*\* VERSION: EYELINK)"
    r"|\A\s*\d+\S*([ \t]+(-?\d\S*|\.|[Nn][Aa][Nn])){3,}[ \t]+" + FLAGS,
    re.M,
)
# Form of each kind of line, for messages about incomplete ones.
EXPECTED = {
    "START": "START, a time and LEFT or RIGHT",
    "END": "END and a time after a START",
    "MSG": "MSG, a time and a text",
    "EFIX": "EFIX, eye, start, end, duration, x, y and pupil (is the file cut short?)",
    "EBLINK": "EBLINK, eye, start and end",
}
# Values for missing data: edf2asc's default, and a common one of its option -miss.
MISSING = (".", "nan")
# A fixation lasts from its first sample to the end of its last one.
LONGEST_STEP_MS = 20
RATE = re.compile(r"\bRATE\s+(\d+(?:\.\d+)?)")
RESOLUTION = re.compile(r"\bRES\s+(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)")


def looks_like(text: str) -> bool:
    """Whether a text begins like edf2asc's output."""
    return bool(WRITTEN.search(text[:20000]))


@dataclass(frozen=True)
class _Line:
    """A line other than a sample's, or a message's text, with its number, from 1."""

    path: Path
    number: int
    text: str

    def fail(self, expected: str) -> NoReturn:
        raise ValueError(f"{self.path}, line {self.number}: expected {expected}, found {self.text.strip()[:60]!r}")

    def value(self, word: str) -> float:
        # A spreadsheet may have written decimal commas.
        word = word.replace(",", ".")
        # Not float() alone: it takes "nan", "infinity" and "1_000" too.
        if not re.fullmatch(r"-?\d+\.?\d*|-?\.\d+|-?\d+\.?\d*[eE][+-]?\d{1,2}", word):
            self.fail(f"a number in place of {word[:20]!r}")
        return float(word)


@dataclass
class _Block:
    """A recording block, from START to END; samples are (line number, line)."""

    start_ms: float
    eyes: tuple[str, ...]
    rate_hz: float | None = None
    end_ms: float = np.nan
    samples: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Content:
    """The lines of a file, sorted by kind."""

    path: Path
    want_samples: bool
    samples_alone: bool
    messages: list[Message] = field(default_factory=list)
    fixations: list[tuple] = field(default_factory=list)
    blinks: list[tuple[float, float, str]] = field(default_factory=list)
    blocks: list[_Block] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    unfinished: int = 0
    overlapping: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    px_per_degree: tuple[float, float] | None = None


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read an .asc file; samples only if the tracker marked no fixations or ``settings.want_samples``.

    Samples without any event (edf2asc -s) are one trial.

    Raises:
        ValueError: for a line that is not as described, times that run backwards, or a fixation that is there twice.
    """
    want_samples = settings.want_samples or not re.search(r"^EFIX\b", text, re.M)
    content = _Content(path, want_samples, not re.search(r"^(START|[SE](FIX|SACC|BLINK))\b", text, re.M))
    for number, line in enumerate(text.split("\n"), 1):
        if line[:1].isdigit():
            _take_sample(content, number, line)
        else:
            _take_line(content, _Line(path, number, line))
    if not content.blocks:
        raise ValueError(f"{path}: expected a recording block (a line START), found none; was the file cut?")
    blocks = _block_times(content)
    gaze = _gaze(content)
    screens = _screens(content)
    screen = screens[0] if len(screens) == 1 else None
    sizes = " and ".join(f"{decimal(screen.width)} x {decimal(screen.height)}" for screen in screens[:2])
    doubt = f"screens of several sizes ({sizes}) in one recording" if len(screens) > 1 else ""
    try:
        with time_limit(TRIAL_SECONDS):
            found = find_trials(path, content.messages, blocks, screen, settings)
    except TimeoutError:
        raise ValueError(
            f"{path}: expected its messages to be searched within {TRIAL_SECONDS} s, found that it takes longer; write "
            "--image_message, --onset_message and --offset_message without repetitions inside or behind others"
        ) from None
    trials = [replace(_with_gaze(trial, gaze, content.blinks), doubt=doubt) for trial in found]
    rates = {block.rate_hz for block in content.blocks} - {None}
    left_out = {
        "fixations outside the time of every trial": len(content.fixations)
        - len(set().union(*(trial.fixations.index for trial in trials))),
        "fixations with a beginning (SFIX) and no end": content.unfinished + len(content.begun),
    }
    return Recording(
        path,
        "eyelink",
        tuple(trials),
        "px",
        screen,
        content.px_per_degree,
        rates.pop() if len(rates) == 1 else None,
        _notes(content, trials),
        left_out={what: count for what, count in left_out.items() if count},
    )


def _notes(content: _Content, trials: list[Trial]) -> tuple[str, ...]:
    counts = {
        "recording blocks have no END: the recording was interrupted": sum(
            not np.isfinite(block.end_ms) and not content.samples_alone for block in content.blocks
        ),
        "fixations overlapped the one before them: cut to its end": content.overlapping,
        "trials have no message that the image appeared: taken to be there from the start; if it was not, give "
        "--onset_message": sum(not trial.onset_known for trial in trials),
        "trials have no message that the image vanished: taken to be there until the next; if it was not, give "
        "--offset_message": sum(not trial.offset_known for trial in trials),
    }
    counts |= {f"of the {what}": count for what, count in content.lost.items()}
    alone = "samples alone (edf2asc -s): trials, images and the screen are not in this file"
    return (*([alone] if content.samples_alone else []), *counted(counts))


def _take_line(content: _Content, line: _Line) -> None:
    if re.match(r"-\d", line.text):
        line.fail("a time of at least 0")
    match line.text.split():
        case ["START", time, *rest] if not {"LEFT", "RIGHT"}.isdisjoint(rest):
            eyes = tuple(EYES[word] for word in rest if word in ("LEFT", "RIGHT"))
            content.blocks.append(_Block(line.value(time), eyes))
        case ["END", time, *_] if content.blocks:
            _take_end(content, line, time)
        case ["SAMPLES" | "EVENTS" as what, *rest]:
            if "GAZE" not in rest and (content.want_samples or what == "EVENTS"):
                line.fail("gaze positions (SAMPLES GAZE, EVENTS GAZE; edf2asc -sg)")
            found = RATE.search(line.text)
            if found and float(found[1]) > 0 and content.blocks:
                content.blocks[-1].rate_hz = float(found[1])
        case ["PRESCALER", *scale] if scale != ["1"]:
            line.fail("positions in pixels (PRESCALER 1)")
        case ["MSG", time, *text]:
            text = line.text.split(None, 2)[2] if text else ""
            content.messages.append(Message(line.value(time), text, line.number))
        case ["SFIX", *rest]:
            # An SFIX without EFIX is a fixation cut off.
            eye = "".join(rest[:1])
            content.unfinished += eye in content.begun
            content.begun.add(eye)
        case ["EFIX", eye, start, end, duration, x, y, pupil, *_] if eye in EYES:
            _take_fixation(content, line, eye, (start, end, duration), (x, y, pupil))
        case ["EBLINK", eye, start, end, *_] if eye in EYES:
            content.blinks.append((line.value(start), line.value(end), EYES[eye]))
        case [word, *_] if word in EXPECTED:
            line.fail(EXPECTED[word])


def _take_sample(content: _Content, number: int, text: str) -> None:
    if not content.blocks:
        # In a file of samples alone, the first one starts the only block.
        line, found = _Line(content.path, number, text), re.search(r"\s" + FLAGS, text)
        if not content.samples_alone or not found:
            line.fail("a line START before the first sample")
        eyes = (LEFT, RIGHT) if len(found[1]) == 5 else (BOTH,)
        content.blocks.append(_Block(line.value(text.split()[0]), eyes))
    if content.want_samples:
        content.blocks[-1].samples.append((number, text))


def _take_end(content: _Content, line: _Line, time: str) -> None:
    block = content.blocks[-1]
    block.end_ms = line.value(time)
    if block.end_ms < block.start_ms:
        line.fail(f"an END at {decimal(block.start_ms)} or later (is the file cut short?)")
    found = RESOLUTION.search(line.text)
    if found and float(found[1]) > 0 and float(found[2]) > 0:
        content.px_per_degree = (float(found[1]), float(found[2]))


def _take_fixation(content: _Content, line: _Line, eye: str, times: tuple[str, ...], gaze: tuple[str, ...]) -> None:
    start, end, duration = map(line.value, times)
    if not 0 <= start <= end or duration < 0:
        line.fail("a fixation that starts at 0 or later and ends after it starts")
    if abs(end - start - duration) > LONGEST_STEP_MS:
        line.fail(f"a fixation that lasts from its start to its end, {decimal(end - start)} ms")
    x, y, pupil = (np.nan if word.lower() in MISSING else line.value(word) for word in gaze)
    content.begun.discard(eye)
    content.fixations.append((start, duration, x, y, pupil, EYES[eye]))


def _block_times(content: _Content) -> list[tuple[float, float]]:
    """Start and end of every block; an interrupted one lasts until the next. ValueError for blocks that overlap."""
    times = np.array([(block.start_ms, block.end_ms) for block in content.blocks])
    known = np.flatnonzero(np.isfinite(times))
    check_times(times.flat[known], lambda index: f"{content.path}, recording block {1 + known[index] // 2}")
    ends = np.fmin(times[:, 1], np.append(times[1:, 0], np.inf))
    return list(zip(times[:, 0].tolist(), ends.tolist(), strict=True))


def _gaze(content: _Content) -> pd.DataFrame:
    samples = (table for block in content.blocks if block.samples for table in _block_samples(content, block))
    gaze = pd.concat([_fixation_table(content), *samples], ignore_index=True)
    xy = gaze[["x", "y"]].to_numpy().T.copy()
    content.lost = codings.mask_lost_positions(xy)
    return gaze.assign(x=xy[0], y=xy[1])


def _fixation_table(content: _Content) -> pd.DataFrame:
    """All fixations in order of time; one that overlaps the one before it of the same eye is cut to its end."""
    if not content.fixations:
        return NO_GAZE
    table = pd.DataFrame(content.fixations, columns=GAZE_COLUMNS)
    table = table.sort_values(["start_ms", "duration_ms"], ignore_index=True)
    end = table["start_ms"] + table["duration_ms"]
    before = end.groupby(table["eye"]).transform(lambda ends: ends.cummax().shift())
    if (end <= before).any():
        eye, start = table.loc[(end <= before).idxmax(), ["eye", "start_ms"]]
        raise ValueError(
            f"{content.path}: expected each fixation once, found one of the {eye} eye at {decimal(start)} ms within "
            "another; is the recording in the file twice?"
        )
    start = np.fmax(table["start_ms"], before)
    late = start - table["start_ms"]
    content.overlapping = int((late > 0).sum())
    return table.assign(start_ms=start, duration_ms=table["duration_ms"] - late)


def _block_samples(content: _Content, block: _Block) -> Iterator[pd.DataFrame]:
    """The samples of each eye."""
    width = 1 + 3 * len(block.eyes)
    rows = [line.split(None, width)[:width] for _, line in block.samples]
    for sample, row in zip(block.samples, rows, strict=True):
        if len(row) < width:
            expected = f"a time and 3 values an eye ({width} in all; is the file cut short?)"
            _Line(content.path, *sample).fail(expected)
    text = pd.DataFrame(rows, dtype=str)
    if any("," in line for _, line in block.samples):
        text = text.replace(",", ".", regex=True)
    values = text.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = ~np.isfinite(values) & ~text.isin([*MISSING, "NaN", "NAN"]).to_numpy()
    if wrong.any():
        sample = block.samples[int(wrong.any(axis=1).argmax())]
        _Line(content.path, *sample).fail("numbers, or '.' where the eye was not found")
    times = values[:, 0]
    check_times(times, lambda index: f"{content.path}, line {block.samples[index][0]}")
    # At 2000 Hz two lines share a time; the second is half a millisecond later.
    if block.rate_hz == 2000:
        times = times + np.where(np.append(False, np.diff(times) == 0), 0.5, 0.0)
    for eye, gaze in zip(block.eyes, np.split(values[:, 1:].T, len(block.eyes)), strict=True):
        yield pd.DataFrame(dict(zip(GAZE_COLUMNS, (times, np.nan, *gaze, eye), strict=True)))


def _screens(content: _Content) -> list[Rect]:
    """Screen rectangles, each size once, from GAZE_COORDS, else DISPLAY_COORDS, which give the first and last pixel."""
    for name in ("GAZE_COORDS", "DISPLAY_COORDS"):
        screens = []
        for message in content.messages:
            line = _Line(content.path, message.line, message.text)
            words = line.text.replace("=", " ").replace(",", " ").split()
            if words[:1] == [name] and len(words) >= 5:
                left, top, right, bottom = map(line.value, words[1:5])
                # Some software writes the number of pixels instead of the last one; screens have even sizes.
                width, height = (side + (side % 2 != 0) for side in (right - left, bottom - top))
                if right > left and bottom > top:
                    screens.append(Rect(left, top, width, height))
        if screens:
            return list(dict.fromkeys(screens))
    return []


def _with_gaze(trial: Trial, gaze: pd.DataFrame, blinks: list[tuple[float, float, str]]) -> Trial:
    inside = [eye for start, end, eye in blinks if start < trial.end_ms and end >= trial.start_ms]
    num_blinks = max(inside.count(eye) for eye in (LEFT, RIGHT))
    return replace(trial, gaze=overlapping(gaze, trial.start_ms, trial.end_ms), num_blinks=num_blinks)
