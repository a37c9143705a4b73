"""Parsing of EyeLink messages: the image that one names, and its place."""

import re
from collections.abc import Sequence

import numpy as np

from datasets.gaze.fixations import IMAGE_ENDINGS, without_ending, without_folders
from datasets.recordings.recording import Rect
from datasets.recordings.tables import MISSING

_ENDINGS = "|".join(re.escape(ending) for ending in IMAGE_ENDINGS)
# A name ends with its ending, as it may have blanks.
ENDING = re.compile(rf"(?:{_ENDINGS})(?=$|[\s\"',;)\]|])", re.I)
QUOTED = re.compile(r"(?:^|[\s=:,;])([\"'])(.+?)\1(?=$|[\s,;])")
COUNTER = re.compile(r"(?:trial\W*)?(\d+)\W*\s+(?=\S)", re.I)
IMGLOAD = re.compile(r"!V IMGLOAD\s+(FILL|TOP_LEFT|CENTER)\s+(.+)")
NUMBER = r"\s+-?\d+(?:\.\d+)?"
WITHOUT_ENDING = re.compile(rf"(.+?)((?:{NUMBER}){{2}}|(?:{NUMBER}){{4}})?")
TRIAL_VAR = re.compile(r"!V TRIAL_VAR\s+(\S+)\s+(.+)")
IMAGE_VARIABLES = ("image", "img", "stimulus", "stim", "picture", "pic")
NOT_GIVEN = (*MISSING, "undefined_null", "undefined", "missing_value")
# Longer than any message of the tracker.
MAX_TEXT = 1000
# Place of an image of unknown size, or of one of several: the user has to give it.
SOMEWHERE = Rect(0, 0, np.inf, np.inf)


def stem(name: str) -> str:
    """Name without folders and an image's ending, in lower case, accents composed, for comparison."""
    return without_ending(without_folders(name.strip().strip("\"'"))).lower()


def variable(text: str) -> str | None:
    """The image in a TRIAL_VAR whose name is one of ``IMAGE_VARIABLES``; None for any other message."""
    found = TRIAL_VAR.match(text)
    if not found or found[2].strip().lower() in NOT_GIVEN:
        return None
    name = re.sub(r"(file|name|path)+$", "", re.sub(r"[^a-z]", "", found[1].lower()))
    return found[2].strip() if name in IMAGE_VARIABLES else None


def load(text: str, screen: Rect | None) -> tuple[str, Rect | None] | None:
    """Name and rectangle in an IMGLOAD; None for any other message.

    Without a size the rectangle is infinite, as the image's own is unknown; without a place there is none.
    """
    found = IMGLOAD.match(text)
    if not found:
        return None
    rest = found[2].strip()[:MAX_TEXT]
    if ends := [ending.end() for ending in ENDING.finditer(rest)]:
        name, place = rest[: ends[-1]], rest[ends[-1] :].strip("\"' ")
    elif found[1] == "FILL":
        name, place = rest, ""
    else:
        name, place = WITHOUT_ENDING.fullmatch(rest).groups("")
    if found[1] == "FILL":
        return name, screen
    if not place:
        return name, None
    numbers = [float(word) for word in re.findall(NUMBER, f" {place}")]
    if not re.fullmatch(rf"(?:{NUMBER}){{4}}", f" {place}") or min(numbers[2:]) <= 0:
        return name, SOMEWHERE
    x, y, width, height = numbers
    return name, Rect(x - width / 2, y - height / 2, width, height) if found[1] == "CENTER" else Rect(*numbers)


def behind_trialid(labels: Sequence[str]) -> list[tuple[str | None, str]]:
    """The image that each text behind TRIALID names, or None and, where it may name one, why that is not certain.

    The name begins with the text, or behind its last slash, and ends with an image's ending; or it is in quotes. A
    number before it may be a counter or part of it: it is a counter where it grows by one from trial to trial and the
    names differ.
    """
    counters = [COUNTER.match(label) for label in labels]
    rests = {label[found.end() :] for label, found in zip(labels, counters, strict=True) if found}
    steps = {int(found[1][:9]) - index if found else None for index, found in enumerate(counters)}
    counting = len(steps) == 1 and None not in steps and len(rests) > 1
    return [_behind(label[found.end() :] if counting else label) for label, found in zip(labels, counters, strict=True)]


def _behind(label: str) -> tuple[str | None, str]:
    ends = [found.end() for found in ENDING.finditer(label)]
    quoted = [text for _, text in QUOTED.findall(label) if ENDING.search(text)]
    if len(quoted) == 1:
        return quoted[0], ""
    if not ends:
        return None, ""
    text = label[: ends[0]].strip("\"' ")
    base = re.split(r"[\\/]", text)[-1]
    if len(ends) > 1:
        reading = "the name of one image, found several"
    elif base == text and COUNTER.match(base):
        reading = "the name of an image, found a number before it that may be part of it or not"
    elif re.search(r"[=:,;|\t]", base):
        reading = "the name of an image alone, found more than that"
    else:
        return text, ""
    return None, (
        f"expected {reading}: TRIALID {label[:60]!r}; give --image_message REGEX with the name in brackets, such as "
        f"'TRIALID (.+)' or 'TRIALID \\S+ (.+)'"
    )
