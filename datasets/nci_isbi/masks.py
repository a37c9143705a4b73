"""Reading of mask volumes from NRRD files, transposed so that slices match the images."""

import bz2
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import nrrd
import numpy as np

from datasets.decoding import naming
from utils.inputs import open_input

# Labels are a few whole numbers (1: peripheral zone, 2: central gland); more are a picture, not a mask.
MAX_LABELS = 16
PACKED = {"gzip": gzip.open, "gz": gzip.open, "bzip2": bz2.open, "bz2": bz2.open}
MAX_BYTES_A_NUMBER = 8


@dataclass(frozen=True)
class Mask:
    """A mask volume.

    Attributes:
        prostate: (slices, rows, columns) bool, where the file's value is 1 or more.
        labels: the file's values of 1 or more, ascending.
        header: of the NRRD file.
    """

    prostate: np.ndarray
    labels: tuple[float, ...]
    header: dict

    @property
    def numbers(self) -> list[int]:
        """The slices with prostate, counted from 1."""
        return [number for number, slice_ in enumerate(self.prostate, start=1) if slice_.any()]


def read_mask_volume(path: Path, shape: tuple[int, int, int]) -> Mask:
    """Read a mask that must have a series' shape.

    NRRD's first axis is the fastest: it runs along an image row, so a slice (X,Y) is an image (Y,X) transposed.

    Args:
        path: of the file.
        shape: (slices, rows, columns) of the series.

    Raises:
        ValueError: for a file that is unreadable or cut, of another shape, with values that are no labels,
            without prostate, or whose data lie in another file.
    """
    with naming(path, "a mask that fits its series"), open_input(path) as file:
        header = dict(nrrd.read_header(file))
        # Looked at before the data are read: the sizes may be anything.
        _check_header(header, shape)
        values = _read_values(header, file).T
        labels = np.unique(values)
    if values.dtype.kind not in "biuf" or len(labels) > MAX_LABELS:
        raise ValueError(f"{path}: expected a few labels, found {len(labels)} values of type {values.dtype}")
    # Fractions and negative values, as of probabilities or signed labels, would silently be background.
    strange = labels[(labels < 0) | (labels != np.round(labels))]
    if len(strange):
        raise ValueError(f"{path}: expected whole numbers from 0 as labels, found {strange[0]:g}")
    prostate = values >= 1
    if not prostate.any():
        raise ValueError(f"{path}: expected prostate (values of 1 or more), found an empty mask")
    return Mask(prostate, tuple(float(label) for label in labels if label >= 1), header)


def _read_values(header: dict, file: BinaryIO) -> np.ndarray:
    """Values (columns, rows, slices); compressed ones are unpacked no further than the sizes allow."""
    if header["encoding"] not in PACKED:
        return nrrd.read_data(header, file)
    data = PACKED[header["encoding"]](file).read(int(np.prod(header["sizes"])) * MAX_BYTES_A_NUMBER + 1)
    values = nrrd.read_data(header | {"encoding": "raw"}, io.BytesIO(data))
    if values.nbytes != len(data):
        raise ValueError(f"expected {values.nbytes} bytes as its sizes tell, found {len(data)} or more")
    return values


def _check_header(header: dict, shape: tuple[int, int, int]) -> None:
    if "data file" in header or "datafile" in header:
        raise ValueError("its data lie in another file, which is not read")
    if header.get("line skip") or header.get("lineskip"):
        raise ValueError("lines to skip, which are not read")
    sizes = tuple(int(size) for size in header["sizes"])
    if len(sizes) != 3:
        raise ValueError(f"expected 3 axes, found {len(sizes)}")
    if sizes[2] != shape[0]:
        raise ValueError(f"expected {shape[0]} slices as in the series, found {sizes[2]} in the mask")
    if sizes[:2] != (shape[2], shape[1]):
        raise ValueError(f"expected {shape[2]} columns x {shape[1]} rows, found {sizes[0]} x {sizes[1]} in the mask")
