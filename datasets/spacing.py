"""How large a pixel is, and where a slice lies in the patient, as a DICOM header says it."""

import math
from collections.abc import Sequence
from pathlib import Path

import pydicom

from datasets.decoding import UNREADABLE, naming
from datasets.dicom import is_dicom, read_header

# The first that is there counts. That of the detector is larger than that in the body, which lies nearer the source.
SPACING_TAGS = ("PixelSpacing", "ImagerPixelSpacing")
PLACE_TAGS = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3}
UID_TAGS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")


def pixel_spacing_mm(path: str | Path) -> tuple[float, float] | None:
    """The distance in mm from a row's centre to the next row's, and from a column's to the next column's.

    Returns:
        (row, column) as in DICOM's PixelSpacing, or else ImagerPixelSpacing (of the detector); None for a file with
        neither, and for every file that is not DICOM by its ending.

    Raises:
        FileNotFoundError: if there is no such DICOM file.
        ValueError: for one that cannot be read, or a spacing other than two finite numbers above 0.
    """
    return spacing_of(path, _header(path)) if is_dicom(Path(path)) else None


def dicom_geometry(path: str | Path) -> dict:
    """What lays a mask over its DICOM image again; plain values for JSON.

    Returns:
        ``rows``, ``columns``; ``pixel_spacing_mm`` [row, column] or None and ``pixel_spacing_source``, the attribute it
        is from; and, None where the file lacks them, ``ImageOrientationPatient``, ``ImagePositionPatient`` (mm)
        and the UIDs of instance, series, study and frame of reference. A spacing, orientation or position of other than
        as many finite numbers as it must have is None too, and ``problem`` says which and why.

    Raises:
        FileNotFoundError, ValueError: for a file that is absent or cannot be read as DICOM.
    """
    header = _header(path)
    found: dict = {"rows": int(header.Rows), "columns": int(header.Columns)}
    problems = []
    try:
        found["pixel_spacing_mm"] = spacing_of(path, header)
    except ValueError as error:
        found["pixel_spacing_mm"] = None
        problems.append(str(error))
    found["pixel_spacing_source"] = _spacing_tag(header) if found["pixel_spacing_mm"] else None
    for tag, count in PLACE_TAGS.items():
        try:
            found[tag] = _numbers(path, header, tag, count) if _has(header, tag) else None
        except ValueError as error:
            found[tag] = None
            problems.append(str(error))
    found |= {tag: str(header[tag].value) if _has(header, tag) else None for tag in UID_TAGS}
    return {**found, "problem": "; ".join(problems) or None}


def spacing_of(path: str | Path, header: pydicom.Dataset) -> tuple[float, float] | None:
    """``pixel_spacing_mm`` of a header that was read from ``path``."""
    tag = _spacing_tag(header)
    if tag is None:
        return None
    row, column = _numbers(path, header, tag, 2, above_0=True)
    return row, column


def _header(path: str | Path) -> pydicom.Dataset:
    header = read_header(path, ["Rows", "Columns", *SPACING_TAGS, *PLACE_TAGS, *UID_TAGS])
    with naming(path, "a DICOM image"):
        # Values are decoded when they are asked for; here for the ones that an image cannot do without.
        int(header.Rows), int(header.Columns)
    return header


def _spacing_tag(header: pydicom.Dataset) -> str | None:
    return next((tag for tag in SPACING_TAGS if _has(header, tag)), None)


def _has(header: pydicom.Dataset, tag: str) -> bool:
    # By what is in the file: a value that is no number shows itself only when it is decoded.
    return tag in header and header.get_item(tag).value not in (None, "", b"", [])


def _numbers(path, header: pydicom.Dataset, tag: str, count: int, *, above_0: bool = False) -> list[float]:
    """The finite numbers of an attribute, or ValueError."""
    try:
        value = header[tag].value
        values = [float(part) for part in (value if isinstance(value, Sequence) else [value])]
    except UNREADABLE:
        values, value = [], header.get_item(tag).value
    if len(values) != count or not all(math.isfinite(v) and (v > 0 or not above_0) for v in values):
        above = " above 0" if above_0 else ""
        raise ValueError(f"{path}: expected {tag} of {count} finite numbers{above}, found {value}")
    return values
