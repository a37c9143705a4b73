"""Trackers' codes for event types, eyes, validity and lost samples."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datasets.recordings.recording import BOTH, LEFT, RIGHT
from datasets.recordings.tables import TrackerTable, plain_name

FIXATION, SAMPLE, EVENT = "fixation", "sample", "user event"
# Beginnings of event types, in lower case; short ones are whole words. BeGaze's visual intake is a fixation of glasses.
KINDS = {
    FIXATION: r"(fixa?|efix)s?(?![a-z])|fixation|fi[xj]aci|visual intake",
    "saccade": r"(sacc?|isac|esacc)s?(?![a-z])|saccad|sakkad|sacada",
    "blink": r"(bl|blink)s?(?![a-z])|eblink",
    "smooth pursuit": r"(purs|sp)s?(?![a-z])|pursuit|smooth",
    "post-saccadic oscillation": r"([hl]?pso|ihps|ilps)s?(?![a-z])",
    "unclassified": r"(undef|noise)s?(?![a-z])|unclass|unknown|undefined",
    "gap": r"(gap|lost)s?(?![a-z])|eyes ?not ?found|missing|noeyes",
    EVENT: r"user ?event|msgs?(?![a-z])",
    SAMPLE: r"smps?(?![a-z])",
}
# Prefix of an event type: the eye, or that the event ends.
OF_EYE = re.compile(r"^((left|right|both|binocular|end)[ _-]*|[lrb][ _-]+)")
# A column of more different values is none of event types.
MANY_WORDS = 20
LETTERS = {"f": FIXATION, "s": "saccade", "b": "blink", "p": "smooth pursuit"}
# Names of columns that can only be event types.
PARTICULAR_KINDS = ("eventtype", "eyemovementtype", "gazeeventtype", "eyemovement", "movementtype", "eyeevent", "event")
EYES = {
    **dict.fromkeys(("l", "left", "os", "links", "lefteye"), LEFT),
    **dict.fromkeys(("r", "right", "od", "rechts", "righteye"), RIGHT),
    **dict.fromkeys(("b", "both", "binocular", "average", "averaged", "avg", "mean", "cyclopean", "combined"), BOTH),
}
YES, NO = ("true", "yes", "y", "t"), ("false", "no", "n", "f")
GOOD = (*YES, "valid", "good", "ok", "tracked")
BAD = (*NO, "invalid", "bad", "lost", "missing", "not tracked", "untracked")
# Names of yes-or-no columns for one event type.
FLAG = re.compile(r"(?:is|in|was)?(fix|fixation|sacc|saccade|blink|lost|missing|invalid)(?:detected|flag)?")
# Values of both coordinates that stand for lost: no eye rests exactly there.
LOST = (0.0, -1.0, -9999.0, -32768.0, 100000000.0)


def kinds(table: TrackerTable, column: str) -> np.ndarray:
    """Event type of every row; its own text where it is unknown."""
    text = table.words(column)
    words = set(text)
    # An f alone, without an s for saccades, may stand for anything.
    letters = words - {""} <= set(LETTERS) and {"f", "s"} <= words
    known = {word: LETTERS.get(word, "") if letters else _kind(word) for word in words}
    return np.array([known[word] for word in text], dtype=object)


def _kind(word: str) -> str:
    if re.fullmatch(r"(fixation|saccade|blink)[ _-]?start|start[ _-]?(fix|sacc|blink).*", word):
        return "start of an event"
    behind = OF_EYE.sub("", word)
    return next((kind for kind, pattern in KINDS.items() if re.match(pattern, behind)), word)


def flagged_kinds(table: TrackerTable) -> np.ndarray | None:
    """Event type of every row by yes-or-no columns such as ``is_fixation`` and ``blink``; None without any."""
    flags = {}
    for column in table.frame:
        flag, words = FLAG.fullmatch(plain_name(column)), table.words(column)
        yes = np.isin(words, (*YES, "1", "1.0"))
        known = (yes | np.isin(words, (*NO, "0", "0.0", ""))).all()
        # Where all values differ, the column is a counter.
        if flag and known and 0 < yes.sum() < len(yes) and len({*words}) < len(words):
            kind = _kind(flag[1])
            flags[kind if kind in KINDS else "gap"] = yes
    if not flags:
        return None
    kinds = np.where(flags.pop(FIXATION, np.full(len(table.frame), True)), FIXATION, "no fixation").astype(object)
    for kind, yes in flags.items():
        kinds[yes] = kind
    return kinds


def has_kinds(table: TrackerTable, column: str) -> bool:
    """Whether a column has event types, and not just such a name: a phase of an experiment may be called "fixation",
    and a finding "unknown".
    """
    found = set(kinds(table, column)) - {""}
    movements = found & set(KINDS)
    if plain_name(column) in PARTICULAR_KINDS:
        return bool(movements)
    return found in ({FIXATION}, {"saccade"}) or bool(movements & {FIXATION, "saccade"}) and len(movements) > 1


def parts_saccades(table: TrackerTable, column: str) -> bool:
    """Whether a column of any name has both fixations and saccades."""
    few = table.frame[[column]].drop_duplicates()
    return len(few) <= MANY_WORDS and {FIXATION, "saccade"} <= {*map(_kind, replace(table, frame=few).words(column))}


def check_no_codes(table: TrackerTable, names: Sequence[str]) -> None:
    """Raise ValueError for unknown codes or words in a column that can only be event types."""
    for column in filter(None, (table.column(name, units=None) for name in names)):
        values, name = set(table.words(column)) - {""}, plain_name(column)
        codes = all(re.fullmatch(r"\d{1,2}(\.0)?|[a-z]", value) for value in values)
        # An "event" may be one of the experiment; and where all numbers differ, the column is a counter.
        may_be = name in PARTICULAR_KINDS and (codes or name != "event")
        if may_be and 2 <= len(values) <= 6 and len(values) < len(table.frame):
            raise ValueError(
                f"{table.path}: expected kinds of rows in {column!r}, such as fixation and saccade, found the "
                f"{'codes' if codes else 'words'} {', '.join(sorted(values))}; write the kinds, or leave the rows and "
                "the column out"
            )


def has_validity(table: TrackerTable, column: str) -> bool:
    """Whether a column has nothing but words of validity, "bad" ones among them; in a status, 0 may mean success."""
    found = set(table.words(column)) - {""}
    return bool(found & set(BAD)) and found <= {*GOOD, *BAD}


def eyes(table: TrackerTable, column: str | None) -> np.ndarray:
    """Eye of every row, ``both`` where no row says; ValueError for a word that is no eye."""
    text = table.words(column)
    if not text.any():
        return np.full(len(text), BOTH, dtype=object)
    known = {word: _eye(word) for word in set(text)}
    found = np.array([known[word] for word in text], dtype=object)
    if (found == "").any():
        advice = "write which eye it is, or give --columns eye=NAME if another column says"
        table.refuse(found == "", column, "left or right (L, R, ...)", advice)
    return found


def _eye(word: str) -> str:
    """The eye that a word names; empty if none."""
    return next((EYES[part] for part in reversed(re.findall(r"[a-z]+", word)) if part in EYES), "")


def invalid(table: TrackerTable, column: str | None, coding: str | None, good: Sequence[str] | None) -> np.ndarray:
    """Rows that a column of validity marks as invalid; none without a column.

    Args:
        coding: what 0 and 1 mean, if the format says: ``flag`` or ``codes``.
        good: the values that the user calls good; None goes by the values; ValueError if they are ambiguous.
    """
    text = table.words(column)
    if column is None:
        return np.zeros(len(text), dtype=bool)
    numbers = {value: number_or_text(value) for value in sorted(set(text) - {""})}
    if good is not None:
        wanted = {number_or_text(word.strip().lower()) for word in good}
        return np.isin(text, ["", *(value for value, number in numbers.items() if number not in wanted)])
    if numbers.keys() <= {*GOOD, *BAD}:
        return np.isin(text, [*BAD, ""]) & bool(numbers)
    found = set(numbers.values())
    if coding is None and plain_name(column).endswith(("valid", "tracked")):
        coding = "flag"
    if coding is None and found <= {0, 1} and found != {1}:
        raise ValueError(
            f"{table.path}: expected to know what is good in {column!r}, found {' and '.join(numbers)} alone, where "
            "1 is good in some software and 0 in other (the older Tobii's); give --valid 1 or --valid 0"
        )
    # 0 is certain and 1 probable, in the codes of the older Tobii software; 4 is lost.
    known, bad = ({0, 1}, {0}) if coding == "flag" else ({0, 1, 2, 3, 4}, {2, 3, 4})
    if found <= known:
        return np.isin(text, [value for value, number in numbers.items() if number in bad])
    raise ValueError(
        f"{table.path}: expected validity in {column!r} as true or false, valid or invalid, 1 or 0, or 0 to 4, found "
        f"{', '.join(numbers)[:80]}; give --valid with the values that are good"
    )


def number_or_text(word: str) -> float | str:
    """A text for comparison, where 7 equals 007 and 7.0, as spreadsheets write it."""
    try:
        return float(word)
    except ValueError:
        return word


def mask_lost_positions(xy: np.ndarray) -> Counter[str]:
    """Replace those of the (2,N) positions that stand for "not found" by NaN; their numbers, by a text for a note."""
    counts: Counter[str] = Counter()
    for value in LOST:
        there = (xy == value).all(axis=0)
        counts[f"positions are ({value:g}, {value:g}), which stands for lost: missing"] = int(there.sum())
        xy[:, there] = np.nan
    return +counts
