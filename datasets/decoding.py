"""Shared parts of the readers of pictures and DICOM files: errors that name the file, and ranges of values."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

# What Pillow, pydicom, pynrrd and the decoders below them raise for a damaged file is no closed list.
UNREADABLE = Exception
# Pillow opens no larger pictures; nothing else bounds what a header of 100 bytes may claim.
MAX_PIXELS = 2 * Image.MAX_IMAGE_PIXELS
SHOWN_LENGTH = 300


class RefusedError(ValueError):
    """A readable file that is not accepted: says why and what to do; ``naming`` adds the file's name."""


@contextlib.contextmanager
def naming(path: str | Path, expected: str) -> Iterator[None]:
    """Turn a refusal, and whatever a decoder raises, into a ValueError with the file's name."""
    try:
        yield
    except FileNotFoundError:
        raise
    except RefusedError as error:
        raise ValueError(f"{path}: {error}") from None
    except UNREADABLE as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if reason.startswith(f"{path}: "):
            raise ValueError(reason) from error
        if reason.endswith(":"):
            # pydicom lists the decoders that it tried, and the packages that it would need, on further lines.
            reason = " ".join(str(error).split())
        reason = reason if len(reason) <= SHOWN_LENGTH else f"{reason[:SHOWN_LENGTH]}..."
        raise ValueError(
            f"{path}: expected {expected}, found an unreadable file ({reason}); replace it or leave it out"
        ) from error


def check_depth(found: str, needs_8_bit: bool) -> None:
    """Raise ``RefusedError``, where ``needs_8_bit``, for an image of more than 8 bits."""
    if needs_8_bit:
        raise RefusedError(
            f"expected an 8-bit image for the normalisation imagenet, found {found}; set normalisation = "
            '"zscore" in dataset.toml (--data folder) before training, or convert the images to 8 bits'
        )


def full_range(pixels: np.ndarray) -> np.ndarray:
    """Pixels unclipped: uint8 unchanged, all else as float32; ``RefusedError`` for values that are not finite."""
    if pixels.dtype == np.uint8:
        return pixels
    # A value that float32 does not hold becomes infinite, and is refused.
    with np.errstate(over="ignore"):
        values = pixels.astype(np.float32)
    if not np.isfinite(values).all():
        raise RefusedError("expected finite values, found some that are not; replace them")
    return values


def inverted(pixels: np.ndarray) -> np.ndarray:
    """Inverted grey values, black for white, from 0 on."""
    return (255 if pixels.dtype == np.uint8 else pixels.max()) - pixels
