"""Which image an EyeLink recording shows from when to when, read from its messages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets.gaze.recordings.recording import ReadingSettings, Rect, Trial

TRIALID = re.compile(r"TRIALID\b\s*(.*)")
TRIAL_VAR = re.compile(r"!V TRIAL_VAR\s+(\S+)\s+(.+)")
IMGLOAD = re.compile(
    r"!V IMGLOAD\s+(FILL|TOP_LEFT|CENTER)\s+(.+?)((?:\s+-?\d+(?:\.\d+)?){2}|(?:\s+-?\d+(?:\.\d+)?){4})?\s*$"
)
IMAGE_VARIABLES = ("image", "img", "stimulus", "stim", "picture", "pic")
IMAGE_FILE = re.compile(r"[^\s,;]+\.(?:jpe?g|png|bmp|tiff?|gif|dcm|webp)\b", re.I)
ONSET = r"^SYNCTIME|^(DISPLAY[_ ]?ON|(STIM|STIMULUS|IMAGE|PICTURE)[_ ]?(ON|ONSET|ONLINE|START|DISPLAY))\b"
OFFSET = r"^(BLANK[_ ]?SCREEN|DISPLAY[_ ]?OFF|(STIM|STIMULUS|IMAGE|PICTURE)[_ ]?(OFF|OFFSET|OFFLINE|END))\b"
# Pictures loaded within this time make up one display; nobody shows one for less.
SAME_DISPLAY_MS = 50


@dataclass(frozen=True)
class Message:
    """A line MSG."""

    time_ms: float
    text: str
    line: int

    def shifted(self) -> Message:
        """A number before the text says how long before the message the thing happened."""
        found = re.match(r"(-?\d{1,9})\s+(\S.*)", self.text)
        return replace(self, time_ms=self.time_ms - float(found[1]), text=found[2]) if found else self


def find_trials(
    path: Path,
    messages: Sequence[Message],
    blocks: Sequence[tuple[float, float]],
    screen: Rect | None,
    settings: ReadingSettings,
) -> list[Trial]:
    """The trials in order of time, without gaze.

    A trial reaches from TRIALID to TRIAL_RESULT, the end of its recording block or the next TRIALID; without
    TRIALID a recording block is one. Its image is the one named by ``settings.image_message``, else by a
    TRIAL_VAR of a telling name, by IMGLOAD, or by a file name behind TRIALID. The image appears with the first
    message that matches ``settings.onset_message``, else when the block starts; several images in a trial follow
    each other, and of several that were loaded the named one is shown from its IMGLOAD to the next.
    """
    messages = [message.shifted() for message in messages]
    parts = _trial_parts(path, messages, blocks)
    trials = []
    for label, part, start_ms, end_ms in parts:
        trials += _images_of(path, label, part, (start_ms, end_ms), blocks, screen, settings)
    return trials


def _trial_parts(path: Path, messages: list[Message], blocks) -> list[tuple[str, list[Message], float, float]]:
    """(label, messages, start, end) of every trial."""
    heads = [(index, TRIALID.match(message.text)) for index, message in enumerate(messages)]
    heads = [(index, found[1].strip()) for index, found in heads if found]
    if not heads:
        return _block_parts(messages, blocks)
    parts = []
    for number, (index, label) in enumerate(heads, 1):
        after = heads[number][0] if number < len(heads) else len(messages)
        part, start = messages[index:after], messages[index].time_ms
        stop = messages[after].time_ms if after < len(messages) else np.inf
        if stop < start:
            raise ValueError(
                f"{path}, line {messages[after].line}: expected a trial after {start:g} ms, found {stop:g} ms; "
                "are these two recordings in one file?"
            )
        ends = [end for _, end in blocks if start < end <= stop]
        results = [m.time_ms for m in part if m.text.startswith("TRIAL_RESULT")]
        parts.append((label or str(number), part, start, min([max(ends, default=stop), stop, *results])))
    return parts


def _block_parts(messages: list[Message], blocks) -> list[tuple[str, list[Message], float, float]]:
    """Every recording block, with the messages since the last one: the image may be named before START."""
    parts, before = [], -np.inf
    for number, (start, end) in enumerate(blocks, 1):
        if not np.isfinite(end):
            end = blocks[number][0] if number < len(blocks) else np.inf
        part = [message for message in messages if before < message.time_ms <= end]
        parts.append((str(number), part, min([start, *(m.time_ms for m in part)]), end))
        before = end
    return parts


def _images_of(path, label, part: list[Message], span, blocks, screen, settings: ReadingSettings) -> list[Trial]:
    """One trial an image; a part without any named image gives one trial without."""
    start_ms, end_ms = span
    where = f"{path}, line {part[0].line}" if part else f"{path}, recording block {label}"
    trial = Trial(label, where, start_ms, end_ms)
    if settings.image_message is not None:
        pattern = re.compile(settings.image_message)
        loads = _loads(part, screen)
        found = [(m, _group(pattern.search(m.text))) for m in part if pattern.search(m.text)]
        named = [(m, name, _rect_of(name, loads)) for m, name in found]
    else:
        named = _named_images(part, label, screen)
    named = [item for index, item in enumerate(named) if index == 0 or item[1] != named[index - 1][1]]
    if len(named) < 2:
        message, name, rect = named[0] if named else (None, None, None)
        load_ms, next_load_ms = _load_times(_loads(part, screen), name)
        start_ms = start_ms if settings.onset_message else max(start_ms, load_ms)
        onset = _onset(part, (start_ms, end_ms), blocks, settings)
        end_ms = min(end_ms, next_load_ms) if next_load_ms > onset else end_ms
        known = onset == load_ms or np.isfinite(_onset_message(part, (start_ms, end_ms), settings, default=np.inf))
        trial = replace(trial, image=name, rect=rect, start_ms=onset, end_ms=end_ms, onset_known=bool(known))
        return [_closed(trial, part, settings)]
    edges = [message.time_ms for message, _, _ in named] + [end_ms]
    return [
        _closed(
            replace(
                trial,
                image=name,
                rect=rect,
                where=f"{path}, line {message.line}",
                start_ms=_first(part, settings.onset_message or ONSET, edges[i], edges[i + 1], default=edges[i]),
                end_ms=edges[i + 1],
            ),
            part,
            settings,
        )
        for i, (message, name, rect) in enumerate(named)
    ]


def _named_images(part: list[Message], label: str, screen) -> list[tuple[Message, str, Rect | None]]:
    """(message, name, rectangle) of each image that Data Viewer's messages name."""
    loads = _loads(part, screen)
    for message in part:
        found = TRIAL_VAR.match(message.text)
        if found and re.sub(r"(file|name|path)+$", "", re.sub(r"[^a-z]", "", found[1].lower())) in IMAGE_VARIABLES:
            name = found[2].strip()
            return [(message, name, _rect_of(name, loads))]
    if loads:
        return loads
    found = IMAGE_FILE.search(label)
    return [(part[0], found[0], None)] if found else []


def _loads(part: list[Message], screen) -> list[tuple[Message, str, Rect | None]]:
    """(message, name, rectangle) of every IMGLOAD."""
    found = [(m, IMGLOAD.match(m.text)) for m in part]
    return [(m, load[2], _load_rect(load, screen)) for m, load in found if load]


def _load_times(loads: list[tuple[Message, str, Rect | None]], name: str | None) -> tuple[float, float]:
    """When the image was loaded, if a cue was before it, and when a mask or a question was; else infinite."""
    times = np.array([message.time_ms for message, _, _ in loads])
    mine = [message.time_ms for message, load, _ in loads if name and _stem(load) == _stem(name)]
    if not mine:
        return -np.inf, np.inf
    cued = (times < mine[0] - SAME_DISPLAY_MS).any()
    return mine[0] if cued else -np.inf, min(times[times > mine[0] + SAME_DISPLAY_MS], default=np.inf)


def _rect_of(name: str, loads: list[tuple[Message, str, Rect | None]]) -> Rect | None:
    """Where the image of a TRIAL_VAR was: its IMGLOAD may add folders and an ending, or be the only one."""
    same = [rect for _, load, rect in loads if _stem(load) == _stem(name)]
    if same or len(loads) == 1:
        return (same or [loads[0][2]])[0]
    # One of several images, but which? The whole screen would be a guess.
    return Rect(0, 0, np.inf, np.inf) if loads else None


def _stem(name: str) -> str:
    base = re.split(r"[\\/]", name.strip())[-1].lower()
    return base.rpartition(".")[0] or base


def _load_rect(found: re.Match, screen: Rect | None) -> Rect | None:
    """The rectangle of an IMGLOAD; one without a size has an infinite one, since the image's own is not known."""
    if found[1] == "FILL":
        return screen
    numbers = [float(word) for word in (found[3] or "").split()]
    if not numbers:
        return None
    x, y, width, height = numbers if len(numbers) == 4 else (*numbers[:2], np.inf, np.inf)
    if len(numbers) == 4 and found[1] == "CENTER":
        x, y = x - width / 2, y - height / 2
    return Rect(x, y, width, height)


def _group(found: re.Match) -> str:
    return found[1] if found.re.groups and found[1] is not None else found[0]


def _onset(part: list[Message], span: tuple[float, float], blocks, settings: ReadingSettings) -> float:
    """When the only image of a trial appeared."""
    starts = [start for start, _ in blocks if span[0] <= start < span[1]]
    default = starts[0] if starts else span[0]
    return _onset_message(part, span, settings, default=default)


def _onset_message(part: list[Message], span: tuple[float, float], settings: ReadingSettings, *, default: float):
    return _first(part, settings.onset_message or ONSET, span[0], span[1], default=default)


def _closed(trial: Trial, part: list[Message], settings: ReadingSettings) -> Trial:
    """The trial, ended by the first message that the image vanished."""
    offset = settings.offset_message or OFFSET
    return replace(trial, end_ms=_first(part, offset, trial.start_ms, trial.end_ms, default=trial.end_ms))


def _first(part: list[Message], pattern: str, start_ms: float, end_ms: float, *, default: float) -> float:
    times = (m.time_ms for m in part if start_ms <= m.time_ms <= end_ms and re.search(pattern, m.text, re.I))
    return next(times, default)
