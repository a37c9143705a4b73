"""Segmentation losses on logits: binary cross-entropy, Dice, and their mean."""

import torch.nn.functional as F
from torch import Tensor

# Defines 0/0: a sample without foreground that predicts none has loss 0.
DICE_SMOOTH = 1e-5


def bce_loss(logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, averaged over pixels and then over samples.

    Args:
        logits: (B,1,H,W).
        target: (B,1,H,W) in 0..1.
        mask: (B,1,H,W) in {0,1}; only pixels with 1 count. A sample whose mask is empty contributes 0.

    Returns:
        A scalar, 0 or more.
    """
    if mask is None:
        return F.binary_cross_entropy_with_logits(logits, target)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    per_sample = (loss * mask).flatten(1).sum(dim=1) / mask.flatten(1).sum(dim=1).clamp(min=1)
    return per_sample.mean()


def dice_loss(logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """1 - soft Dice, a sample at a time, averaged over samples.

    Args:
        logits: (B,1,H,W).
        target: (B,1,H,W) in {0,1}.
        mask: as in ``bce_loss``.

    Returns:
        A scalar in 0..1; an empty target met by probabilities of 0 gives 0.
    """
    probabilities = logits.sigmoid()
    if mask is not None:
        probabilities, target = probabilities * mask, target * mask
    probabilities, target = probabilities.flatten(1), target.flatten(1)
    overlap = 2 * (probabilities * target).sum(dim=1) + DICE_SMOOTH
    total = probabilities.sum(dim=1) + target.sum(dim=1) + DICE_SMOOTH
    return 1 - (overlap / total).mean()


def dice_ce_loss(logits: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean of Dice loss and cross-entropy; arguments as in ``dice_loss``."""
    return (dice_loss(logits, target, mask) + bce_loss(logits, target, mask)) / 2
