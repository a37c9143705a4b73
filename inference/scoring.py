"""Score a model on a loader and leave the results in a folder; shared by training and evaluation."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from datasets.dicom import is_dicom
from datasets.spacing import dicom_geometry
from evaluation.per_case import GROUP, LEVEL, NAME, PER_CASE_FILE, at_even_steps, write_per_case
from evaluation.scores import ENSEMBLE, Case, Spacing, all_logits, evaluate, full_size_probabilities
from evaluation.summary import summarize
from reporting.visualize import grid, prediction_row
from utils.distributed import SINGLE, Group
from utils.images import write_image

EXAMPLES_FILE = "examples.png"
NUM_EXAMPLES = 5
THRESHOLD = 0.5


def score(
    model: nn.Module,
    loader,
    dataset,
    device: torch.device,
    folder: Path,
    *,
    per_case_file: str = PER_CASE_FILE,
    examples: bool = False,
    group: Group = SINGLE,
    **options,
) -> dict[str, dict]:
    """Evaluate with all metrics; write the per-case table and, on demand, a picture of some cases.

    Args:
        examples: picture some cases, from the worst to the best.
        group: the processes that share the cases; that of rank 0 writes.
        options: and the other arguments, as of ``scored``.

    Returns:
        The metrics by level, as ``summarize`` makes them, with intervals.
    """
    table = scored(model, loader, dataset, device, group=group, **options)
    if group.is_main:
        write_per_case(folder / per_case_file, table)
        if examples:
            by_dice = table[table[LEVEL] == ENSEMBLE].sort_values(["dice", NAME], na_position="first")
            chosen = at_even_steps(by_dice[NAME].tolist(), NUM_EXAMPLES)
            picture = examples_picture(model, dataset, chosen, device, options.get("threshold", THRESHOLD))
            write_image(folder / EXAMPLES_FILE, picture)
    return summarize(table, intervals=True)


def scored(
    model: nn.Module,
    loader,
    dataset,
    device: torch.device,
    *,
    threshold: float = THRESHOLD,
    spacing_mm: Spacing | None = None,
    writers: Sequence[Callable[[Case], None]] = (),
    group: Group = SINGLE,
    network: str = "the network",
) -> pd.DataFrame:
    """The table of scores of all cases with all metrics and the ``group`` of each case; see ``scores.evaluate``.

    Args:
        loader: of this process's part of the cases, those of ``dataset``.
        spacing_mm: of the pixels of every case; None takes it from DICOM headers where there is one.
        writers: called with every case.
    """

    def write(case: Case) -> None:
        for writer in writers:
            writer(case)

    table = evaluate(
        model,
        loader,
        device,
        threshold=threshold,
        distances=True,
        spacing_of=lambda name: spacing_mm or _spacing_of(dataset.path("images", name)),
        on_case=write if writers else None,
        group=group,
        network=network,
    )
    table[GROUP] = table[NAME].map(dataset.spec.case_of)
    return table


def _spacing_of(path: Path) -> Spacing | None:
    """None, too, for a header with an impossible spacing: the case has its distances in pixels."""
    return dicom_geometry(path)["pixel_spacing_mm"] if is_dicom(path) else None


@torch.inference_mode()
def examples_picture(
    model: nn.Module, dataset, names: list[str], device: torch.device, threshold: float = THRESHOLD
) -> np.ndarray:
    """A row a case: image, pseudo-masks, level probabilities, prediction and truth; (H,W,3) uint8."""
    was_training = model.training
    model.eval()
    rows = []
    for name in names:
        sample = dataset[dataset.names.index(name)]
        size, pseudo = sample["image"].shape[-2:], sample.get("pseudo")
        logits = all_logits(model(sample["image"][None].to(device)))[:, 0]
        probabilities = full_size_probabilities(logits, size)[:, 0].cpu().numpy()
        row = prediction_row(
            sample["image"].numpy(),
            probabilities,
            _resized(sample.get("label"), size),
            None if pseudo is None else pseudo.numpy(),
            _resized(sample.get("ignore"), size),
            threshold=threshold,
        )
        rows.append(row)
    model.train(was_training)
    return grid(rows)


def _resized(label: torch.Tensor | None, size) -> np.ndarray | None:
    """(1,h,w) as (H,W) bool."""
    if label is None:
        return None
    return torch.nn.functional.interpolate(label[None], size=tuple(size), mode="nearest")[0, 0].numpy() > 0
