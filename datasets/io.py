"""Reading of images, masks, gaze maps and name lists; every error names its file, FileNotFoundError an absent one."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from datasets.decoding import RefusedError, check_depth, full_range, inverted, naming
from datasets.dicom import check_dicom, is_dicom, read_dicom, read_header
from datasets.masks import MIDDLE, Label, decode_mask
from utils.images import COMMENT_KEY, FULL_SCALE
from utils.inputs import open_input, plain_id, read_input

# Recognised by content, whatever the ending; MPO counts as JPEG. For others Pillow starts programs (EPS), or guesses.
PICTURE_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
LOSSY_FORMATS, LOSSY_COMPRESSIONS = ("JPEG", "MPO"), ("jpeg", "tiff_jpeg")
FAX_COMPRESSIONS = ("tiff_ccitt", "group3", "group4")
PHOTOMETRIC_TAG, MIN_IS_WHITE = 262, 0
BITS_TAG, SAMPLE_FORMAT_TAG, UNSIGNED, SIGNED = 258, 339, 1, 2
EXTRA_SAMPLES_TAG, NO_ALPHA = 338, 0
OTHER_NUMBERS = (
    "expected a TIFF of uint8, uint16 or float32, of grey or of interleaved red, green and blue, found other numbers "
    "or channels; save it as such"
)
ORIENTATION_TAG, UPRIGHT = 274, 1
# Allowed difference between the channels of a grey mask: JPEG leaves some.
COLOUR_TOLERANCE = 32
# Programs write pictures of 8 to 15 bits as 16, where a map that does not reach the middle would have no foreground.
MAX_OF_15_BITS = 32767
MAX_TEXT_BYTES = 2**26


@contextlib.contextmanager
def open_picture(path: Path, needs_8_bit: bool = False) -> Iterator[Image.Image]:
    """Open a file of ``PICTURE_FORMATS`` and check its header; its pixels are not read.

    Refusals and whatever a decoder raises, also while it is open, become a ValueError with the file's name.
    """
    with naming(path, "an image"), open_input(path) as file:
        try:
            image = Image.open(file, formats=PICTURE_FORMATS)
        except UnidentifiedImageError:
            file.seek(0)
            if file.read(4) in (b"II*\0", b"MM\0*"):
                raise RefusedError(OTHER_NUMBERS) from None
            raise ValueError(f"not {', '.join(PICTURE_FORMATS[:-1])} or {PICTURE_FORMATS[-1]} by its content") from None
        with image:
            _check_picture(image, needs_8_bit)
            yield image


def read_image(path: str | Path, channels: int | None = None, *, needs_8_bit: bool = False) -> np.ndarray:
    """Read an image: PNG, JPEG, TIFF, BMP, or DICOM by its ending.

    Nothing is clipped or rescaled: 8-bit files keep their values, deeper ones come as float32 in their full range.
    DICOM gives the stored values, since rescale slope and intercept cancel out in a z-score, but for the sign of the
    slope: a negative one inverts. Windows are not applied. Both kinds of "0 is white" (MONOCHROME1, MinIsWhite) are
    inverted. The orientation in an EXIF entry is ignored, as it is for masks and maps: all of them are arrays of pixels
    as stored. A TIFF with one is refused.

    Args:
        path: of the file, as text or ``Path``.
        channels: 3 repeats grey; 1 makes the luminance (ITU-R 601) of colour; None leaves an image as it is, but
            repeats grey of 8 bits that is not DICOM.
        needs_8_bit: refuse deeper ones.

    Returns:
        (H,W,C) uint8 or float32.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for an unreadable file, several pages or frames, transparency, further channels, 16-bit colour, or
            values that are not finite.
    """
    path = Path(path)
    if is_dicom(path):
        pixels = read_dicom(path, needs_8_bit=needs_8_bit)
        return _with_channels(pixels, channels or (1 if pixels.ndim == 2 else 3))
    return _with_channels(_read_picture(path, needs_8_bit), channels)


def image_of(array: np.ndarray, channels: int | None = None, *, needs_8_bit: bool = False) -> np.ndarray:
    """Convert an array into an image as ``read_image`` returns it; arguments and errors as there.

    Args:
        array: (H,W), (H,W,1) or (H,W,3), uint8, or grey of any other kind of number; colours are red, green, blue
            (OpenCV reads blue first). What is masked in it is padding, as ``read_image`` masks that of DICOM.
    """
    if (mode := getattr(array, "mode", "")) in ("P", "HSV", "LAB", "YCbCr"):
        raise ValueError(f"image: expected grey or red, green, blue, found Pillow's mode {mode}; .convert('RGB')")
    pixels = np.array(array, subok=True)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    if not pixels.size or not (pixels.ndim == 2 or colour) or (colour and pixels.dtype != np.uint8):
        raise ValueError(
            "image: expected an array (H,W) of grey, or (H,W,3) uint8 of colour, found "
            f"{tuple(pixels.shape)} {pixels.dtype}"
        )
    with naming("image", "an array of numbers"):
        if pixels.dtype != np.uint8:
            check_depth(f"an array of {pixels.dtype}", needs_8_bit)
        return _with_channels(full_range(pixels), channels)


def read_map(path: Path) -> np.ndarray:
    """A gaze map as (H,W) float32 in 0..1; what is taken, and errors, as of ``read_gray``."""
    values = read_gray(path)
    return values / np.float32(np.iinfo(values.dtype).max)


def read_gray(path: Path) -> np.ndarray:
    """A gaze map as stored, (H,W) uint8 or uint16; the highest value of the type stands for 1.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for an unreadable file, several pages, transparency, colours, values of more than 16 bits, and 16
            bits that 15 could hold, where nothing says that 65535 stands for 1.
    """
    return read_with_comment(path)[0]


def read_with_comment(path: Path) -> tuple[np.ndarray, str | None]:
    """``read_gray``, and the comment in the file, None if there is none."""
    with open_picture(path) as image:
        comment = image.info.get("comment", image.info.get(COMMENT_KEY))
        comment = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
        if _is_deep(image):
            return _deep_map(image, comment), comment
        return _grey_of(image, "map", "save it as grey of 8 or 16 bits"), comment


def read_mask(path: Path) -> np.ndarray:
    """The foreground of a mask without ignored pixels, (H,W) bool; see ``read_label``."""
    return read_label(path).mask


def read_label(path: Path, ignore_value: int | None = None) -> Label:
    """Read a mask, as ``datasets.masks.decode_mask`` understands it. Of a palette the colours count, not the indices.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: for an unreadable file, several pages, transparency, colours, and values that are not finite or not
            plainly a mask.
    """
    with open_picture(path) as image:
        # In faxes it is usual and clear; tifffile says it of any array of bool, whose True it then shows black.
        if _is_white_at_0(image) and image.info.get("compression") not in FAX_COMPRESSIONS:
            raise RefusedError("expected a mask whose 0 is black, found one whose 0 is white; convert it")
        if image.mode == "1" and ignore_value == 255:
            # Pillow makes 255 of the bit, which may be foreground or ignored.
            raise RefusedError("expected 8 bits where ignore_value is 255, found one bit; save it as 0 and 1")
        if _is_deep(image):
            values = full_range(np.array(image))
        else:
            values = _grey_of(image, "mask", "write 255 where the foreground is, else 0")
        return decode_mask(values, lossy=_is_lossy(image), ignore_value=ignore_value)


def check_image(path: Path, *, needs_8_bit: bool = False) -> tuple[int, int]:
    """Check an image's header by the rules of ``read_image``, all but transparency; (height, width)."""
    if is_dicom(path):
        header = read_header(path)
        with naming(path, "a DICOM image"):
            return check_dicom(header, needs_8_bit)
    with open_picture(path, needs_8_bit) as image:
        return image.height, image.width


def read_names(path: Path) -> list[str]:
    """The ids of a split file, one a line with accents written one way (NFC); blank lines are skipped.

    Raises:
        FileNotFoundError: if the file is absent.
        OSError: if it is no file, or cannot be read.
        ValueError: if it is no text, holds no id, an id twice, or one that leaves the data folder.
    """
    try:
        # utf-8-sig also takes the mark that some editors put in front.
        lines = read_input(path, max_bytes=MAX_TEXT_BYTES).decode("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path}: expected a split file with one image id a line, found none; write it, or let run.py split draw it"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected one image id a line, found a file that is no text ({error})") from error
    names = [plain_id(line.strip()) for line in lines if line.strip()]
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


def _read_picture(path: Path, needs_8_bit: bool) -> np.ndarray:
    """Pixels of a picture, (H,W) uint8 or float32, or (H,W,3) uint8."""
    with open_picture(path, needs_8_bit) as image:
        if _is_deep(image):
            pixels = full_range(np.array(image))
            # Pillow inverts this kind of TIFF up to 8 bits and not above.
            return inverted(pixels) if _is_white_at_0(image) else pixels
        _check_opaque(image)
        return np.array(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def _check_picture(image: Image.Image, needs_8_bit: bool) -> None:
    tags = _tags(image)
    frames = getattr(image, "n_frames", 1)
    # Cameras put previews behind the picture of an MPO file, which goes by the name of JPEG.
    if frames > 1 and image.format != "MPO":
        raise RefusedError(f"expected a single image, found {frames} pages or frames; save each as a file")
    if image.format == "TIFF" and image.getexif().get(ORIENTATION_TAG, UPRIGHT) != UPRIGHT:
        # Pillow would turn it, and nothing turns what belongs to it.
        raise RefusedError("expected pixels stored upright, found a TIFF with an orientation; save it turned")
    if NO_ALPHA in tags.get(EXTRA_SAMPLES_TAG, ()):
        # Pillow would drop them.
        raise RefusedError("expected grey, or red, green and blue, found further channels; save it without")
    if _is_deep(image):
        check_depth(f"grey values of mode {image.mode}", needs_8_bit)
        if "transparency" in image.info:
            raise RefusedError("expected an opaque image, found a transparent value; write it without")
        if tags.get(BITS_TAG) == (32,) and tags.get(SAMPLE_FORMAT_TAG, (UNSIGNED,)) == (UNSIGNED,):
            # Pillow makes negative numbers of the upper half.
            raise RefusedError(OTHER_NUMBERS)
    elif SIGNED in tags.get(SAMPLE_FORMAT_TAG, ()):
        raise RefusedError("expected 8 bits without a sign, found signed ones; convert it")
    elif _bits_of_colours(image) > 8:
        # Pillow would drop the lower byte, or take it for a pixel of its own.
        raise RefusedError("expected 8 bits a colour, found 16; convert it to 8 bits, or to 16-bit grey")


def _check_opaque(image: Image.Image) -> None:
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        raise RefusedError("expected an opaque image, found transparency; lay it on a background")


def _grey_of(image: Image.Image, kind: str, advice: str) -> np.ndarray:
    """Grey values, (H,W) uint8; colours are refused, since the luminance of pure red would be background."""
    _check_opaque(image)
    # All entries that a palette lacks show black.
    if image.mode == "P" and len(image.getcolors()) > len(image.convert("RGB").getcolors()):
        raise RefusedError(f"expected a palette with a colour a value, found values that show alike; {advice}")
    if image.mode not in ("1", "L", "LA"):
        colours = image.convert("RGB").split()
        red, green, blue = colours
        brightest = max(colour.getextrema()[1] for colour in colours)
        # No tolerance for small values: labels 1 and 2 in red alone have the luminance 0 and 1.
        tolerance = COLOUR_TOLERANCE if _is_lossy(image) or brightest > MIDDLE else 0
        if max(ImageChops.difference(red, other).getextrema()[1] for other in (green, blue)) > tolerance:
            raise RefusedError(f"expected a grey {kind}, found colours; {advice}")
    return np.array(image.convert("L"))


def _deep_map(image: Image.Image, comment: str | None) -> np.ndarray:
    """A map of 16 bits, (H,W) uint16; refuses one that may have fewer bits."""
    if not image.mode.startswith("I;16") or _tags(image).get(BITS_TAG, (16,)) != (16,):
        raise RefusedError(
            "expected a grey map of 8 or 16 bits without a sign, found another kind of number (mode "
            f"{image.mode}); save it as such, 255 or 65535 standing for 1"
        )
    values = np.array(image).astype(np.uint16)
    if 0 < values.max(initial=0) <= MAX_OF_15_BITS and comment != FULL_SCALE:
        raise RefusedError(
            f"expected a map of 16 bits in which 65535 stands for 1, found values up to {values.max()}, as of "
            "a map of 8 to 15 bits; save it as 8 bits, or scale it"
        )
    return 65535 - values if _is_white_at_0(image) else values


def _tags(image: Image.Image) -> Mapping[int, Any]:
    """Tags of a TIFF; empty for other formats."""
    return getattr(image, "tag_v2", {})


def _is_white_at_0(image: Image.Image) -> bool:
    return _tags(image).get(PHOTOMETRIC_TAG) == MIN_IS_WHITE


def _bits_of_colours(image: Image.Image) -> int:
    """Bits a colour in the file, 8 or 16: Pillow gives 8 either way."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_TAG, (8,)))
    # By the layout of a tile's pixels in the file, as "RGB;16B".
    return 16 if image.format == "PNG" and any(";16" in str(tile[3]) for tile in image.tile) else 8


def _is_lossy(image: Image.Image) -> bool:
    return image.format in LOSSY_FORMATS or image.info.get("compression") in LOSSY_COMPRESSIONS


def _is_deep(image: Image.Image) -> bool:
    """Grey values of more than 8 bits: Pillow clips them in every conversion."""
    return image.mode == "F" or image.mode.startswith("I")


def _with_channels(pixels: np.ndarray, channels: int | None) -> np.ndarray:
    """(H,W) or (H,W,3) as (H,W,channels); without ``channels``, uint8 gets three."""
    channels = channels or (3 if pixels.dtype == np.uint8 else 1)
    if pixels.ndim == 3 and channels == 1:
        pixels = np.array(Image.fromarray(pixels).convert("L"))
    if pixels.ndim == 2:
        pixels = pixels[..., None]
        return pixels if channels == 1 else np.repeat(pixels, channels, axis=-1)
    return pixels
