"""Baseline scores: the trivial predictors, which ignore the image, on the test set."""

from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from datasets import SegmentationDataset, build_dataset
from datasets.loaders import evaluation_loader
from datasets.specs import RELEASED_SPATIAL_SIZE
from evaluation.metrics import THRESHOLD
from evaluation.summary import SUMMARY_FILE, describe_metrics
from inference.scoring import score
from models.trivial import everything, mean_map
from utils.devices import pick_device, use_cores
from utils.files import staged_folder, write_json

WHAT = "trivial predictors"
PREDICTORS = ("everything", "mean_map")


def score_trivial(
    data: str,
    root: str | Path,
    exp_path: str | Path,
    *,
    spatial_size: int = RELEASED_SPATIAL_SIZE,
    skip_missing_gaze: bool = False,
    batch_size: int = 8,
    threads: int | None = None,
    num_worker: int | None = None,
    device: str | None = None,
) -> dict[str, dict]:
    """Score both trivial predictors, write and print their results.

    Args:
        exp_path: folder of the results.
        spatial_size: side of the mean map, pixels.
        data, root, skip_missing_gaze, batch_size, threads, num_worker, device: as of ``Settings`` of a training.

    Returns:
        The metrics by predictor, ``everything`` and ``mean_map``, as ``evaluation.summary.summarize`` makes them.

    Raises:
        OSError, ValueError: for data that cannot be read, and results that cannot be written.
    """
    picked = pick_device(device)
    _, num_worker = use_cores(picked, threads=threads, loaders=num_worker)
    loading = {"batch_size": batch_size, "num_worker": num_worker}
    test = build_dataset(data, root=root, split="test", spatial_size=spatial_size)
    options = {"num_levels": 1, "augment": False, "has_labels": False, "skip_missing_gaze": skip_missing_gaze}
    train = build_dataset(data, root=root, split="train", spatial_size=spatial_size, **options)
    if train.without_map:
        print(train.describe_left_out(SUMMARY_FILE))
    models = everything(spatial_size), mean_map(_pseudo_masks(train, loading))
    loader = evaluation_loader(test, **loading)
    metrics: dict[str, dict] = {}
    with staged_folder(Path(exp_path), last=SUMMARY_FILE) as staged:
        for name, model in zip(PREDICTORS, models, strict=True):
            file = table_file(name)
            metrics[name] = score(model.to(picked), loader, test, picked, staged, per_case_file=file, levels=False)
            print(f"{name.replace('_', ' ')}: {describe_metrics(metrics[name])}")
        summary = {
            "what": WHAT,
            "data": data,
            "root": str(root),
            "split": "test",
            "threshold": THRESHOLD,
            "ignore_value": test.spec.ignore_value,
            "without_map": train.without_map,
            "results": {name: {"iteration": None, "metrics": found} for name, found in metrics.items()},
        }
        write_json(staged / SUMMARY_FILE, summary)
    return metrics


def table_file(predictor: str) -> str:
    """File name of a predictor's per-case scores."""
    return f"per_case_{predictor}.csv"


def _pseudo_masks(train: SegmentationDataset, loading: dict) -> Tensor:
    """The level-1 pseudo-masks of the training set, (N,S,S) uint8."""
    loader = evaluation_loader(train, **loading)
    masks = [m[0].to(torch.uint8) for batch in tqdm(loader, desc="mean map", disable=None) for m in batch["pseudo"]]
    return torch.stack(masks)
