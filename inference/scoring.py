"""Scoring of a model with results in a folder, shared by training and evaluation."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from datasets.spacing import dicom_geometry
from datasets.transforms import resize_labels
from evaluation.metrics import THRESHOLD
from evaluation.per_case import ENSEMBLE, GROUP, LEVEL, NAME, PER_CASE_FILE, evenly_spaced, write_per_case
from evaluation.scores import Spacing
from evaluation.summary import summarize
from inference.network_scores import all_logits, full_size_probabilities, score_network
from reporting.visualize import grid, prediction_row
from utils.distributed import SINGLE, Group
from utils.images import write_image

EXAMPLES_FILE = "examples.png"
NUM_EXAMPLES = 5


def score(
    model: nn.Module,
    loader,
    dataset,
    device: torch.device,
    folder: Path,
    *,
    per_case_file: str = PER_CASE_FILE,
    levels: bool = True,
    examples: bool = False,
    spacing_mm: Spacing | None = None,
    group: Group = SINGLE,
    **options,
) -> dict[str, dict]:
    """Evaluate with all metrics; write the per-case table and, on demand, a picture of some cases.

    Args:
        loader: of this process's part of the cases, those of ``dataset``.
        levels: False keeps the ensemble alone, as for a predictor of one level.
        examples: picture some cases, from the worst to the best.
        spacing_mm: of the pixels of every case; None takes it from DICOM headers where they have a valid one.
        group: the processes that share the cases; that of rank 0 writes.
        options: and the other arguments, as of ``network_scores.score_network``.

    Returns:
        The metrics by level, as ``summarize`` makes them, with intervals.
    """

    def spacing_of(name: str) -> Spacing | None:
        return spacing_mm or dicom_geometry(dataset.path("images", name)).get("pixel_spacing_mm")

    table = score_network(model, loader, device, distances=True, spacing_of=spacing_of, group=group, **options)
    table[GROUP] = table[NAME].map(dataset.spec.case_of)
    ensemble = table[table[LEVEL] == ENSEMBLE]
    table = table if levels else ensemble
    if group.is_main:
        write_per_case(folder / per_case_file, table)
        if examples:
            ranked = ensemble.sort_values(["dice", NAME], na_position="first")[NAME].tolist()
            shown = dataset.subset(evenly_spaced(ranked, NUM_EXAMPLES))
            picture = examples_picture(model, shown, device, options.get("threshold", THRESHOLD))
            write_image(folder / EXAMPLES_FILE, picture)
    return summarize(table, intervals=True)


@torch.inference_mode()
def examples_picture(model: nn.Module, dataset, device: torch.device, threshold: float = THRESHOLD) -> np.ndarray:
    """Picture with a row a sample: image, pseudo-masks, level probabilities, prediction and truth; (H,W,3) uint8."""
    was_training = model.training
    model.eval()
    rows = []
    for index in range(len(dataset)):
        sample, size = dataset[index], dataset.spatial_size
        logits = all_logits(model(sample["image"][None].to(device)))[:, 0]
        probabilities = full_size_probabilities(logits, (size, size))[:, 0].cpu().numpy()
        drawn = {key: resize_labels(sample[key], size)[0].numpy() > 0 for key in ("label", "ignore") if key in sample}
        pseudo = sample.get("pseudo", ())
        rows.append(prediction_row(sample["image"].numpy(), probabilities, pseudo=pseudo, threshold=threshold, **drawn))
    model.train(was_training)
    return grid(rows)
