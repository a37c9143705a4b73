"""Reading of images, masks, gaze maps and name lists; every error names its file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image, UnidentifiedImageError
from pydicom.errors import BytesLengthException, InvalidDicomError

# What Pillow, pydicom and the decoders below them raise for a file that is cut, empty or of another kind.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    UnidentifiedImageError,
    BytesLengthException,
    InvalidDicomError,
    Image.DecompressionBombError,
)


def read_rgb(path: Path) -> np.ndarray:
    """A colour image as (H,W,3) uint8."""
    return _read_with_pillow(path, "RGB")


def read_gray(path: Path) -> np.ndarray:
    """A grey image, mask or gaze map as (H,W) uint8."""
    return _read_with_pillow(path, "L")


def read_dicom(path: Path) -> np.ndarray:
    """The stored values of a single-frame grey DICOM file as (H,W) float32."""
    try:
        pixels = pydicom.dcmread(path).pixel_array
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, "a DICOM image", error) from error
    if pixels.ndim != 2:
        raise ValueError(f"{path}: expected a single grey slice, found an array of shape {pixels.shape}")
    return pixels.astype(np.float32)


def read_image(path: Path) -> np.ndarray:
    """An image by its ending: DICOM as (H,W,1) float32, anything else as (H,W,3) uint8."""
    return read_dicom(path)[..., None] if path.suffix == ".dcm" else read_rgb(path)


def read_mask(path: Path) -> np.ndarray:
    """A mask as (H,W) bool.

    Grey values above 127 are foreground, which removes JPEG noise; masks that only hold 0 and 1 are taken
    as they are.
    """
    values = read_gray(path)
    return values > (127 if values.max(initial=0) > 1 else 0)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from a file's header, without decoding its pixels."""
    try:
        if path.suffix == ".dcm":
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
            return int(header.Rows), int(header.Columns)
        with Image.open(path) as image:
            return image.height, image.width
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, "an image", error) from error


def read_names(path: Path) -> list[str]:
    """The ids of a split file, one a line; blank lines are skipped.

    Raises:
        FileNotFoundError: if the file is absent.
        ValueError: if it is no text, holds no id, an id twice, or one that leaves the data folder.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a split file with one image id a line, found none")
    try:
        # utf-8-sig also takes the mark that some editors put in front.
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected one image id a line, found a file that is no text ({error})") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"{path}: expected one image id a line, found an empty file")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{path}: expected every id once, found {name} again")
        if Path(name).name != name:
            raise ValueError(f"{path}: expected plain ids, found {name!r}, which contains a path")
        seen.add(name)
    return names


def _read_with_pillow(path: Path, mode: str) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert(mode))
    except FileNotFoundError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, "an image", error) from error


def _unreadable(path: Path, expected: str, error: Exception) -> ValueError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return ValueError(
        f"{path}: expected {expected}, found an unreadable file ({reason}); replace it or take its id out"
    )
