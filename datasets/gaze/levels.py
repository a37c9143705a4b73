"""Levels: thresholds on a gaze map that make a hierarchy of pseudo-masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Preparation needs the numbers alone, and a process without torch starts in a third of the time and memory.
    from torch import Tensor


def default_thresholds(end_thresholds: Sequence[float], num_levels: int) -> tuple[float, ...]:
    """A data set's thresholds for any number of levels.

    Of two thresholds, the first two levels take the ends and further ones are spaced evenly between, in rising order.
    This gives the five released lists of Kvasir and the one of the prostate set, and extends the rule to others.
    One, or three and more, are a list: a threshold a level, of which the first ``num_levels`` are taken.

    Args:
        end_thresholds: thresholds of level 1, level 2 and so on, one or more.
        num_levels: 1 or more.

    Returns:
        One threshold a level; those in between rounded to three decimals as the released ones are.

    Raises:
        ValueError: where a list is too short.
    """
    if len(end_thresholds) != 2:
        if num_levels > len(end_thresholds):
            raise ValueError(
                f"thresholds: expected {num_levels}, one a level, or two, the ends of any number; found "
                f"{list(end_thresholds)}; set thresholds in dataset.toml, or --num_levels"
            )
        return tuple(end_thresholds[:num_levels])
    first, second = end_thresholds
    low, high = min(end_thresholds), max(end_thresholds)
    inner = [low + (high - low) * i / (num_levels - 1) for i in range(1, num_levels - 1)]
    return (first, second, *(round(t, 3) for t in inner))[:num_levels]


def check_thresholds(thresholds: Sequence[float]) -> tuple[float, ...]:
    """The thresholds as a tuple; ValueError unless there is one or more, each in 0..1 (0 excluded)."""
    if not thresholds or any(not 0 < t <= 1 for t in thresholds):
        raise ValueError(
            f"level thresholds: expected one or more numbers above 0 and up to 1, found {list(thresholds)}"
        )
    return tuple(float(t) for t in thresholds)


def threshold_levels(gaze_map: Tensor, thresholds: Sequence[float]) -> Tensor:
    """Binarise a gaze map at every level.

    Args:
        gaze_map: (1,H,W) in 0..1.
        thresholds: L numbers.

    Returns:
        (L,H,W) float32 in {0,1}; 1 where the map reaches the threshold.
    """
    return (gaze_map >= gaze_map.new_tensor(thresholds)[:, None, None]).float()
