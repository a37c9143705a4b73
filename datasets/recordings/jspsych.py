"""Recordings of jsPsych experiments with its WebGazer extension (6.3, 7 and 8), as JSON or CSV.

A trial has ``webgazer_data``, a list of ``{x, y, t}`` in pixels of the browser's window and ms since the trial began,
``webgazer_targets``, the rectangles of the elements that the experiment asked for, and ``stimulus``, an image or HTML.
"""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from datasets.recordings.eyelink_names import ENDING, SOMEWHERE
from datasets.recordings.recording import BOTH, GAZE_COLUMNS, Recording, Rect, Trial, check_times
from datasets.recordings.tables import MISSING, json_documents, read_table

DATA, TARGETS = "webgazer_data", "webgazer_targets"
# In messages.
JSON = "JSON as jsPsych saves it"
# Deeper than any export: lists of participants' lists of trials, packed into text by a server.
MAX_DEPTH = 8
IMG = re.compile(r"<img\b[^>]*?(?<![-\w])src\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))", re.I)


def looks_like(text: str) -> bool:
    """Whether it is JSON, or a table, with gaze of the WebGazer extension."""
    return DATA in (text if text.lstrip()[:1] in ("[", "{") else text.split("\n", 1)[0])


def read(path: Path, text: str) -> Recording:
    """Read all trials with gaze of any number of participants; times count from the start of each trial.

    Raises:
        ValueError: for text that is no JSON, gaze that is not as described, or a trial that is there twice.
    """
    records = _from_json(path, text) if text.lstrip()[:1] in ("[", "{") else _from_table(path, text)
    trials, seen = [], {}
    for number, (where, record) in enumerate(records, 1):
        other = seen.setdefault(json.dumps(record, sort_keys=True), where)
        if other != where:
            raise ValueError(f"{where}: expected each trial once, found the same as {other}; remove one of them")
        trials.append(_trial(where, number, record))
    if not trials:
        raise ValueError(f"{path}: expected trials with {DATA!r}, found none")
    return Recording(path, "jspsych", tuple(trials))


def _from_table(path: Path, text: str) -> Iterator[tuple[str, dict]]:
    """(where, record) of jsPsych's CSV, whose cells hold JSON where they are more than a number or a text."""
    table = read_table(path, text)
    if DATA not in table.frame:
        raise ValueError(f"{path}: expected the column {DATA!r}, found {', '.join(table.frame)[:200]}")
    for index, row in enumerate(table.frame.to_dict("records")):
        if row[DATA].strip().strip('"').lower() not in MISSING:
            yield table.where(index), row


def _from_json(path: Path, text: str) -> Iterator[tuple[str, dict]]:
    found = (record for document in json_documents(path, text, JSON) for record in _records(path, document, 0))
    for number, record in enumerate(found, 1):
        yield f"{path}, trial {number} with gaze", record


def _records(path: Path, node, depth: int) -> Iterator[dict]:
    """The trials with gaze in nested lists, dicts and JSON texts."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{path}: expected {JSON}, found it nested more than {MAX_DEPTH} times")
    if isinstance(node, str) and DATA in node and node.lstrip()[:1] in ("[", "{"):
        node = json_documents(f"{path}, a text in it", node, JSON)
    if isinstance(node, dict):
        if node.get(DATA) is not None:
            yield node
            return
        node = list(node.values())
    for item in node if isinstance(node, list) else ():
        if isinstance(item, dict | list | str):
            yield from _records(path, item, depth + 1)


def _trial(where: str, number: int, record: dict) -> Trial:
    samples = _samples(where, _value(where, record, DATA))
    times = samples["start_ms"].to_numpy()
    check_times(times, lambda index: f"{where}, sample {index + 1}")
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    image, image_doubt = _image(record)
    rect, place_doubt = _place(where, _value(where, record, TARGETS), str(record.get("stimulus")))
    label = record.get("trial_index")
    return Trial(
        label=str(number if label in (None, "") else label),
        where=where,
        start_ms=min([0.0, *times[:1]]),
        end_ms=float(times[-1]) + step if len(times) else 0.0,
        image=image,
        rect=rect,
        gaze=samples,
        named_by="stimulus" if image else "",
        image_doubt=image_doubt,
        doubt=place_doubt,
    )


def _value(where: str, record: dict, key: str):
    """The value of a record's key, decoded where it is JSON text."""
    value = record.get(key)
    if isinstance(value, str):
        return None if value.strip().lower() in MISSING else json_documents(f"{where}, {key}", value, JSON)[0]
    return value


def _samples(where: str, data) -> pd.DataFrame:
    if not isinstance(data, list) or not all(isinstance(sample, dict) for sample in data):
        raise ValueError(f"{where}: expected a list of x, y and t in {DATA!r}, found {str(data)[:60]!r}")
    rows = [[_number(sample.get(key)) for key in ("t", "x", "y")] for sample in data]
    for number, (row, sample) in enumerate(zip(rows, data, strict=True), 1):
        if np.inf in row or np.isnan(row[0]):
            raise ValueError(f"{where}: expected numbers x, y and t in sample {number}, found {str(sample)[:60]!r}")
    time, x, y = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    # The extension gives null where it found no face.
    xy = np.where(np.isnan(x + y), np.nan, [x, y])
    return pd.DataFrame(dict(zip(GAZE_COLUMNS, (time, np.nan, *xy, np.nan, BOTH), strict=True)))


def _image(record: dict) -> tuple[str | None, str]:
    """The image that the stimulus is, or shows, or why that is not certain."""
    stimulus = record.get("stimulus")
    if isinstance(stimulus, list) and len(stimulus) == 1:
        stimulus = stimulus[0]
    if not isinstance(stimulus, str) or stimulus.startswith(("data:", "blob:")):
        return None, ""
    if "<" not in stimulus:
        name = _file_name(stimulus.strip().strip('"'))
        # Some plugins show text as the stimulus.
        return (name if ENDING.search(name) or "image" in str(record.get("trial_type")) else None), ""
    sources = {_file_name(html.unescape("".join(found))) for found in IMG.findall(stimulus)}
    names = sorted(name for name in sources if name and not name.startswith(("data:", "blob:")))
    if len(names) > 1:
        return None, f"expected one image in the stimulus, found {' and '.join(names[:2])}; give --trials CSV"
    return (names[0] if names else None), ""


def _file_name(address: str) -> str:
    """The path in an address, as a browser asks for it."""
    return unquote(re.split(r"[?#]", address)[0])


def _place(where: str, targets, stimulus: str) -> tuple[Rect | None, str]:
    """The rectangle of the only target, or why it is not certain."""
    if isinstance(targets, dict):
        targets = [{"selector": selector, **box} for selector, box in targets.items() if isinstance(box, dict)]
    boxes = [box for box in targets if isinstance(box, dict)] if isinstance(targets, list) else []
    rects = dict.fromkeys(_rect(where, box) for box in boxes)
    if len(rects) > 1:
        names = " and ".join(str(box.get("selector", "one"))[:40] for box in boxes[:2])
        return SOMEWHERE, f"{len(boxes)} targets ({names})"
    rect = next(iter(rects), None)
    if rect is not None and min(rect.width, rect.height) <= 0:
        # Measured before the image was loaded.
        return SOMEWHERE, "a target without a size"
    if rect is not None and "<" in stimulus and not _is_image(str(boxes[0].get("selector", "")), stimulus):
        return SOMEWHERE, f"the target {boxes[0].get('selector')}, which may be more than the image"
    return rect, ""


def _is_image(selector: str, stimulus: str) -> bool:
    """Whether a selector's element is the image in some HTML: it asks for ``img``, or an id or class that one has."""
    element = re.split(r"[\s>+~]+", selector.strip())[-1]
    if re.match(r"img\b", element, re.I):
        return True
    names = re.findall(r"[#.]([-\w]+)", element)
    tags = re.findall(r"<img\b[^>]*>", stimulus, re.I)
    return bool(names) and any(set(names) <= set(re.findall(r"[-\w]+", tag)) for tag in tags)


def _rect(where: str, box: dict) -> Rect:
    left, top = (box.get(key, box.get(other)) for key, other in (("left", "x"), ("top", "y")))
    sides = [_number(side) for side in (left, top, box.get("width"), box.get("height"))]
    if not np.isfinite(sides).all():
        raise ValueError(f"{where}: expected left, top, width and height of a target, found {str(box)[:60]!r}")
    return Rect(*sides)


def _number(value) -> float:
    """A finite number; NaN for null, infinity for anything else."""
    if value is None:
        return np.nan
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e15 else np.inf
