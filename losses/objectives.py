"""What a training step minimises: from model outputs and a batch to a loss and its named terms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from losses.consistency import multi_level_consistency, multi_level_propagation_consistency
from losses.segmentation import bce_loss, dice_ce_loss, dice_loss

Objective = Callable[[dict, dict], tuple[Tensor, dict[str, Tensor]]]

SEGMENTATION_LOSSES = {"bce": bce_loss, "dice": dice_loss, "dice_ce": dice_ce_loss}


class FullSupervision:
    """Every level against the ground truth: the upper bound of the paper's tables (one level there).

    Pixels of the batch's ``ignore``, where it has such, have no part in it.
    """

    target, selected_by = "label", "iou"

    def __init__(self, *, seg_loss: str = "bce"):
        self.seg_loss = SEGMENTATION_LOSSES[seg_loss]

    def __call__(self, outputs: dict, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        mask = 1 - batch["ignore"] if "ignore" in batch else None
        losses = torch.stack([self.seg_loss(logits, batch["label"], mask) for logits in outputs["level_logits"]])
        total = losses.sum()
        return total, {**_per_level(losses), "loss": total.detach()}


class GazeSupervision:
    """Every level against its own pseudo-mask, plus the weighted consistency across levels; masks have no part in it.

    total = sum of L_i + cons_weight * sum of K_i. K_i lies in -1..0, so the total becomes negative late in
    training. ``loss_cons`` is the mean of K_i over levels, as the reference logs it.
    """

    target, selected_by = "pseudo", "dice"

    def __init__(self, *, cons_mode: str = "prop", cons_weight: float = 3.0, seg_loss: str = "bce"):
        self.cons_mode = cons_mode
        self.cons_weight = cons_weight
        self.seg_loss = SEGMENTATION_LOSSES[seg_loss]

    def __call__(self, outputs: dict, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        level_logits, pseudo = outputs["level_logits"], batch["pseudo"]
        losses = torch.stack(
            [self.seg_loss(logits, pseudo[:, level, None]) for level, logits in enumerate(level_logits)]
        )
        total, terms = losses.sum(), _per_level(losses)
        if len(level_logits) > 1:
            consistency = self._consistency(outputs)
            total = total + self.cons_weight * consistency.sum()
            terms["loss_cons"] = consistency.detach().mean()
        return total, {**terms, "loss": total.detach()}

    def _consistency(self, outputs: dict) -> Tensor:
        if self.cons_mode == "prop":
            return multi_level_propagation_consistency(outputs["level_logits"], outputs["level_logits_prop"])
        return multi_level_consistency(outputs["level_logits"])


OBJECTIVES = {"full_sup": FullSupervision, "gaze_sup": GazeSupervision}


def build_objective(mode: str, **settings) -> Objective:
    """Build the objective ``full_sup`` or ``gaze_sup``; settings as in their classes.

    Returns:
        A callable (outputs, batch) -> (scalar loss, detached terms by name); its ``target`` names the entry
        of the batch that it learns from, and ``selected_by`` the metric whose mean chooses the best checkpoint, as
        released.

    Raises:
        ValueError: for an unknown mode.
    """
    if mode not in OBJECTIVES:
        raise ValueError(f"mode: expected one of {', '.join(OBJECTIVES)}, found {mode!r}")
    return OBJECTIVES[mode](**settings)


def _per_level(losses: Tensor) -> dict[str, Tensor]:
    return {f"loss_cls_{level}": value for level, value in enumerate(losses.detach(), start=1)}
