"""Decoding of masks: which grey values are foreground, background, and ignored (not to be scored)."""

from typing import NamedTuple

import cv2
import numpy as np

from datasets.decoding import RefusedError

# The middle of 8 bits; foreground lies above.
MIDDLE = 127
# JPEG noise around one of the two values, and the highest in a JPEG of an empty mask.
NOISE, HIGHEST_NOISE = 16, 32
# The greys that are neither bright nor dark.
BETWEEN = (64, 192)
# How far from an outline resizing, and JPEG with its blocks of 8 pixels, change values.
SOFT_PX, BLOCK_PX = 2, 8
# Different values that resizing alone makes; a mask that was JPEG before has more.
FEW_VALUES = 8
# Pixels that may be off, as shares of the smaller of foreground and background. Kvasir-SEG's masks have none; after
# compressing them again and resizing them up to fourfold, at most 0.01 and 0.13 were seen.
FEW_OFF, MANY_OFF = 0.02, 0.25
# Neighbouring blocks that differ, relative to the number by chance; a region of 2x2 blocks has 0.6.
CHANCE = 0.7
LISTED = 6


class Label(NamedTuple):
    """A mask as read.

    Attributes:
        mask: (H,W) bool, the foreground without ignored pixels. None for a sample without a mask.
        ignore: (H,W) bool, pixels that are not to be scored; None for a data set without such a value.
    """

    mask: np.ndarray | None
    ignore: np.ndarray | None = None


def decode_mask(values: np.ndarray, *, lossy: bool = False, ignore_value: int | None = None) -> Label:
    """Decode a mask into foreground, background and ignored pixels.

    A mask holds 0 and one other value, 1 or above 127. Soft or noisy edges are taken, as resizing and JPEG make them:
    then foreground is what lies above 127 (above half of the highest value where that exceeds 255), and away from the
    outline there is one value inside and one outside. Nothing above 127 is an empty mask; in JPEG, noise up to 32 too.

    Args:
        values: (H,W) grey values, uint8 or float32.
        lossy: whether compression may have changed them.
        ignore_value: that of pixels that are not to be scored. All others then have to be exactly 0 and one other
            value: {0, 255} with ``ignore_value`` 255 is a mask without foreground.

    Raises:
        RefusedError: for values that are not plainly a mask (classes, a third grey, probabilities, a photograph), and
            for lossy ones with an ``ignore_value``.
    """
    if ignore_value is not None:
        return _label_with_ignored(values, lossy, ignore_value)
    present = _distinct(values)
    if not lossy and _is_plain(present):
        return Label(values > (MIDDLE if present[-1] > 1 else 0))
    # In {1, 255} the 255 marks ignored pixels; in {3, 246} neither is a label.
    if present[0] < 0 or (not lossy and len(present) == 2 and present[1] == 255):
        raise _refusal(present, lossy)
    grey = np.ceil(values * (255 / max(255, present[-1]))).astype(np.uint8) if values.dtype != np.uint8 else values
    if present[-1] <= MIDDLE:
        is_mask = lossy and present[-1] <= HIGHEST_NOISE and not _has_regions(grey)
    else:
        is_mask = not _has_third_value(grey, lossy)
    if not is_mask:
        raise _refusal(present, lossy)
    return Label(grey > MIDDLE)


def _label_with_ignored(values: np.ndarray, lossy: bool, ignore_value: int) -> Label:
    if lossy:
        raise RefusedError(
            f"expected a mask without loss, since ignore_value {ignore_value} is met to the letter, found JPEG, which "
            "changes values; save it as PNG from its source"
        )
    ignore = values == ignore_value
    present = _distinct(values[~ignore])
    if not _is_plain(present):
        raise RefusedError(
            f"expected 0, one other value (1, or above {MIDDLE}) and ignore_value {ignore_value}, found "
            f"{_listed(present)} besides; write 1 where the foreground is, else 0"
        )
    return Label((values > 0) & ~ignore, ignore)


def _distinct(values: np.ndarray) -> np.ndarray:
    """The values that occur, in rising order."""
    return np.flatnonzero(_counts(values)) if values.dtype == np.uint8 else np.unique(values)


def _counts(grey: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Histogram (256,) of the pixels, or of those where ``where`` is not 0; both uint8. Ten times as fast as NumPy."""
    return cv2.calcHist([np.ascontiguousarray(grey)], [0], where, [256], [0, 256]).ravel()


def _is_plain(present: np.ndarray) -> bool:
    """Whether there are 0 and one other value, or one of the two alone, as all programs write masks."""
    others = present[present != 0]
    return len(others) == 0 or (len(others) == 1 and (others[0] == 1 or others[0] > MIDDLE))


def _has_third_value(grey: np.ndarray, lossy: bool) -> bool:
    """Whether regions have another value than the usual ones of foreground and background."""
    counts = _counts(grey)
    dark, bright = counts[: MIDDLE + 1], counts[MIDDLE + 1 :]
    size = min(dark.sum(), bright.sum()) or grey.size
    # Where such pixels lie takes longer to see, and mostly there are too few for it to matter.
    if grey.size - dark.max() - bright.max() > MANY_OFF * size and max(_count_off(grey, BLOCK_PX)) > MANY_OFF * size:
        return True
    if counts[slice(*BETWEEN)].sum() > FEW_OFF * size:
        wide = cv2.erode(cv2.inRange(grey, BETWEEN[0], BETWEEN[1] - 1), _square(BLOCK_PX // 2))
        if cv2.countNonZero(wide) > FEW_OFF * size:
            return True
    if lossy:
        return False
    # Edges and noise leave greys on both sides of the middle, labels beside a 255 on one side alone.
    if (np.count_nonzero(dark) > 1) != (np.count_nonzero(bright) > 1):
        return True
    return np.count_nonzero(counts) <= FEW_VALUES and _count_off(grey, SOFT_PX)[1] > FEW_OFF * size


def _count_off(grey: np.ndarray, reach_px: int) -> tuple[int, int]:
    """Count pixels farther than ``reach_px`` from the outline that have another value than most on their side of it.

    Returns:
        How many have the most frequent of these values, and how many are off by more than ``NOISE``.
    """
    foreground = cv2.compare(grey, MIDDLE, cv2.CMP_GT)
    second = off = 0
    for away in (cv2.erode(foreground, _square(reach_px)), ~cv2.dilate(foreground, _square(reach_px))):
        counts = _counts(grey, away)
        distance = np.abs(np.arange(256) - counts.argmax())
        second = max(second, int(counts[distance > 0].max()))
        off = max(off, int(counts[distance > NOISE].sum()))
    return second, off


def _square(reach_px: int) -> np.ndarray:
    return np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)


def _has_regions(grey: np.ndarray) -> bool:
    """Whether brighter and darker blocks of 8x8 pixels lie together, as labels do, and not by chance, as noise does."""
    rows, columns = (max(1, side // BLOCK_PX) for side in grey.shape)
    blocks = cv2.resize(grey.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    if np.ptp(blocks) < 0.5:
        return False
    high = blocks > (blocks.min() + blocks.max()) / 2
    differing = (high[1:] != high[:-1]).sum() + (high[:, 1:] != high[:, :-1]).sum()
    pairs = (rows - 1) * columns + rows * (columns - 1)
    return differing < CHANCE * 2 * high.mean() * (1 - high.mean()) * pairs


def _refusal(present: np.ndarray, lossy: bool) -> RefusedError:
    found = f"{_listed(present)}, which is not plainly one"
    if present[-1] <= MIDDLE:
        found = f"other values up to {present[-1]:g}, which would all be background"
    advice = "write 255 where the foreground is, else 0" + (", and save it as PNG" if lossy else "")
    return RefusedError(
        f"expected a mask with foreground above {MIDDLE}, or of 0 and 1 alone, found {found}; {advice}; "
        "if one value marks what is not to be scored, name it as ignore_value in dataset.toml (--data folder)"
    )


def _listed(present: np.ndarray) -> str:
    if len(present) <= LISTED:
        return "the values " + ", ".join(f"{value:g}" for value in present)
    return f"{len(present)} values from {present[0]:g} to {present[-1]:g}"
