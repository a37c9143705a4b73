"""The settings file of a folder of images (dataset.toml): what cannot be seen from the images themselves."""

import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from utils.inputs import read_input
from utils.interrupt import time_limit

SETTINGS_FILE = "dataset.toml"
MAX_BYTES = 2**16
# tomllib takes time by the square of a key's parts.
MAX_SECONDS = 5
SHOWN_LENGTH = 200
# What ``datasets.transforms.preprocess`` offers.
NORMALISATIONS = ("imagenet", "zscore")


class Setting(NamedTuple):
    """One key: what it may be, in words and as a test; and ``DatasetSpec``'s name and value, if they differ."""

    expected: str
    fits: Callable[[Any], bool]
    field: str = ""
    converted: Callable[[Any], Any] = lambda value: value


def read_settings(root: str | Path) -> dict[str, Any]:
    """Read the settings file of the data folder ``root`` into fields of ``DatasetSpec``; it may be absent.

    Raises:
        OSError: for one that cannot be read, or is no file.
        ValueError: for a file that is no TOML, an unknown key, or a value that does not fit, naming file and key.
    """
    path = Path(root) / SETTINGS_FILE
    given = _read_toml(path) if os.path.lexists(path) else {}
    unknown = ", ".join(key for key in given if key not in SETTINGS)
    if unknown:
        raise ValueError(f"{path}: expected keys out of {', '.join(SETTINGS)}, found {unknown[:SHOWN_LENGTH]}")
    for key, value in given.items():
        if not SETTINGS[key].fits(value):
            raise ValueError(f"{path}: {key}: expected {SETTINGS[key].expected}, found {_shown(value)}")
    if given.get("channels") == 1:
        if given.get("normalisation") == "imagenet":
            raise ValueError(
                f'{path}: normalisation: expected "zscore" with channels = 1, found "imagenet", which has three'
                " channels"
            )
        given["normalisation"] = "zscore"
    return {SETTINGS[key].field or key: SETTINGS[key].converted(value) for key, value in given.items()}


def _read_toml(path: Path) -> dict[str, Any]:
    content = read_input(path, max_bytes=MAX_BYTES)
    try:
        # utf-8-sig also takes the mark that some editors put in front.
        with time_limit(MAX_SECONDS):
            return tomllib.loads(content.decode("utf-8-sig"))
    # ValueError: of text that is no TOML, or no UTF-8, and of whole numbers too long for Python.
    except (ValueError, RecursionError, TimeoutError) as error:
        found = str(error)[:SHOWN_LENGTH]
        raise ValueError(f'{path}: expected TOML, for example: normalisation = "zscore"; found {found}') from error


def _shown(value) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a value too large to show"
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}... ({len(text)} characters)"


def _one_of(*choices) -> Callable[[Any], bool]:
    # The type is compared too: in Python true equals 1, and 3.0 equals 3.
    return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)


def _up_to(high: float, *kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds and 0 < value <= high


def _are_thresholds(value) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_up_to(1, int, float), value))


def _as_floats(values: list) -> tuple[float, ...]:
    return tuple(map(float, values))


def _is_pattern(value) -> bool:
    try:
        return isinstance(value, str) and re.compile(value).groups == 1
    except (re.error, OverflowError, RecursionError):
        return False


SETTINGS = {
    "channels": Setting("1 or 3", _one_of(1, 3), "in_channels"),
    "normalisation": Setting('"imagenet" or "zscore"', _one_of(*NORMALISATIONS)),
    # datasets.gaze.heatmap takes no more than 768; its import would make every command pay for SciPy.
    "sigma_px": Setting(
        "a number above 0, in pixels of the 768x768 canvas and up to its side", _up_to(768, int, float)
    ),
    "thresholds": Setting(
        "a list of one or more numbers above 0 and up to 1", _are_thresholds, "end_thresholds", _as_floats
    ),
    "case_pattern": Setting(
        r"a regular expression with one group, the case in an image's name, as '^(.*)_\d+$'", _is_pattern
    ),
    "map_format": Setting('"png" or "jpg"', _one_of("png", "jpg"), "map_ext", ".{}".format),
    # 0 is the background.
    "ignore_value": Setting("a whole number from 1 to 65535, a grey value of masks, as 255", _up_to(65535, int)),
}
