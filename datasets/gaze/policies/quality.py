"""How good labels are, where there are masks to tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

BAD_DICE = 0.6
# Of the area that is true.
TOO_LARGE, TOO_SMALL = 1.5, 1 / 1.5


def label_quality(labels: Mapping[str, np.ndarray], mask_of: Callable[[str], np.ndarray | None]) -> dict | None:
    """Mean Dice, and how many labels are bad, too large or too small.

    Args:
        labels: (S,S) bool by name.
        mask_of: the mask of a name, (S,S) bool; None where there is none.

    Returns:
        ``num_images`` with a mask that is not empty, ``dice``, ``share_below_0.6``, ``share_too_large`` and
        ``share_too_small``, each in 0..1, rounded; None where there is no such image.
    """
    masks = {name: mask for name in labels if (mask := mask_of(name)) is not None and mask.any()}
    if not masks:
        return None
    both = np.array([np.sum(labels[name] & mask) for name, mask in masks.items()])
    found = np.array([labels[name].sum() for name in masks])
    true = np.array([mask.sum() for mask in masks.values()])
    dice = 2 * both / (found + true)
    return {
        "num_images": len(masks),
        "dice": round(float(dice.mean()), 6),
        f"share_below_{BAD_DICE}": round(float((dice < BAD_DICE).mean()), 6),
        "share_too_large": round(float((found > TOO_LARGE * true).mean()), 6),
        "share_too_small": round(float((found < TOO_SMALL * true).mean()), 6),
    }
