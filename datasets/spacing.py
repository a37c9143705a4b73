"""Pixel spacing and the position of a slice in the patient, from DICOM headers."""

import math
from collections.abc import Sequence
from pathlib import Path

import pydicom

from datasets.decoding import UNREADABLE, naming
from datasets.dicom import is_dicom, read_header

# The first that is there counts. Spacing on the detector is larger than in the body, which lies nearer the source.
SPACING_TAGS = ("PixelSpacing", "ImagerPixelSpacing")
PLACE_TAGS = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3}
UID_TAGS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")


def dicom_geometry(path: str | Path) -> dict:
    """Geometry that places a mask on its DICOM image, plain values for JSON; empty for other images, by their ending.

    Returns:
        ``rows``, ``columns``; ``pixel_spacing_mm`` [row, column] or None and ``pixel_spacing_source``, the attribute it
        is from; and, None where the file lacks them, ``ImageOrientationPatient``, ``ImagePositionPatient`` (mm)
        and the UIDs of instance, series, study and frame of reference. A spacing, orientation or position of other than
        as many finite numbers as it must have is None too, and ``problem`` says which and why.

    Raises:
        FileNotFoundError, ValueError: for a file that is absent or cannot be read as DICOM.
    """
    if not is_dicom(Path(path)):
        return {}
    header = read_header(path, ["Rows", "Columns", *SPACING_TAGS, *PLACE_TAGS, *UID_TAGS])
    with naming(path, "a DICOM image"):
        # Values are decoded on access; an image needs these.
        found: dict = {"rows": int(header.Rows), "columns": int(header.Columns)}
    source = next((tag for tag in SPACING_TAGS if _has(header, tag)), SPACING_TAGS[0])
    problems = []
    for key, tag, count in (("pixel_spacing_mm", source, 2), *((tag, tag, count) for tag, count in PLACE_TAGS.items())):
        try:
            found[key] = _numbers(header, tag, count) if _has(header, tag) else None
        except ValueError as error:
            found[key] = None
            problems.append(f"{path}: {error}")
    found["pixel_spacing_source"] = source if found["pixel_spacing_mm"] else None
    found |= {tag: str(header[tag].value) if _has(header, tag) else None for tag in UID_TAGS}
    return {**found, "problem": "; ".join(problems) or None}


def _has(header: pydicom.Dataset, tag: str) -> bool:
    # By the raw value: decoding one that is no number fails.
    return tag in header and header.get_item(tag).value not in (None, "", b"", [])


def _numbers(header: pydicom.Dataset, tag: str, count: int) -> list[float]:
    """The finite numbers of an attribute, above 0 for a spacing, or ValueError."""
    try:
        value = header[tag].value
        values = [float(part) for part in (value if isinstance(value, Sequence) else [value])]
    except UNREADABLE:
        values, value = [], header.get_item(tag).value
    lengths = tag in SPACING_TAGS
    if len(values) != count or not all(math.isfinite(v) and (v > 0 or not lengths) for v in values):
        above = " above 0" if lengths else ""
        raise ValueError(f"expected {tag} of {count} finite numbers{above}, found {value}")
    return values
