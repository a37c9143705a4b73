"""Reading of images, masks, gaze maps and name lists; every error names its file."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image, ImageChops, UnidentifiedImageError
from pydicom.errors import BytesLengthException, InvalidDicomError

from datasets.masks import Label, label_of
from utils.inputs import open_input

# By content, whatever the ending; MPO counts as JPEG. For others Pillow starts programs (EPS), or guesses.
PICTURE_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
DICOM_EXTS = (".dcm", ".dicom")
LOSSY_FORMATS, LOSSY_COMPRESSIONS = ("JPEG", "MPO"), ("jpeg", "tiff_jpeg")
DICOM_TAGS = [
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "PixelRepresentation",
]
PHOTOMETRIC_TAG, MIN_IS_WHITE = 262, 0
# Between the channels of a grey mask: JPEG leaves some.
COLOUR_TOLERANCE = 32

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


class RefusedError(ValueError):
    """A file that can be read and is not taken all the same; the message says why and what to do."""


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """A file of ``PICTURE_FORMATS`` as Pillow opens it: the header is read, the pixels are not.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: with the file's name, for one of another format or kind, and for whatever a decoder raises while it
            is open; a ``RefusedError`` passes as it is.
    """
    with _naming(path, "an image"), open_input(path) as file:
        try:
            image = Image.open(file, formats=PICTURE_FORMATS)
        except UnidentifiedImageError:
            raise ValueError(f"not {', '.join(PICTURE_FORMATS[:-1])} or {PICTURE_FORMATS[-1]} by its content") from None
        with image:
            yield image


def read_image(path: Path, channels: int | None = None, *, needs_8_bit: bool = False) -> np.ndarray:
    """An image: PNG, JPEG, TIFF, BMP, or DICOM by its ending.

    Nothing is clipped or rescaled: 8-bit files keep their values, deeper ones come as float32 in their full range.
    DICOM gives the stored values, since rescale slope and intercept cancel out in a z-score; its windows are not
    applied. Both kinds of "0 is white" (MONOCHROME1, MinIsWhite) are inverted. The orientation in an EXIF entry is
    ignored, as it is for masks and maps: all of them are arrays of pixels as stored.

    Args:
        channels: 3 repeats grey; 1 makes the luminance (ITU-R 601) of colour; None leaves an image as it is, but
            repeats grey of 8 bits that is not DICOM.
        needs_8_bit: refuse deeper ones.

    Returns:
        (H,W,C) uint8 or float32.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for an unreadable file, several pages or frames, transparency, 16-bit colour, or values that are not
            finite.
    """
    if is_dicom(path):
        pixels = read_dicom(path, needs_8_bit=needs_8_bit)
        return _with_channels(pixels, channels or (1 if pixels.ndim == 2 else 3))
    pixels = _read_picture(path, needs_8_bit)
    return _with_channels(pixels, channels or (3 if pixels.dtype == np.uint8 else 1))


def read_rgb(path: Path) -> np.ndarray:
    """An 8-bit image as colour, (H,W,3) uint8."""
    return read_image(path, 3, needs_8_bit=True)


def read_gray(path: Path) -> np.ndarray:
    """A grey mask or gaze map as (H,W) uint8; what lies above 255 becomes 255."""
    with open_picture(path) as image:
        return np.array(image.convert("L"))


def read_dicom(path: Path, *, needs_8_bit: bool = False) -> np.ndarray:
    """The stored values of a single-frame DICOM file: (H,W) grey, uint8 or float32, or (H,W,3) uint8 colour."""
    with _naming(path, "a DICOM image"):
        dicom = pydicom.dcmread(path)
        _check_dicom(path, dicom, needs_8_bit)
        pixels = _full_range(path, dicom.pixel_array)
        return _inverted(pixels) if dicom.get("PhotometricInterpretation") == "MONOCHROME1" else pixels


def read_mask(path: Path) -> np.ndarray:
    """The foreground of a mask without ignored pixels, (H,W) bool; see ``read_label``."""
    return read_label(path).mask


def read_label(path: Path, ignore_value: int | None = None) -> Label:
    """A mask as ``datasets.masks.label_of`` understands it. Of a palette the colours count, not the indices.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for what would be read as something else than it shows: an unreadable file, several pages,
            transparency, colours, values that are not finite, and those that are not plainly a mask.
    """
    with open_picture(path) as image:
        _check_picture(path, image, needs_8_bit=False)
        lossy = image.format in LOSSY_FORMATS or image.info.get("compression") in LOSSY_COMPRESSIONS
        if _is_deep(image):
            values = _full_range(path, np.array(image))
        else:
            _check_opaque(path, image)
            _check_grey(path, image)
            values = np.array(image.convert("L"))
    try:
        return label_of(values, lossy=lossy, ignore_value=ignore_value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from a file's header, without decoding its pixels."""
    return _size_if(path, lambda header: None)


def check_image(path: Path, *, needs_8_bit: bool = False) -> tuple[int, int]:
    """``image_size``, after what a header tells of the rules of ``read_image``: all but transparency."""

    def check(header) -> None:
        (_check_dicom if is_dicom(path) else _check_picture)(path, header, needs_8_bit)

    return _size_if(path, check)


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its ending."""
    return path.suffix.lower() in DICOM_EXTS


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


def _size_if(path: Path, check: Callable[[Any], None]) -> tuple[int, int]:
    with _naming(path, "an image"):
        if is_dicom(path):
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=DICOM_TAGS)
            check(header)
            return int(header.Rows), int(header.Columns)
        with open_picture(path) as image:
            check(image)
            return image.height, image.width


def _read_picture(path: Path, needs_8_bit: bool) -> np.ndarray:
    """(H,W) uint8 or float32, or (H,W,3) uint8."""
    with open_picture(path) as image:
        _check_picture(path, image, needs_8_bit)
        if _is_deep(image):
            pixels = _full_range(path, np.array(image))
            # Pillow inverts this kind of TIFF up to 8 bits and not above.
            tags = getattr(image, "tag_v2", {})
            return _inverted(pixels) if tags.get(PHOTOMETRIC_TAG) == MIN_IS_WHITE else pixels
        _check_opaque(path, image)
        return np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def _check_picture(path: Path, image: Image.Image, needs_8_bit: bool) -> None:
    frames = getattr(image, "n_frames", 1)
    # Cameras put previews behind the picture of an MPO file, which goes by the name of JPEG.
    if frames > 1 and image.format != "MPO":
        raise RefusedError(f"{path}: expected a single image, found {frames} pages or frames; save each as a file")
    if _is_deep(image):
        _check_depth(path, f"grey values of mode {image.mode}", needs_8_bit)
    elif image.format in ("PNG", "TIFF") and any(";16" in _raw_mode(tile) for tile in image.tile):
        # Pillow would drop the lower byte.
        raise RefusedError(f"{path}: expected 8 bits a colour, found 16; convert it to 8 bits, or to 16-bit grey")


def _check_opaque(path: Path, image: Image.Image) -> None:
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        raise RefusedError(f"{path}: expected an opaque image, found transparency; lay it on a background")


def _check_grey(path: Path, image: Image.Image) -> None:
    """Refuse colours, whose luminance says little: that of pure red is background."""
    if image.mode in ("1", "L", "LA"):
        return
    red, green, blue = image.convert("RGB").split()
    spread = max(ImageChops.difference(red, other).getextrema()[1] for other in (green, blue))
    if spread > COLOUR_TOLERANCE:
        raise RefusedError(f"{path}: expected a grey mask, found colours; write 255 where the foreground is, else 0")


def _raw_mode(tile) -> str:
    """The layout of a tile's pixels in the file, as "RGB;16B"; offsets and strides stand behind it."""
    arguments = tile[3]
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _is_deep(image: Image.Image) -> bool:
    """Grey values of more than 8 bits: Pillow clips them in every conversion."""
    return image.mode == "F" or image.mode.startswith("I")


def _check_dicom(path: Path, header: pydicom.Dataset, needs_8_bit: bool) -> None:
    frames = int(header.get("NumberOfFrames") or 1)
    if frames > 1:
        raise RefusedError(f"{path}: expected a single image, found {frames} frames; save each as a file")
    kind, bits = header.get("PhotometricInterpretation", "MONOCHROME2"), header.get("BitsAllocated", 8)
    colour = header.get("SamplesPerPixel", 1) == 3
    if not (kind in ("MONOCHROME1", "MONOCHROME2") or (colour and bits == 8)):
        raise RefusedError(f"{path}: expected grey, or colour of 8 bits, found {kind} of {bits} bits; convert it")
    if bits != 8 or header.get("PixelRepresentation", 0) == 1:
        _check_depth(path, f"{bits}-bit grey values", needs_8_bit)


def _check_depth(path: Path, found: str, needs_8_bit: bool) -> None:
    if needs_8_bit:
        raise RefusedError(
            f"{path}: expected an 8-bit image for the normalisation imagenet, found {found}; "
            'set normalisation = "zscore" in dataset.toml (--data folder) before training, or convert the images to '
            "8 bits"
        )


def _full_range(path: Path, pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    values = pixels.astype(np.float32)
    if not np.isfinite(values).all():
        raise RefusedError(f"{path}: expected finite values, found some that are not; replace them")
    return values


def _inverted(pixels: np.ndarray) -> np.ndarray:
    return (255 if pixels.dtype == np.uint8 else pixels.max()) - pixels


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """(H,W) or (H,W,3) as (H,W,channels)."""
    if pixels.ndim == 3 and channels == 1:
        pixels = np.array(Image.fromarray(pixels).convert("L"))
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], channels, axis=-1)
    return pixels


@contextlib.contextmanager
def _naming(path: Path, expected: str) -> Iterator[None]:
    """Whatever a decoder raises becomes a ValueError with the file's name."""
    try:
        yield
    except (FileNotFoundError, RefusedError):
        raise
    except UNREADABLE as error:
        raise _unreadable(path, expected, error) from error


def _unreadable(path: Path, expected: str, error: Exception) -> ValueError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    if reason.startswith(f"{path}: "):
        return ValueError(reason)
    if reason.endswith(":"):
        # pydicom goes on with what it tried, and which packages it would need.
        reason = " ".join(str(error).split())
    return ValueError(f"{path}: expected {expected}, found an unreadable file ({reason}); replace it or leave it out")
