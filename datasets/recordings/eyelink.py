"""EyeLink recordings as SR Research's edf2asc writes them (.asc).

The lines are described in "The ASC File Format" of the EyeLink user manuals, the messages (TRIALID, !V IMGLOAD,
!V TRIAL_VAR, an offset before the text) in "Protocol for EyeLink Data to Viewer Integration" of the Data Viewer manual.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from datasets.recordings import codings
from datasets.recordings.eyelink_trials import Message, find_trials
from datasets.recordings.recording import (
    BOTH,
    FIXATION_COLUMNS,
    LEFT,
    RIGHT,
    SAMPLE_COLUMNS,
    ReadingSettings,
    Recording,
    Rect,
    Trial,
    check_times,
    overlapping,
    plain,
)
from utils.interrupt import time_limit

# A second does for a hundred thousand messages; some patterns never end.
TRIAL_SECONDS = 20
EYES = {"L": LEFT, "R": RIGHT, "LEFT": LEFT, "RIGHT": RIGHT}
# What a sample's line has behind its values, for one eye or two: what the tracker warns of.
FLAGS = r"([.CIR]{3}|[.CIR]{5})(?=\s|$)"
# For what the eye tracker did not find: edf2asc's own, and of its option -miss.
MISSING = (".", "nan")
# A fixation lasts from its first sample to the end of its last one.
LONGEST_STEP_MS = 20
RATE = re.compile(r"\bRATE\s+(\d+(?:\.\d+)?)")
RESOLUTION = re.compile(r"\bRES\s+(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)")


def looks_like(text: str) -> bool:
    """Whether a line near the beginning is one that edf2asc writes."""
    return bool(
        re.search(
            r"^(\*\* CONVERTED FROM|START[ \t]+\d|[SE]FIX [LR]\b|MSG[ \t]+\d+(?:\.\d+)?(?=\s)|\*\* VERSION: EYELINK)"
            r"|\A\s*\d+\S*([ \t]+(-?\d\S*|\.|[Nn][Aa][Nn])){3,}[ \t]+" + FLAGS,
            text[:20000],
            re.M,
        )
    )


@dataclass
class _Block:
    """What stands between START and END."""

    start_ms: float
    eyes: tuple[str, ...]
    rate_hz: float | None = None
    end_ms: float = np.nan
    lines: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


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
    begun: dict[str, int] = field(default_factory=dict)
    unfinished: int = 0
    overlapping: int = 0
    lost: Counter[float] = field(default_factory=Counter)
    px_per_degree: tuple[float, float] | None = None

    def fail(self, number: int, expected: str, line: str):
        """Raise ValueError with file, line number (from 1), what was expected, and the line's first 60 characters."""
        raise ValueError(f"{self.path}, line {number}: expected {expected}, found {line.strip()[:60]!r}")


def read(path: Path, text: str, settings: ReadingSettings) -> Recording:
    """Read an .asc file; samples only if the tracker marked no fixations or ``settings.want_samples``.

    Samples without any event (edf2asc -s) are one trial.

    Raises:
        ValueError: for a line that is not as described, times that run backwards, or a fixation that is there twice.
    """
    want_samples = settings.want_samples or not re.search(r"^EFIX\b", text, re.M)
    content = _Content(path, want_samples, not re.search(r"^(START|[SE](FIX|SACC|BLINK))\b", text, re.M))
    for number, line in enumerate(text.split("\n"), 1):
        _take_line(content, number, line)
    if not content.blocks:
        raise ValueError(f"{path}: expected a recording block (a line START), found none; was the file cut?")
    _check_blocks(content)
    fixations = _fixation_table(content)
    samples = _sample_table(content) if want_samples else None
    screens = list(_screens(content))
    screen = screens[0] if len(screens) == 1 else None
    starts = [*(block.start_ms for block in content.blocks[1:]), np.inf]
    # One that was interrupted lasts until the next.
    blocks = [
        (block.start_ms, block.end_ms if np.isfinite(block.end_ms) else start)
        for block, start in zip(content.blocks, starts, strict=True)
    ]
    sizes = " and ".join(f"{plain(screen.width)} x {plain(screen.height)}" for screen in screens[:2])
    doubt = f"screens of several sizes ({sizes}) in one recording" if len(screens) > 1 else ""
    try:
        with time_limit(TRIAL_SECONDS):
            found = find_trials(path, content.messages, blocks, screen, settings)
    except TimeoutError:
        raise ValueError(
            f"{path}: expected its messages to be searched within {TRIAL_SECONDS} s, found that it takes longer; write "
            "--image_message, --onset_message and --offset_message without repetitions inside or behind others"
        ) from None
    trials = [replace(_with_gaze(trial, fixations, samples, content.blinks), doubt=doubt) for trial in found]
    rates = {block.rate_hz for block in content.blocks} - {None}
    left_out = {
        "fixations outside the time of every trial": len(content.fixations)
        - len(set().union(*(trial.fixations.index for trial in trials if trial.fixations is not None))),
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
    """What a user should know: what is odd, and what was guessed."""
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
    alone = "samples alone (edf2asc -s): trials, images and the screen are not in this file"
    for value, count in content.lost.items():
        counts[f"of the positions are ({value:g}, {value:g}), which stands for lost: missing"] = count
    notes = tuple(f"{count} {what}" for what, count in counts.items() if count)
    return (alone, *notes) if content.samples_alone else notes


def _take_line(content: _Content, number: int, line: str) -> None:
    if line[:1].isdigit():
        if not content.blocks:
            _take_first_sample(content, number, line)
        if content.want_samples:
            content.blocks[-1].lines.append(line)
            content.blocks[-1].numbers.append(number)
        return
    if re.match(r"-\d", line):
        content.fail(number, "a time of at least 0", line)
    words = line.split(None, 1)
    take = _TAKERS.get(words[0]) if words else None
    if take is not None:
        take(content, number, line)


def _take_first_sample(content: _Content, number: int, line: str) -> None:
    """A sample before any START: where a file has samples alone, the beginning of its only block."""
    found = re.search(r"\s" + FLAGS, line)
    if not content.samples_alone or not found:
        content.fail(number, "a line START before the first sample", line)
    eyes = (LEFT, RIGHT) if len(found[1]) == 5 else (BOTH,)
    content.blocks.append(_Block(_number(content, number, line, line.split()[0]), eyes))


def _take_start(content: _Content, number: int, line: str) -> None:
    words = line.split()
    eyes = tuple(EYES[word] for word in words[2:] if word in ("LEFT", "RIGHT"))
    if len(words) < 3 or not eyes:
        content.fail(number, "START, a time and LEFT or RIGHT", line)
    start = _number(content, number, line, words[1])
    content.blocks.append(_Block(start, eyes))


def _take_end(content: _Content, number: int, line: str) -> None:
    words = line.split()
    if len(words) < 2 or not content.blocks:
        content.fail(number, "END and a time after a START", line)
    block = content.blocks[-1]
    block.end_ms = _number(content, number, line, words[1])
    if block.end_ms < block.start_ms:
        content.fail(number, f"an END at {plain(block.start_ms)} or later (is the file cut short?)", line)
    found = RESOLUTION.search(line)
    if found and float(found[1]) > 0 and float(found[2]) > 0:
        content.px_per_degree = (float(found[1]), float(found[2]))


def _take_kinds(content: _Content, number: int, line: str) -> None:
    """SAMPLES and EVENTS say what the numbers are."""
    used = content.want_samples or line.startswith("EVENTS")
    if used and "GAZE" not in line.split():
        content.fail(number, "gaze positions (SAMPLES GAZE, EVENTS GAZE; edf2asc -sg)", line)
    found = RATE.search(line)
    if found and float(found[1]) > 0 and content.blocks:
        content.blocks[-1].rate_hz = float(found[1])


def _take_message(content: _Content, number: int, line: str) -> None:
    parts = line.split(None, 2)
    if len(parts) < 2:
        content.fail(number, "MSG, a time and a text", line)
    content.messages.append(
        Message(_number(content, number, line, parts[1]), parts[2] if len(parts) > 2 else "", number)
    )


def _take_fixation(content: _Content, number: int, line: str) -> None:
    words = line.split()
    if len(words) < 8 or words[1] not in EYES:
        content.fail(number, "EFIX, eye, start, end, duration, x, y and pupil (is the file cut short?)", line)
    start, end, duration = (_number(content, number, line, word) for word in words[2:5])
    if not 0 <= start <= end or duration < 0:
        content.fail(number, "a fixation that starts at 0 or later and ends after it starts", line)
    if abs(end - start - duration) > LONGEST_STEP_MS:
        content.fail(number, f"a fixation that lasts from its start to its end, {plain(end - start)} ms", line)
    x, y, pupil = (_number(content, number, line, word, missing=True) for word in words[5:8])
    if x == y and x in codings.LOST:
        content.lost[x] += 1
        x = y = np.nan
    content.begun.pop(words[1], None)
    content.fixations.append((start, duration, x, y, pupil, EYES[words[1]]))


def _take_beginning(content: _Content, number: int, line: str) -> None:
    """SFIX: one that no EFIX follows was cut, and is counted."""
    eye = (line.split() + [""])[1]
    content.unfinished += eye in content.begun
    content.begun[eye] = number


def _take_scale(content: _Content, number: int, line: str) -> None:
    if line.split()[1:] != ["1"]:
        content.fail(number, "positions in pixels (PRESCALER 1)", line)


def _take_blink(content: _Content, number: int, line: str) -> None:
    words = line.split()
    if len(words) < 4 or words[1] not in EYES:
        content.fail(number, "EBLINK, eye, start and end", line)
    start, end = (_number(content, number, line, word) for word in words[2:4])
    content.blinks.append((start, end, EYES[words[1]]))


_TAKERS = {
    "START": _take_start,
    "END": _take_end,
    "SAMPLES": _take_kinds,
    "EVENTS": _take_kinds,
    "MSG": _take_message,
    "PRESCALER": _take_scale,
    "SFIX": _take_beginning,
    "EFIX": _take_fixation,
    "EBLINK": _take_blink,
}


def _number(content: _Content, number: int, line: str, word: str, *, missing: bool = False) -> float:
    if missing and word.lower() in MISSING:
        return np.nan
    # Whoever has opened the file in a spreadsheet may have decimal commas.
    word = word.replace(",", ".")
    # Not float() alone: it takes "nan", "infinity" and "1_000" too.
    if not re.fullmatch(r"-?\d+\.?\d*|-?\.\d+|-?\d+\.?\d*[eE][+-]?\d{1,2}", word):
        content.fail(number, f"a number in place of {word[:20]!r}", line)
    return float(word)


def _check_blocks(content: _Content) -> None:
    """ValueError unless each block starts after the one before it has ended."""
    times = [time for block in content.blocks for time in (block.start_ms, block.end_ms)]
    numbers = [1 + index // 2 for index, time in enumerate(times) if np.isfinite(time)]
    times = np.array([time for time in times if np.isfinite(time)])
    check_times(times, lambda index: f"{content.path}, recording block {numbers[index]}")


def _fixation_table(content: _Content) -> pd.DataFrame | None:
    """All fixations in order of time; one that begins before the last of its eye has ended, cut to that end.

    Raises:
        ValueError: for one that lies within an earlier one: it is there twice.
    """
    if not content.fixations:
        return None
    table = pd.DataFrame(content.fixations, columns=FIXATION_COLUMNS).sort_values(["start_ms", "duration_ms"])
    end = table["start_ms"] + table["duration_ms"]
    before = end.groupby(table["eye"]).transform(lambda ends: ends.cummax().shift())
    within = table[end <= before]
    if len(within):
        first = within.iloc[0]
        raise ValueError(
            f"{content.path}: expected each fixation once, found one of the {first['eye']} eye at "
            f"{plain(first['start_ms'])} ms within another; is the recording in the file twice?"
        )
    late = np.maximum(table["start_ms"], before.fillna(-np.inf))
    content.overlapping = int((late > table["start_ms"]).sum())
    return table.assign(start_ms=late, duration_ms=table["duration_ms"] - (late - table["start_ms"])).reset_index(
        drop=True
    )


def _sample_table(content: _Content) -> pd.DataFrame | None:
    """Samples of all blocks, a row an eye."""
    tables = [table for block in content.blocks if block.lines for table in _block_samples(content, block)]
    return pd.concat(tables, ignore_index=True) if tables else None


def _block_samples(content: _Content, block: _Block) -> Iterator[pd.DataFrame]:
    """The samples of each eye."""
    width = 1 + 3 * len(block.eyes)
    rows = [line.split(None, width)[:width] for line in block.lines]
    for number, line, row in zip(block.numbers, block.lines, rows, strict=True):
        if len(row) < width:
            content.fail(number, f"a time and 3 values an eye ({width} in all; is the file cut short?)", line)
    text = pd.DataFrame(rows, dtype=str)
    if any("," in line for line in block.lines):
        text = text.replace(",", ".", regex=True)
    values = text.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    wrong = np.argwhere(~np.isfinite(values) & ~text.isin([*MISSING, "NaN", "NAN"]).to_numpy())
    if len(wrong) or np.isnan(values[:, 0]).any():
        index = int(wrong[0, 0]) if len(wrong) else int(np.flatnonzero(np.isnan(values[:, 0]))[0])
        content.fail(block.numbers[index], "numbers, or '.' where the eye was not found", block.lines[index])
    check_times(values[:, 0], lambda index: f"{content.path}, line {block.numbers[index]}")
    times = values[:, 0]
    # At 2000 Hz two lines share a time; the second is half a millisecond later.
    if block.rate_hz == 2000:
        times = times + np.where(np.append(False, np.diff(times) == 0), 0.5, 0.0)
    for i, eye in enumerate(block.eyes):
        for value, there in codings.missing_codes(values[:, 1 + 3 * i : 3 + 3 * i].T).items():
            content.lost[value] += int(there.sum())
            values[there, 1 + 3 * i : 3 + 3 * i] = np.nan
        gaze = (times, *values[:, 1 + 3 * i : 4 + 3 * i].T, eye)
        yield pd.DataFrame(dict(zip(SAMPLE_COLUMNS, gaze, strict=True)))


def _screens(content: _Content) -> dict[Rect, None]:
    """From GAZE_COORDS or, without, DISPLAY_COORDS, which give the first and the last pixel; each size once."""
    for name in ("GAZE_COORDS", "DISPLAY_COORDS"):
        screens = {}
        for message in content.messages:
            words = message.text.replace("=", " ").replace(",", " ").split()
            if words[:1] == [name] and len(words) >= 5:
                left, top, right, bottom = (_number(content, message.line, message.text, word) for word in words[1:5])
                if right > left and bottom > top:
                    screens[Rect(left, top, _pixels(left, right), _pixels(top, bottom))] = None
        if screens:
            return screens
    return {}


def _pixels(first: float, last: float) -> float:
    """How many there are; some software writes the number itself for the last, and screens have an even number."""
    count = last - first
    return count if count % 2 == 0 else count + 1


def _with_gaze(trial: Trial, fixations, samples, blinks: list[tuple[float, float, str]]) -> Trial:
    inside = [eye for start, end, eye in blinks if start < trial.end_ms and end >= trial.start_ms]
    return replace(
        trial,
        fixations=overlapping(fixations, trial.start_ms, trial.end_ms),
        samples=overlapping(samples, trial.start_ms, trial.end_ms),
        num_blinks=max(inside.count(eye) for eye in (LEFT, RIGHT)),
    )
