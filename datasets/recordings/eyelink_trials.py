"""Trials of an EyeLink recording, from its messages: which image was shown, and when."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets.recordings.eyelink_names import ENDING, SOMEWHERE, behind_trialid, load, stem, variable
from datasets.recordings.recording import ReadingSettings, Rect, Trial, decimal

TRIALID = re.compile(r"TRIALID(?![A-Za-z])[\s:=_]*(.*)")
ONSET = r"^SYNCTIME|^(DISPLAY[_ ]?ON|(STIM|STIMULUS|IMAGE|PICTURE)[_ ]?(ON|ONSET|ONLINE|START|DISPLAY))(?![a-z])"
OFFSET = r"^(BLANK[_ ]?SCREEN|DISPLAY[_ ]?OFF|(STIM|STIMULUS|IMAGE|PICTURE)[_ ]?(OFF|OFFSET|OFFLINE|END))(?![a-z])"
# Pictures loaded within this time make up one display; nobody shows one for less.
SAME_DISPLAY_MS = 50


@dataclass(frozen=True)
class Message:
    """A message: a line MSG."""

    time_ms: float
    text: str
    line: int

    def shifted(self) -> Message:
        """The message at the time of its event: a number before the text is the delay of the message."""
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
    TRIAL_VAR of a telling name, by a file name behind TRIALID, or by IMGLOAD; where that could be one or another, the
    trial has a doubt. The image appears with the first message that matches ``settings.onset_message``, one just before
    its name included, else when the block starts; several images in a trial follow each other, and of several that were
    loaded the named one is shown from its IMGLOAD to that of another.
    """
    messages = [message.shifted() for message in messages]
    parts = _trial_parts(path, messages, blocks)
    behind = behind_trialid([label for label, *_ in parts])
    trials = []
    for (label, part, start_ms, end_ms), named in zip(parts, behind, strict=True):
        # (message, name, rectangle) of every IMGLOAD.
        loads = [(message, *loaded) for message in part if (loaded := load(message.text, screen))]
        named_images, doubt = _named_images(part, named, loads, settings.image_message)
        where = f"{path}, line {part[0].line}" if part else f"{path}, recording block {label}"
        trial = Trial(label, where, start_ms, end_ms, image_doubt=doubt)
        trials += _images_of(path, trial, part, named_images, blocks, loads, settings)
    return trials


def _trial_parts(path: Path, messages: list[Message], blocks) -> list[tuple[str, list[Message], float, float]]:
    """(label, messages, start, end) of every trial."""
    found = ((index, TRIALID.match(message.text)) for index, message in enumerate(messages))
    heads = [(index, match[1].strip()) for index, match in found if match]
    if not heads:
        return _block_parts(messages, blocks)
    parts = []
    for number, ((index, label), (after, _)) in enumerate(itertools.pairwise([*heads, (len(messages), "")]), 1):
        part, start = messages[index:after], messages[index].time_ms
        stop = messages[after].time_ms if after < len(messages) else np.inf
        if stop < start:
            raise ValueError(
                f"{path}, line {messages[after].line}: expected a trial after {decimal(start)} ms, found "
                f"{decimal(stop)} ms; are these two recordings in one file? Split it there"
            )
        ends = [min(end, stop) for begin, end in blocks if begin < stop and end > start]
        parts.append((label or str(number), part, start, min([max(ends, default=stop), stop, *_result_times(part)])))
    return parts


def _block_parts(messages: list[Message], blocks) -> list[tuple[str, list[Message], float, float]]:
    """Recording blocks as trials, each with the messages since the last one or its TRIAL_RESULT: the image may be named
    before START, or between END and TRIAL_RESULT.
    """
    parts, before = [], -np.inf
    for number, ((start, end), (following, _)) in enumerate(itertools.pairwise([*blocks, (np.inf, np.inf)]), 1):
        last = max([end, *(time for time in _result_times(messages) if end < time < following)])
        part = [message for message in messages if before < message.time_ms <= last]
        parts.append((str(number), part, min([start, *(m.time_ms for m in part)]), end))
        before = last
    return parts


def _images_of(path, trial: Trial, part: list[Message], named, blocks, loads, settings: ReadingSettings) -> list[Trial]:
    """One trial for each named image; without any, one trial without an image."""
    start_ms, end_ms = trial.start_ms, trial.end_ms
    onset, offset = settings.onset_message or ONSET, settings.offset_message or OFFSET
    # An image drawn again counts once, unless it vanished in between.
    named = [
        item
        for before, item in zip([None, *named], named, strict=False)
        if before is None
        or item[1] != before[1]
        or np.isfinite(_first(part, offset, before[0].time_ms, item[0].time_ms, default=np.inf))
    ]
    if len(named) < 2:
        message, name, rect = named[0] if named else (None, None, None)
        load_ms, next_load_ms = _load_times(loads, name)
        load_ms = _display_ms(part, onset, load_ms)
        start_ms = start_ms if settings.onset_message else max(start_ms, load_ms)
        shown_ms = _first(part, onset, start_ms, end_ms, default=np.nan)
        known = bool(np.isfinite(shown_ms))
        if not known:
            shown_ms = next((start for start, _ in blocks if start_ms <= start < end_ms), start_ms)
        end_ms = min(end_ms, next_load_ms) if next_load_ms > shown_ms else end_ms
        shown = [(message, name, rect, shown_ms, end_ms, known or shown_ms == load_ms)]
    else:
        edges = [_display_ms(part, onset, message.time_ms) for message, _, _ in named] + [end_ms]
        shown = [
            (*image, _first(part, onset, start, np.nextafter(end, -np.inf), default=start), end, True)
            for image, (start, end) in zip(named, itertools.pairwise(edges), strict=True)
        ]
    ends = (np.inf, *(end for _, end in blocks), *_result_times(part))
    trials = []
    for message, name, rect, start, end, known in shown:
        # An image is there until the first message that it vanished.
        gone = _first(part, offset, start, end, default=np.inf)
        where = f"{path}, line {message.line}" if len(shown) > 1 else trial.where
        one = replace(trial, where=where, image=name, rect=rect, named_by=message.text if message else "")
        ended = gone <= end or end in ends
        trials.append(replace(one, start_ms=start, end_ms=float(min(gone, end)), onset_known=known, offset_known=ended))
    return trials


def _result_times(messages: list[Message]) -> list[float]:
    return [message.time_ms for message in messages if message.text.startswith("TRIAL_RESULT")]


def _named_images(part: list[Message], behind: tuple[str | None, str], loads, pattern: str | None):
    """Images named by the user's pattern, or else by Data Viewer's messages, as (message, name, rectangle); and, where
    there is none, why it is not certain.
    """
    if pattern is not None:
        matches = [(message, found) for message in part if (found := re.search(pattern, message.text))]
        names = [(message, (found.lastindex and found[1]) or found[0]) for message, found in matches]
        return [(message, name, _rect_of(name, loads)) for message, name in names], ""
    values = [(message, name) for message in part if (name := variable(message.text))]
    # A variable "stimulus" may hold its kind, beside "image" with the file.
    values = [(m, name) for m, name in values if ENDING.search(name)] or values
    if len({stem(name) for _, name in values}) > 1:
        texts = " and ".join(repr(message.text[:60]) for message, _ in (values[0], values[-1]))
        return [], f"expected one image of the trial, found {texts}; give --image_message REGEX"
    if values:
        return [(*values[0], _rect_of(values[0][1], loads))], ""
    together = [
        (load, after)
        for load, after in itertools.pairwise(loads)
        if stem(load[1]) != stem(after[1]) and after[0].time_ms - load[0].time_ms <= SAME_DISPLAY_MS
    ]
    name, doubt = behind
    if name and loads:
        if any(stem(load) == stem(name) for _, load, _ in loads):
            return [(part[0], name, _rect_of(name, loads))], ""
        texts = f"{name!r} behind TRIALID and {loads[0][0].text[:60]!r}"
        return [], f"expected one image of the trial, found {texts}; give --image_message REGEX"
    if together:
        texts = " and ".join(repr(message.text[:60]) for message, *_ in together[0])
        return [], f"expected one image at a time, found {texts} in one display; give --image_message REGEX"
    if loads:
        return loads, ""
    return ([(part[0], name, None)] if name else []), doubt


def _load_times(loads: list[tuple[Message, str, Rect | None]], name: str | None) -> tuple[float, float]:
    """Load times of the image, if a cue came before it, and of a mask or question after it; infinite otherwise."""
    mine = [message.time_ms for message, load, _ in loads if name and stem(load) == stem(name)]
    if not mine:
        return -np.inf, np.inf
    others = np.array([message.time_ms for message, load, _ in loads if stem(load) != stem(name)])
    cued = (others < mine[0] - SAME_DISPLAY_MS).any()
    return mine[0] if cued else -np.inf, min(others[others > mine[0] + SAME_DISPLAY_MS], default=np.inf)


def _display_ms(part: list[Message], onset: str, message_ms: float) -> float:
    """Onset of a message's display: experiments send the onset just before the name, or after it."""
    return _first(part[::-1], onset, message_ms - SAME_DISPLAY_MS, message_ms, default=message_ms)


def _rect_of(name: str, loads: list[tuple[Message, str, Rect | None]]) -> Rect | None:
    """Rectangle of the image that a TRIAL_VAR names: its IMGLOAD may add folders and an ending, or be the only one."""
    same = [rect for _, load, rect in loads if stem(load) == stem(name)]
    if same or len(loads) == 1:
        return (same or [loads[0][2]])[0]
    # With several images, the whole screen would be a guess.
    return SOMEWHERE if loads else None


def _first(part: list[Message], pattern: str, start_ms: float, end_ms: float, *, default: float) -> float:
    times = (m.time_ms for m in part if start_ms <= m.time_ms <= end_ms and re.search(pattern, m.text, re.I))
    return next(times, default)
