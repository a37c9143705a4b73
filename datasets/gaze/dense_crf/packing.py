"""A corner of the permutohedral lattice as one integer, and the settings for which there is one."""

import math
from typing import NamedTuple

import numpy as np

AXES = 6
# Room around the coordinates for rounding, the corners of a simplex and their neighbours.
MARGIN = 24
# Factors of the features x/sxy, y/sxy, r/srgb, g/srgb and b/srgb into the lattice's unit: a filter of standard
# deviation 1 (Adams, p. 5 and 6).
_DEVIATION = float(np.float32(math.sqrt(2 / 3) * AXES))
SCALE = np.array([1 / math.sqrt((i + 2) * (i + 1)) * _DEVIATION for i in range(AXES - 1)], dtype=np.float32)


class Packing(NamedTuple):
    """A corner's first five coordinates (they add up to zero with the sixth) as one integer, which tells corners apart.

    It is sum((coordinate - low) * stride), below 2^63. ``low`` (5,) float32, whole numbers, is below every coordinate
    of the image; ``stride`` (5,) uint64; ``step`` (6,) uint64 is what one step along an axis adds, modulo 2^64.
    """

    low: np.ndarray
    stride: np.ndarray
    step: np.ndarray


def lattice_packing(image_size: tuple[int, int], sxy: float, srgb: float) -> Packing:
    """The packing for an image of (height, width) pixels, and a kernel whose standard deviations are ``sxy`` pixels and
    ``srgb`` grey values of 0..255.

    Raises:
        ValueError: if sxy or srgb is not above 0, or so small that coordinates leave the lattice's 16 bits, where
            the package pydensecrf2 would write beyond its memory.
    """
    if not (sxy > 0 and srgb > 0):
        raise ValueError(f"crf: expected sxy and srgb above 0, found {sxy} and {srgb}")
    height, width = image_size
    largest = np.array([width - 1, height - 1, 255, 255, 255], dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        reach = largest / np.array([sxy, sxy, srgb, srgb, srgb], dtype=np.float32) * SCALE
        rest = np.append(np.cumsum(reach[::-1])[::-1], 0)
        lowest = np.array([0, *(-j * reach[j - 1] for j in range(1, AXES - 1))]) - MARGIN
        span = np.array([rest[j] - lowest[j] + MARGIN for j in range(AXES - 1)])
        cells = np.prod(span + 1)
    if not (np.all(span < 2**15) and cells < 2.0**62):
        raise ValueError(
            f"crf: expected sxy and srgb large enough for a lattice of 16-bit coordinates, found "
            f"{sxy:g} and {srgb:g} for an image of {height}x{width}; try 80 and 13"
        )
    sizes = np.ceil(span).astype(np.int64) + 1
    stride = np.append(1, np.cumprod(sizes[:-1]))
    step = stride.sum() - AXES * np.append(stride, 0)
    return Packing(np.floor(lowest).astype(np.float32), stride.astype(np.uint64), step.astype(np.uint64))
