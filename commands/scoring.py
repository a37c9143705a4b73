"""Score a model on a loader and leave the results in a folder; shared by training and evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from utils.distributed import SINGLE, Group
from utils.evaluation import ENSEMBLE, evaluate, full_size_probabilities, summarize_rows, write_per_case
from utils.images import write_image
from utils.predictions import MaskWriter
from utils.visualize import grid, prediction_row

PER_CASE_FILE = "per_case.csv"
EXAMPLES_FILE = "examples.png"
PREDICTIONS_FOLDER = "predictions"
NUM_EXAMPLES = 5


def score(
    model: nn.Module,
    loader,
    device: torch.device,
    folder: Path,
    *,
    per_case_file: str = PER_CASE_FILE,
    save_pred: bool = False,
    examples: object = None,
    group: Group = SINGLE,
) -> dict[str, dict]:
    """Evaluate; write the per-case table and, on demand, predictions and a picture of some cases.

    Args:
        loader: of this process's part of the cases.
        examples: the data set of all cases, to picture some of them.
        group: the processes that share the cases; that of rank 0 writes.

    Returns:
        The metrics by level, as ``summarize_rows`` makes them.
    """
    writer = MaskWriter(folder / PREDICTIONS_FOLDER) if save_pred else None
    rows = evaluate(model, loader, device, on_case=writer, group=group)
    if group.is_main:
        write_per_case(folder / per_case_file, rows)
        if examples is not None:
            chosen = _spread([row for row in rows if row["level"] == ENSEMBLE], NUM_EXAMPLES)
            write_image(folder / EXAMPLES_FILE, examples_picture(model, examples, chosen, device))
    return summarize_rows(rows)


@torch.inference_mode()
def examples_picture(model: nn.Module, dataset, names: list[str], device: torch.device) -> np.ndarray:
    """A row a case: image, pseudo-masks, level probabilities, prediction and truth; (H,W,3) uint8."""
    was_training = model.training
    model.eval()
    lines, titles = [], []
    for name in names:
        sample = dataset[dataset.names.index(name)]
        outputs = model(sample["image"][None].to(device))
        logits = torch.cat([outputs["logits"][None], outputs["level_logits"]])[:, 0].float()
        probabilities = full_size_probabilities(logits, sample["image"].shape[-2:])[:, 0].cpu().numpy()
        label, pseudo = sample.get("label"), sample.get("pseudo")
        cells, titles = prediction_row(
            sample["image"].numpy(),
            probabilities,
            None if label is None else _resized(label, sample["image"].shape[-2:]),
            None if pseudo is None else pseudo.numpy(),
        )
        lines.append(cells)
    model.train(was_training)
    return grid(lines, titles)


def _resized(label: torch.Tensor, size) -> np.ndarray:
    return torch.nn.functional.interpolate(label[None], size=tuple(size), mode="nearest")[0, 0].numpy()


def _spread(rows: list[dict], count: int) -> list[str]:
    """Names from the worst to the best Dice at even steps, so that a picture shows failures too."""
    ranked = sorted(rows, key=lambda row: (np.nan_to_num(row["dice"], nan=-1), row["name"]))
    steps = np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int)
    return [ranked[i]["name"] for i in steps]
