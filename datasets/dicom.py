"""Reading of DICOM images: one slice a file, its size bounded before anything is unpacked, its padding masked."""

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from PIL import Image, UnidentifiedImageError
from pydicom import encaps
from pydicom.errors import InvalidDicomError
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels import pixel_array

from datasets.decoding import MAX_PIXELS, RefusedError, check_depth, full_range, inverted, naming
from utils.inputs import open_input
from utils.interrupt import time_limit

DICOM_EXTS = (".dcm", ".dicom")
GREY_KINDS = ("MONOCHROME1", "MONOCHROME2")
COLOUR_KINDS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
HEADER_TAGS = (
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
# Attributes of the padding value, and of the other end of a range of such values, by the kind of pixels.
PADDING_TAGS = {
    "PixelData": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "FloatPixelData": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "DoubleFloatPixelData": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}
# A whole file: the largest image of 16 bits, and a header.
MAX_BYTES = 2 * MAX_PIXELS + 2**20
CHUNK_BYTES = 2**16
# The largest image takes one second; many millions of empty elements would take many minutes.
MAX_SECONDS = 20


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its ending."""
    return path.suffix.lower() in DICOM_EXTS


def read_header(path: str | Path, tags: Sequence[str] = HEADER_TAGS) -> pydicom.Dataset:
    """The elements ``tags`` of a DICOM file, without its pixels, undecoded until they are asked for.

    ValueError for a file that is not DICOM, or unpacks to more than ``MAX_BYTES``.
    """
    with naming(path, "a DICOM image"), open_input(path) as file:
        _check_unpacked_size(file)
        with time_limit(MAX_SECONDS):
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(tags))


def read_dicom(path: Path, *, needs_8_bit: bool = False) -> np.ndarray:
    """The stored values of a single-frame DICOM file: (H,W) grey, uint8 or float32, or (H,W,3) uint8 colour.

    Where a grey file has padding (``PADDING_TAGS``) around a picture, a masked array, whose masked pixels have the
    picture's darkest value: who ignores the mask sees black.

    Raises:
        ValueError: for an unreadable file, several frames, pixels other than the header says, and values that are not
            finite.
    """
    with naming(path, "a DICOM image"):
        with open_input(path) as file:
            _check_unpacked_size(file)
            with time_limit(MAX_SECONDS):
                dicom = pydicom.dcmread(file)
        check_dicom(dicom, needs_8_bit)
        _check_frames(dicom)
        pixels = dicom.pixel_array
        shape = (dicom.Rows, dicom.Columns, 3)[: 2 if dicom.SamplesPerPixel == 1 else 3]
        if pixels.shape != shape:
            raise RefusedError(
                f"expected pixels of the shape that the header says, {shape}, found {pixels.shape}; save every frame "
                "as a file of its own"
            )
        _check_length(dicom, pixels)
        padding = _padding(dicom, pixels) if pixels.ndim == 2 else None
        negative_slope = float(dicom.get("RescaleSlope") or 1) < 0
        dark_is_high = (dicom.PhotometricInterpretation == "MONOCHROME1") != negative_slope
        if padding is not None:
            inside = pixels[~padding]
            pixels = np.where(padding, inside.max() if dark_is_high else inside.min(), pixels)
        pixels = full_range(pixels)
        pixels = inverted(pixels) if dark_is_high else pixels
        return pixels if padding is None else np.ma.MaskedArray(pixels, padding)


def check_dicom(header: pydicom.Dataset, needs_8_bit: bool) -> tuple[int, int]:
    """Check a header by the rules of ``read_dicom``; (height, width)."""
    height, width, frames = _whole(header, "Rows"), _whole(header, "Columns"), _whole(header, "NumberOfFrames", 1)
    if frames > 1:
        raise RefusedError(f"expected a single image, found {frames} frames; save each as a file")
    if not (0 < height and 0 < width and height * width <= MAX_PIXELS):
        raise RefusedError(
            f"expected an image of 1 to {MAX_PIXELS:,} pixels, found {height} rows of {width}; replace it or leave it "
            "out"
        )
    bits, samples = _whole(header, "BitsAllocated", 8), _whole(header, "SamplesPerPixel", 1)
    kind, signed = header.get("PhotometricInterpretation", GREY_KINDS[1]), _whole(header, "PixelRepresentation", 0) != 0
    colour = kind in COLOUR_KINDS and samples == 3 and bits == 8 and not signed
    if not colour and not (kind in GREY_KINDS and samples == 1):
        raise RefusedError(f"expected grey, or colour of 8 bits, found {kind} of {bits} bits; convert it")
    stored = _whole(header, "BitsStored", bits)
    if _whole(header, "HighBit", stored - 1) != stored - 1:
        # pydicom would cut the values' highest bits.
        raise RefusedError(f"expected HighBit {stored - 1}, one below BitsStored, found {header.HighBit}")
    if bits != 8 or signed:
        check_depth(f"{bits}-bit grey values", needs_8_bit)
    return height, width


def _whole(header: pydicom.Dataset, tag: str, default: int | None = None) -> int:
    value = header.get(tag)
    value = default if value in (None, "") else value
    if not isinstance(value, int):
        raise ValueError(f"expected a whole number as {tag}, found {'none' if value is None else str(value)[:40]}")
    return int(value)


def _check_unpacked_size(file: BinaryIO) -> None:
    """Bound the memory that a file takes as pydicom reads it, unpacking what is deflated; rewinds it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    try:
        read_preamble(file, force=False)
    except InvalidDicomError:
        # pydicom asks for an argument of its own.
        raise ValueError("no DICM behind 128 bytes: dcmconv writes it, and pictures need their own ending") from None
    if _read_file_meta_info(file).get("TransferSyntaxUID") == pydicom.uid.DeflatedExplicitVRLittleEndian:
        unpacker, size, packed = zlib.decompressobj(-zlib.MAX_WBITS), 0, file.read(CHUNK_BYTES)
        while packed and size <= MAX_BYTES:
            size += len(unpacker.decompress(packed, 2**20))
            packed = unpacker.unconsumed_tail or file.read(CHUNK_BYTES)
    if size > MAX_BYTES:
        raise RefusedError(
            f"expected a single image of up to {MAX_BYTES:,} bytes, found a larger file; save every frame as a file "
            "of its own"
        )
    file.seek(0)


def _check_frames(dicom: pydicom.Dataset) -> None:
    """Refuse several compressed frames, which pydicom would join or cut, and sizes that differ from the header's."""
    if not dicom.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    buffer = io.BytesIO(dicom.PixelData)
    encaps.parse_basic_offsets(buffer)
    fragments = list(encaps.generate_fragments(buffer))
    # A frame may come in parts, of which the first alone begins as a frame does.
    frames = sum(fragment[:4] == fragments[0][:4] for fragment in fragments)
    if frames > 1:
        raise RefusedError(f"expected a single image, found {frames} frames; save each as a file")
    try:
        with Image.open(io.BytesIO(b"".join(fragments)), formats=("JPEG", "JPEG2000")) as image:
            size = image.size
    except UnidentifiedImageError:
        return
    if size != (dicom.Columns, dicom.Rows):
        raise RefusedError(
            f"expected compressed pixels of the size in the header, {dicom.Columns}x{dicom.Rows} (width x "
            f"height), found {size[0]}x{size[1]}; replace it or leave it out"
        )


def _check_length(dicom: pydicom.Dataset, pixels: np.ndarray) -> None:
    """Refuse uncompressed pixels with a row or column too many: the header's width may be wrong."""
    left = max(len(dicom.get(kind) or b"") for kind in PADDING_TAGS) - pixels.nbytes
    # One byte makes an odd length even.
    if (
        not dicom.file_meta.TransferSyntaxUID.is_encapsulated
        and left > 1
        and left >= pixels.nbytes / max(pixels.shape[:2])
    ):
        raise RefusedError(
            f"expected pixels of the size in the header, {dicom.Columns}x{dicom.Rows} (width x height), found "
            f"{left} bytes more; correct Rows and Columns, or save every frame as a file of its own"
        )


def _padding(dicom: pydicom.Dataset, pixels: np.ndarray) -> np.ndarray | None:
    """Padding of a grey file, (H,W) bool; None where there is none, or nothing else."""
    tags = next(tags for kind, tags in PADDING_TAGS.items() if kind in dicom)
    values = [dicom.get(tag) for tag in tags]
    if values[0] in (None, ""):
        return None
    values = [value for value in values if value not in (None, "")]
    if not all(isinstance(value, int | float) for value in values):
        raise RefusedError(f"expected {tags[0]} to be a number, found {values}; correct it, or remove it")
    if len(values) == 1 and values[0] != values[0]:
        padding = np.isnan(pixels)
    else:
        low, high = np.sort([_as_stored(value, pixels.dtype) for value in values])[[0, -1]]
        if dicom.get("LossyImageCompression") == "01" and (pixels < low).any() and (pixels > high).any():
            # The padding scatters around its value, and cannot be told from the picture.
            raise RefusedError(
                f"expected {tags[0]} {values[0]} outside the picture's values, found values on both sides of "
                f"it, after lossy compression; take the file from before it, or remove {tags[0]} where there is none"
            )
        padding = (pixels >= low) & (pixels <= high)
        if dicom.get("BitsStored") != dicom.get("BitsAllocated"):
            # Values beyond the stored bits were cut to these.
            as_allocated = pixel_array(dicom, correct_unused_bits=False)
            padding |= (as_allocated >= low) & (as_allocated <= high)
    return padding if padding.any() and not padding.all() else None


def _as_stored(value: float, dtype: np.dtype) -> float:
    """A padding value in the pixels' type: some programs write that of signed pixels as an unsigned number."""
    if dtype.itemsize == 2 and -(2**15) <= value < 2**16:
        return int(np.int64(value).astype(dtype))
    return value
