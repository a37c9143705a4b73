"""Scoring of a network, case by case at the labels' own size, for the ensemble and every level."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.metrics import THRESHOLD
from evaluation.per_case import ENSEMBLE, Row, table_of
from evaluation.scores import Spacing, score_case
from utils.distributed import SINGLE, Group
from utils.images import write_image

# The value of probability 1 in 16-bit files.
FULL = 65535


class Case(NamedTuple):
    """A scored case; its maps are the ensemble's and then those of the levels.

    Attributes:
        name: its id.
        masks: (1+L,h,w) bool.
        probabilities: (1+L,h,w) float32; None where it comes from another process.
        label: (h,w) bool.
        rows: as ``score_case`` makes them.
        ignore: (h,w) bool, pixels that were not scored; None for a data set without such pixels.
    """

    name: str
    masks: np.ndarray
    probabilities: np.ndarray | None
    label: np.ndarray
    rows: list[Row]
    ignore: np.ndarray | None = None


@torch.inference_mode()
def score_network(
    model: nn.Module,
    loader: Iterable[dict],
    device: torch.device,
    *,
    threshold: float = THRESHOLD,
    distances: bool = False,
    spacing_of: Callable[[str], Spacing | None] | None = None,
    writers: Sequence[Callable[[Case], None]] = (),
    group: Group = SINGLE,
    stop: object = None,
    network: str = "the network",
) -> pd.DataFrame | None:
    """Score a model on every case of a loader.

    Args:
        model: maps (B,C,H,W) to a dict with ``logits`` (B,1,H,W) and ``level_logits`` (L,B,1,H,W).
        loader: yields ``image`` (B,C,H,W), ``label`` (a list of (1,h,w) bool, or in {0,1}), ``name`` and, where some
            pixels are not to be scored, ``ignore`` as ``label``; of several processes, this one's part of the cases
            (``Group.shard``).
        device: where the model is.
        threshold: on the probability; above it is foreground.
        distances: add boundary distances; takes milliseconds a case and level.
        spacing_of: (height, width) in mm of the pixels of a case, by its name; None where that is not known.
        writers: called with every scored case, in the process of rank 0 alone.
        group: the processes that share the cases.
        stop: checked between batches; evaluation ends early once it is true.
        network: name of the model in errors.

    Returns:
        The table of scores, see ``evaluation.per_case.table_of``; all processes get all of it. None if it was stopped.

    Raises:
        ValueError: for outputs that are not finite.
    """
    was_training = model.training
    model.eval()
    group.broadcast_buffers(model)
    rows: list[list[Row]] = []
    kept: list[Case] = []
    for batch in loader:
        if stop:
            model.train(was_training)
            return None
        logits = all_logits(model(batch["image"].to(device)))
        for index, name in enumerate(batch["name"]):
            check_finite(logits[:, index], name, network)
            label = batch["label"][index][0].cpu().numpy() > 0.5
            ignore = batch["ignore"][index][0].cpu().numpy() > 0.5 if "ignore" in batch else None
            probabilities = full_size_probabilities(logits[:, index], label.shape)[:, 0].cpu().numpy()
            masks = probabilities > threshold
            spacing = spacing_of(name) if spacing_of else None
            rows.append(score_case(name, masks, label, ignore, distances=distances, spacing_mm=spacing))
            case = Case(name, masks, probabilities, label, rows[-1], ignore)
            if group.size == 1:
                for write in writers:
                    write(case)
            elif writers:
                kept.append(case._replace(probabilities=None))
    model.train(was_training)
    cases = group.gather_in_order(kept)
    for case, write in itertools.product(cases if group.is_main else (), writers):
        write(case)
    return table_of([row for case_rows in group.gather_in_order(rows) for row in case_rows])


def all_logits(outputs: dict[str, Tensor]) -> Tensor:
    """Logits of the ensemble and the levels, (1+L,B,1,H,W) float32, from the outputs of a model."""
    return torch.cat([outputs["logits"][None], outputs["level_logits"]]).float()


def check_finite(logits: Tensor, image: object, network: str) -> None:
    """Raise ValueError for NaN or infinite logits: they would become an empty mask, or a full one."""
    broken = int((~logits.isfinite()).sum())
    if broken:
        raise ValueError(
            f"{image}: expected finite outputs of {network}, found {broken} of {logits.numel()} that are not; its "
            "weights are too large for this image: take another checkpoint, as an earlier one of the run"
        )


def full_size_probabilities(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Probabilities (N,1,h,w) from logits (N,1,H,W), resized bilinearly before the sigmoid, as released."""
    return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False).sigmoid()


def write_mask(folder: Path, case: Case) -> None:
    """Write the ensemble's mask of a case as ``<folder>/<name>.png``, 0 and 255."""
    write_image(folder / f"{case.name}.png", case.masks[0].astype(np.uint8) * 255)


def write_probabilities(folder: Path, case: Case) -> None:
    """Write ``<folder>/ensemble/<name>.png``, ``<folder>/level1/<name>.png``, ...: see ``probability_picture``."""
    for level, probability in enumerate(case.probabilities):
        place = folder / (f"level{level}" if level else ENSEMBLE)
        write_image(place / f"{case.name}.png", probability_picture(probability))


def probability_picture(probability: np.ndarray) -> np.ndarray:
    """Probabilities (H,W) in 0..1 as uint16: multiplied by 65535 and rounded."""
    return np.round(np.asarray(probability, np.float64) * FULL).astype(np.uint16)
