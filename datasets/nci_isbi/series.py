"""A series of DICOM files in the order of InstanceNumber, whatever the files are called."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.misc import is_dicom

from datasets.decoding import naming
from datasets.dicom import read_dicom
from datasets.nci_isbi.geometry import Grid, grid_of_slices

# Attributes, and the number of their values.
GEOMETRY_TAGS = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}


@dataclass(frozen=True)
class Slice:
    """Header of one file; ``geometry`` has the values of those of ``GEOMETRY_TAGS`` that are there."""

    path: Path
    number: int
    size: tuple[int, int]
    patient: str
    series: str
    compression: str
    geometry: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Series:
    """A whole series.

    Attributes:
        paths: one a slice; InstanceNumber is the index + 1.
        size: (rows, columns).
        grid: where the voxels lie, or None if no file says so.
        notes: sentences for the report.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    grid: Grid | None
    notes: tuple[str, ...]


def read_series(folder: Path, num_images: int, case: str) -> Series:
    """Read every DICOM file of a folder and put them in order; other files are passed over.

    Args:
        folder: of the series.
        num_images: how many files the archive delivered.
        case: the patient, who must also be the headers' PatientID where they have one.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: for a file that cannot be used, numbers that are not 1 to ``num_images`` once each, or
            slices that do not fit together.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected the folder of a series, found none; download it again")
    slices = [_read_slice(path) for path in _dicom_files(folder)]
    _check_numbers(folder, slices, num_images)
    slices.sort(key=lambda one: one.number)
    for what in ("size", "series", "patient"):
        values = sorted({getattr(one, what) for one in slices})
        if len(values) > 1:
            raise ValueError(f"{folder}: expected one {what} in a series, found {', '.join(map(str, values))}")
    if slices[0].patient not in ("", case):
        raise ValueError(f"{folder}: expected images of {case}, found those of PatientID {slices[0].patient}")
    compressions = sorted({one.compression for one in slices} - {""})
    notes = [f"compressed ({', '.join(compressions)}), copied as delivered"] if compressions else []
    grid = _grid(folder, slices)
    if grid is None:
        notes.append("the images carry no positions: their order was not checked against them")
    return Series(tuple(one.path for one in slices), slices[0].size, grid, tuple(notes))


def _read_slice(path: Path) -> Slice:
    """The header of a single-frame grey file whose pixels can be read; ValueError for any other."""
    with naming(path, "a whole, readable DICOM slice"):
        header = pydicom.dcmread(path)
        missing = [tag for tag in ("InstanceNumber", "Rows", "Columns", "PixelData") if header.get(tag) in (None, "")]
        if missing:
            raise ValueError(f"expected the tags of an image, found no {' and no '.join(missing)}")
        # Only reading it as training will proves that the file is whole and accepted.
        if read_dicom(path).ndim != 2:
            raise ValueError("expected a single grey slice, found colours")
        syntax = header.file_meta.TransferSyntaxUID
        return Slice(
            path,
            int(header.InstanceNumber),
            (int(header.Rows), int(header.Columns)),
            str(header.get("PatientID") or "").strip(),
            str(header.get("SeriesInstanceUID") or ""),
            syntax.name if syntax.is_compressed else "",
            {tag: tuple(map(float, header[tag].value)) for tag in GEOMETRY_TAGS if header.get(tag) not in (None, "")},
        )


def _dicom_files(folder: Path) -> list[Path]:
    """Files that are DICOM by their first bytes or their ending; licences and the like are left out."""
    files = (path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_file())
    return [path for path in files if is_dicom(path) or path.suffix.lower() in (".dcm", ".ima")]


def _check_numbers(folder: Path, slices: list[Slice], num_images: int) -> None:
    count = Counter(one.number for one in slices)
    wanted = range(1, num_images + 1)
    wrong = {
        "missing": [number for number in wanted if number not in count],
        "more than once": sorted(number for number in count if count[number] > 1),
        "beyond": sorted(number for number in count if number not in wanted),
    }
    if any(wrong.values()):
        found = "; ".join(f"{what} {', '.join(map(str, numbers))}" for what, numbers in wrong.items() if numbers)
        raise ValueError(
            f"{folder}: expected InstanceNumber 1 to {num_images} (Number of Images) once each, found "
            f"{len(slices)} images ({found}); download the series again"
        )


def _grid(folder: Path, slices: list[Slice]) -> Grid | None:
    if not any(one.geometry for one in slices):
        return None
    for one in slices:
        lengths = {tag: len(values) for tag, values in one.geometry.items()}
        finite = all(np.isfinite(values).all() for values in one.geometry.values())
        if lengths != GEOMETRY_TAGS or not finite:
            raise ValueError(
                f"{one.path}: expected {', '.join(GEOMETRY_TAGS)} of 3, 6 and 2 numbers, found {one.geometry or 'none'}"
            )
    try:
        values = (np.array([one.geometry[tag] for one in slices]) for tag in GEOMETRY_TAGS)
        return grid_of_slices(*values, slices[0].size)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error
