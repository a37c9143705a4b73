"""What trackers write for kinds of rows, eyes, validity and lost samples."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datasets.recordings.recording import BOTH, LEFT, RIGHT
from datasets.recordings.tables import TrackerTable, plain_name

FIXATION, SAMPLE, EVENT = "fixation", "sample", "user event"
# How texts begin, in lower case; short ones are a whole word. BeGaze's visual intake is a fixation of glasses.
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
# Which eye's, or that it is over: in front of a kind.
OF_EYE = re.compile(r"^((left|right|both|binocular|end)[ _-]*|[lrb][ _-]+)")
# No column of kinds has so many.
MANY_WORDS = 20
LETTERS = {"f": FIXATION, "s": "saccade", "b": "blink", "p": "smooth pursuit"}
# Names that say nothing else than what the eye did.
PARTICULAR_KINDS = ("eventtype", "eyemovementtype", "gazeeventtype", "eyemovement", "movementtype", "eyeevent", "event")
EYES = {
    **dict.fromkeys(("l", "left", "os", "links", "lefteye"), LEFT),
    **dict.fromkeys(("r", "right", "od", "rechts", "righteye"), RIGHT),
    **dict.fromkeys(("b", "both", "binocular", "average", "averaged", "avg", "mean", "cyclopean", "combined"), BOTH),
}
YES, NO = ("true", "yes", "y", "t"), ("false", "no", "n", "f")
GOOD = (*YES, "valid", "good", "ok", "tracked")
BAD = (*NO, "invalid", "bad", "lost", "missing", "not tracked", "untracked")
# Columns that say yes or no to one kind of rows.
FLAG = re.compile(r"(?:is|in|was)?(fix|fixation|sacc|saccade|blink|lost|missing|invalid)(?:detected|flag)?")
# Both coordinates alike: no eye rests there to the last digit.
LOST = (0.0, -1.0, -9999.0, -32768.0, 100000000.0)


def kinds(table: TrackerTable, column: str) -> np.ndarray:
    """The kind of every row, its own text where it is none that is known."""
    text = table.words(column)
    words = set(text)
    # A fixation alone may be anything that begins with its letter.
    letters = words - {""} <= set(LETTERS) and {"f", "s"} <= words
    known = {word: LETTERS.get(word, "") if letters else _kind(word) for word in words}
    return np.array([known[word] for word in text], dtype=object)


def _kind(word: str) -> str:
    if re.fullmatch(r"(fixation|saccade|blink)[ _-]?start|start[ _-]?(fix|sacc|blink).*", word):
        return "start of an event"
    behind = OF_EYE.sub("", word)
    return next((kind for kind, pattern in KINDS.items() if re.match(pattern, behind)), word)


def flagged_kinds(table: TrackerTable) -> np.ndarray | None:
    """The kind of every row by columns such as ``is_fixation`` and ``blink``, of yes and no; None without any."""
    flags = {}
    for column in table.frame:
        flag, words = FLAG.fullmatch(plain_name(column)), table.words(column)
        yes = np.isin(words, (*YES, "1", "1.0"))
        known = (yes | np.isin(words, (*NO, "0", "0.0", ""))).all()
        # Where each row has another one, they are counted.
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
    """Whether a column says what the eye did, and is not called by chance as one that does: a phase of an experiment
    may be named "fixation" too, and a finding "unknown".
    """
    found = set(kinds(table, column)) - {""}
    movements = found & set(KINDS)
    if plain_name(column) in PARTICULAR_KINDS:
        return bool(movements)
    return found in ({FIXATION}, {"saccade"}) or bool(movements & {FIXATION, "saccade"}) and len(movements) > 1


def parts_saccades(table: TrackerTable, column: str) -> bool:
    """Whether a column, whatever its name is, tells fixations from saccades in words."""
    few = table.frame[[column]].drop_duplicates()
    return len(few) <= MANY_WORDS and {FIXATION, "saccade"} <= {*map(_kind, replace(table, frame=few).words(column))}


def check_no_codes(table: TrackerTable, names: Sequence[str]) -> None:
    """ValueError for codes, or words of a language, that may stand for kinds in a column that says nothing else."""
    for column in filter(None, (table.column(name, units=None) for name in names)):
        values, name = set(table.words(column)) - {""}, plain_name(column)
        codes = all(re.fullmatch(r"\d{1,2}(\.0)?|[a-z]", value) for value in values)
        # An event may be one of the experiment; and where each row has another number, they are counted.
        may_be = name in PARTICULAR_KINDS and (codes or name != "event")
        if may_be and 2 <= len(values) <= 6 and len(values) < len(table.frame):
            raise ValueError(
                f"{table.path}: expected kinds of rows in {column!r}, such as fixation and saccade, found the "
                f"{'codes' if codes else 'words'} {', '.join(sorted(values))}; write the kinds, or leave the rows and "
                "the column out"
            )


def has_validity(table: TrackerTable, column: str) -> bool:
    """Whether a column says in words, and nothing else, which rows are lost; of 0 a status may say that all is well."""
    found = set(table.words(column)) - {""}
    return bool(found & set(BAD)) and found <= {*GOOD, *BAD}


def eyes(table: TrackerTable, column: str | None) -> np.ndarray:
    """The eye of every row, ``both`` where no row says; ValueError for what is no eye."""
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
    """Empty if it is none."""
    return next((EYES[part] for part in reversed(re.findall(r"[a-z]+", word)) if part in EYES), "")


def invalid(table: TrackerTable, column: str | None, coding: str | None, good: Sequence[str] | None) -> np.ndarray:
    """Where a column of validity says that a row is not to be trusted; nowhere without a column.

    Args:
        coding: what 0 and 1 mean, if the format says: ``flag`` or ``codes``.
        good: the values that the user calls good; None goes by the values, which is a ValueError if they do not say.
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
    """For comparison: 7 is 007 and 7.0, as spreadsheets write it."""
    try:
        return float(word)
    except ValueError:
        return word


def mask_lost_positions(xy: np.ndarray) -> Counter[str]:
    """Make those of the (2,N) positions NaN that stand for "not found"; how many they were, by a text for a note."""
    counts: Counter[str] = Counter()
    for value in LOST:
        there = (xy == value).all(axis=0)
        counts[f"positions are ({value:g}, {value:g}), which stands for lost: missing"] = int(there.sum())
        xy[:, there] = np.nan
    return +counts
