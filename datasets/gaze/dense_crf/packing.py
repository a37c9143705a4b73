"""A corner of the permutohedral lattice as one integer, and the settings for which there is one."""

import math

import numpy as np

AXES = 6
# Room around the coordinates for rounding, the corners of a simplex and their neighbours.
MARGIN = 24


def lattice_scale() -> np.ndarray:
    """What brings each feature to the lattice's unit: a filter of standard deviation 1 (Adams, p. 5 and 6).

    Returns:
        (5,) float32, a factor for each of x/sxy, y/sxy, r/srgb, g/srgb and b/srgb, which have no unit.
    """
    deviation = float(np.float32(math.sqrt(2 / 3) * AXES))
    return np.array([1 / math.sqrt((i + 2) * (i + 1)) * deviation for i in range(AXES - 1)], dtype=np.float32)


def lattice_packing(image_size: tuple[int, int], sxy: float, srgb: float) -> tuple[np.ndarray, np.ndarray]:
    """Lowest value and stride of five coordinates, so that sum((coordinate - low) * stride) tells corners apart.

    Args:
        image_size: height and width in pixels, at least 1 each.
        sxy: standard deviation of the kernel in the image plane, pixels, above 0.
        srgb: the same in colour, grey values of 0..255, above 0.

    Returns:
        ``low`` (5,) float32, whole numbers, below every coordinate that such an image can have; ``stride`` (5,) int64,
        the first 1. The sum stays below 2^63.

    Raises:
        ValueError: if sxy or srgb is not above 0, or so small that coordinates leave the lattice's 16 bits, where
            the package pydensecrf2 would write beyond its memory.
    """
    if not (sxy > 0 and srgb > 0):
        raise ValueError(f"crf: expected sxy and srgb above 0, found {sxy} and {srgb}")
    height, width = image_size
    largest = np.array([width - 1, height - 1, 255, 255, 255], dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        reach = largest / np.array([sxy, sxy, srgb, srgb, srgb], dtype=np.float32) * lattice_scale()
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
    return np.floor(lowest).astype(np.float32), np.append(1, np.cumprod(sizes[:-1]))
