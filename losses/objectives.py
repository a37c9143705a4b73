"""Training objectives: from model outputs and a batch to a scalar loss and its named terms.

An objective is one class and one line in ``OBJECTIVES``. The class says what it learns from, what it is called in logs
and tables, and declares its settings with defaults and help, which become options of ``train``.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from losses.consistency import multi_level_consistency
from losses.segmentation import bce_loss, dice_ce_loss, dice_loss
from utils.settings import NOT_NEGATIVE, setting

SEGMENTATION_LOSSES = {"bce": bce_loss, "dice": dice_loss, "dice_ce": dice_ce_loss}


@dataclass(frozen=True)
class Objective:
    """Base class of objectives: called with outputs and batch, returns a scalar loss and its detached terms by name.

    Attributes:
        target: the entry of the batch that it learns from, ``label`` or ``pseudo``.
        selected_by: the metric, a key of ``evaluation.metrics.MEASURES``, whose best mean chooses the checkpoint.
        source: what it learns from, in words.
    """

    target: ClassVar[str]
    selected_by: ClassVar[str] = "dice"
    source: ClassVar[str]

    seg_loss: str = setting("bce", "loss of each level", choices=SEGMENTATION_LOSSES)

    def __call__(self, outputs: dict, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        raise NotImplementedError

    def describe(self, num_levels: int) -> str:
        """The end of its description, after source and levels; begins with a comma, or is empty."""
        del num_levels
        return ""


@dataclass(frozen=True)
class FullSupervision(Objective):
    """Full supervision: every level against the ground truth, the upper bound of the paper's tables (one level there).

    Pixels marked in the batch's ``ignore``, if it has one, do not count.
    """

    target, selected_by, source = "label", "iou", "full supervision"

    def __call__(self, outputs: dict, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        mask = 1 - batch["ignore"] if "ignore" in batch else None
        seg_loss = SEGMENTATION_LOSSES[self.seg_loss]
        losses = torch.stack([seg_loss(logits, batch["label"], mask) for logits in outputs["level_logits"]])
        total = losses.sum()
        return total, {**_per_level(losses), "loss": total.detach()}


@dataclass(frozen=True)
class GazeSupervision(Objective):
    """Gaze supervision: every level against its own pseudo-mask, plus the weighted consistency across levels.

    total = sum of L_i + cons_weight * sum of K_i. K_i lies in -1..0, so the total becomes negative late in
    training. ``loss_cons`` is the mean of K_i over levels, as the reference logs it.
    """

    target, source = "pseudo", "gaze"

    cons_mode: str = setting("prop", "consistency with propagated features or without", choices=("prop", "pure"))
    cons_weight: float = setting(3.0, "weight of the consistency", NOT_NEGATIVE)

    def __call__(self, outputs: dict, batch: dict) -> tuple[Tensor, dict[str, Tensor]]:
        level_logits, pseudo = outputs["level_logits"], batch["pseudo"]
        seg_loss = SEGMENTATION_LOSSES[self.seg_loss]
        losses = torch.stack([seg_loss(logits, pseudo[:, level, None]) for level, logits in enumerate(level_logits)])
        total, terms = losses.sum(), _per_level(losses)
        if len(level_logits) > 1:
            prediction = "level_logits_prop" if self.cons_mode == "prop" else "level_logits"
            consistency = multi_level_consistency(level_logits, outputs[prediction])
            total = total + self.cons_weight * consistency.sum()
            terms["loss_cons"] = consistency.detach().mean()
        return total, {**terms, "loss": total.detach()}

    def describe(self, num_levels: int) -> str:
        return f", {self.cons_mode} consistency x {self.cons_weight:g}" if num_levels > 1 else ""


OBJECTIVES: dict[str, type[Objective]] = {"full_sup": FullSupervision, "gaze_sup": GazeSupervision}


def learns_from_gaze(mode: str) -> bool:
    """Whether an objective learns from pseudo-masks and needs no masks."""
    return OBJECTIVES[mode].target == "pseudo"


def _per_level(losses: Tensor) -> dict[str, Tensor]:
    return {f"loss_cls_{level}": value for level, value in enumerate(losses.detach(), start=1)}
