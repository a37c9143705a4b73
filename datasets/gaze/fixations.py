"""The fixation table: one row a fixation, read and checked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.inputs import CONTROL_CHARACTERS, plain_id, shown
from utils.table import Table, numbers_of, read_table

IMAGE = "IMAGE"
X, Y = "CURRENT_FIX_X", "CURRENT_FIX_Y"
DURATION = "CURRENT_FIX_DURATION"
NEEDED_COLUMNS = (IMAGE, X, Y, DURATION)
SIZE_COLUMNS = ("IMAGE_HEIGHT", "IMAGE_WIDTH")
# Either of them distinguishes fixations of equal place and duration.
ORDER_COLUMNS = ("CURRENT_FIX_INDEX", "CURRENT_FIX_START")
# As EyeLink's Data Viewer calls them.
EYE_COLUMNS = ("EYE", "EYE_USED", "EYE_REPORTED")

# The longest fixation of the published tables lasts 4.3 s. Nobody looks at a point for a minute, and a table in
# microseconds, where the shortest fixation reads 50,000, has to be noticed.
MAX_DURATION_MS = 60_000
# No tracker reports a shorter fixation, and in seconds nearly all read less.
SHORT_MS = 5
# Above the largest images of microscopy.
MAX_SIDE_PX = 1_000_000
# File systems end at 255, ending and all.
MAX_ID_BYTES = 240
# Endings of images as shown to people, which may differ from those that are trained on.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".dcm", ".dicom")


@dataclass(frozen=True)
class Fixations:
    """The fixations on one image, in the order of ``ORDER_COLUMNS``, else of the table.

    Attributes:
        xy: (N,2) float64 in 0..1; x from the left, y from the top.
        duration_ms: (N,) float64 in 0..MAX_DURATION_MS.
        image_size: (height, width) in pixels of the image that was looked at; None where the table has none.
    """

    xy: np.ndarray
    duration_ms: np.ndarray
    image_size: tuple[int, int] | None = None


def read_fixations(path: str | Path) -> dict[str, Fixations]:
    """Read a fixation table.

    Args:
        path: CSV with the columns of ``NEEDED_COLUMNS``, in the form that ``read_table`` takes. ``SIZE_COLUMNS``
            are read where they are there, and the first of ``ORDER_COLUMNS`` for the order; other columns only tell
            whether two rows are the same.

    Returns:
        Fixations by image id, the file name in the table without folders and ending (the prostate table says
        ``.jpg`` where the slices are ``.dcm``), in the order of first appearance.

    Raises:
        OSError: if there is no such file or it cannot be read.
        ValueError: with file, row, column and value, if it is no such table, a value is out of range, most
            durations are plainly seconds, two images differ in ending or folder only, the size or, by one of
            ``EYE_COLUMNS``, the eye changes within an image, or, in a table with one of ``ORDER_COLUMNS``, a whole
            row occurs twice (without them, two fixations may well be alike).
    """
    table = read_table(path, NEEDED_COLUMNS, (*SIZE_COLUMNS, *ORDER_COLUMNS))
    id_of = _ids(table)
    image = table.frame[IMAGE].map({label: index for index, label in enumerate(id_of)}).to_numpy()
    xy = np.column_stack([_positions(table, X, "width"), _positions(table, Y, "height")])
    duration_ms = _durations(table)
    columns = (numbers_of(table.frame[name]) for name in ORDER_COLUMNS if name in table.frame)
    in_time = next((values for values in columns if np.isfinite(values).all()), table.frame.index)
    order = np.lexsort((in_time, image))
    starts = np.searchsorted(image[order], np.arange(len(id_of)))
    sizes = _sizes(table, image, order[starts])
    _check_one_eye_an_image(table)
    _check_repeats(table)
    groups = zip(np.split(xy[order], starts[1:]), np.split(duration_ms[order], starts[1:]), sizes, strict=True)
    return {name: Fixations(*group) for name, group in zip(id_of.values(), groups, strict=True)}


def _ids(table: Table) -> dict[str, str]:
    """Image ids by the table's labels, in the order of first appearance."""
    labels = table.frame[IMAGE]
    id_of, label_of, twice = {}, {}, []
    for label in labels.unique():
        name = without_ending(without_folders(label))
        if not name or name.startswith(".") or CONTROL_CHARACTERS.search(label):
            table.refuse(labels == label, IMAGE, "an image name", "write the name of the image's file")
        if len(name.encode()) > MAX_ID_BYTES:
            table.refuse(labels == label, IMAGE, f"a name of up to {MAX_ID_BYTES} bytes", "shorten it")
        id_of[label] = name
        # Two images of one id would share one heatmap.
        if label_of.setdefault(name, label) != label:
            twice.append(label)
    if twice:
        expected = f"one name an id, {shown(label_of[id_of[twice[0]]])} as above,"
        table.refuse(labels.isin(twice), IMAGE, expected, "rename one of the images")
    return id_of


def without_folders(name: str) -> str:
    """File name of a Windows or POSIX path, on any system; accents composed (macOS decomposes them)."""
    return plain_id(name.replace("\\", "/").rpartition("/")[2])


def without_ending(name: str) -> str:
    """File name without the ending of an image, if it has one: anything else after a dot belongs to the name."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and f".{ending.lower()}" in IMAGE_ENDINGS else name


def _positions(table: Table, column: str, side: str) -> np.ndarray:
    values = numbers_of(table.frame[column])
    wrong = ~((values >= 0) & (values <= 1))
    if wrong.any():
        value = values[wrong][0]
        if not np.isfinite(value):
            advice = "write a number with a decimal point"
        elif abs(value) < 2:
            advice = "leave out fixations outside the image"
        else:
            advice = f"it looks like pixels: divide by the image's {side}"
        table.refuse(wrong, column, "a number in 0..1", advice)
    return values


def _durations(table: Table) -> np.ndarray:
    values = numbers_of(table.frame[DURATION])
    wrong = ~((values >= 0) & (values <= MAX_DURATION_MS))
    if wrong.any():
        too_long = MAX_DURATION_MS < values[wrong][0] < np.inf
        advice = "it looks like another unit than ms" if too_long else "write a number of ms with a decimal point"
        table.refuse(wrong, DURATION, f"a number in 0..{MAX_DURATION_MS}", advice)
    short = (values > 0) & (values < SHORT_MS)
    if (values[short] % 1).any() and short.sum() > np.count_nonzero(values) / 2:
        table.refuse(short, DURATION, "a number of ms", "it looks like seconds: multiply by 1000")
    return values


def _sizes(table: Table, image: np.ndarray, first: np.ndarray) -> list[tuple[int, int] | None]:
    """Image sizes (height, width), None where the table has none; ``image`` (N,) is the image's number of each row,
    ``first`` the first row of each image.
    """
    there = [column for column in SIZE_COLUMNS if column in table.frame]
    if len(there) == 1:
        raise ValueError(f"{table.path}: expected both {' and '.join(SIZE_COLUMNS)} or none, found only {there[0]}")
    if not there:
        return [None] * len(first)
    sizes = np.column_stack([numbers_of(table.frame[column]) for column in SIZE_COLUMNS])
    whole = (sizes >= 1) & (sizes <= MAX_SIDE_PX) & (np.floor(sizes) == sizes)
    unknown = np.isnan(sizes).all(axis=1, keepdims=True)
    for column, wrong in zip(SIZE_COLUMNS, ~(whole | unknown).T, strict=True):
        if wrong.any():
            expected = f"a whole number of pixels in 1..{MAX_SIDE_PX}"
            table.refuse(wrong, column, expected, "leave both sides empty where the size is not known")
    first_alike = first[image]
    other = ~((sizes == sizes[first_alike]) | (unknown & unknown[first_alike]))
    for column, wrong in zip(SIZE_COLUMNS, other.T, strict=True):
        if wrong.any():
            same = table.frame.iloc[first_alike[np.argmax(wrong)]]
            expected = f"{shown(same[column])} as in row {same.name}, the same image,"
            table.refuse(wrong, column, expected, "give an image one size")
    return [None if np.isnan(height) else (int(height), int(width)) for height, width in sizes[first]]


def _check_one_eye_an_image(table: Table) -> None:
    """Refuse two eyes on one image: what both see would count twice, with the error of both."""
    for column in (name for name in table.frame if name.upper() in EYE_COLUMNS):
        other = table.frame[column] != table.frame.groupby(IMAGE)[column].transform("first")
        if other.any():
            table.refuse(other, column, "one eye an image", "keep one's, as run.py fixations --eye does")


def _check_repeats(table: Table) -> None:
    """Refuse rows copied by mistake, which would count twice in the heatmap."""
    repeats = table.frame.duplicated()
    if repeats.any() and any(column in table.frame for column in ORDER_COLUMNS):
        row, count = repeats.idxmax(), repeats.sum()
        first = (table.frame == table.frame.loc[row]).all(axis=1).idxmax()
        raise ValueError(
            f"{table.path}, row {row}: expected every row once, found a copy of row {first}; "
            f"{count} row{' is a copy' if count == 1 else 's are copies'}; remove what would count twice"
        )
