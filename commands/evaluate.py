"""``run.py evaluate``: score a checkpoint, ours or a released one, case by case."""

from __future__ import annotations

import argparse
from pathlib import Path

from commands.data_options import check_settings, id_numbers
from commands.scoring import score
from commands.training.describe import said_of_ensemble
from datasets import build_dataset, get_spec
from datasets.loaders import evaluation_loader
from datasets.specs import DatasetSpec
from datasets.splits import has_validation_file
from models import build_from_weights
from utils.checkpoint import load_checkpoint
from utils.devices import pick_device
from utils.files import write_json
from utils.reporting import SUMMARY_FILE, describe_metrics

RELEASED_SPATIAL_SIZE = 224


def main(args: argparse.Namespace) -> int:
    """Score the checkpoint, write and print the results; returns 0."""
    device = pick_device(args.device)
    checkpoint = load_checkpoint(args.ckpt_path)
    config = checkpoint.get("config") or {}
    data = _data(args, config)
    size = args.spatial_size or config.get("spatial_size") or RELEASED_SPATIAL_SIZE
    model = build_from_weights(checkpoint["state_dict"], config.get("model"), ensemble=args.ensemble)
    spec = get_spec(data, args.root)
    _check_channels(args, spec, checkpoint["state_dict"])
    check_settings(spec, config, args.ckpt_path)
    dataset = build_dataset(
        data,
        root=args.root,
        split=args.split,
        spatial_size=size,
        augment=False,
        labels="required",
        full_size_labels=True,
        # A val.txt at hand goes before what the checkpoint remembers of another folder.
        val_fraction=args.val_fraction or (0.0 if has_validation_file(args.root) else config.get("val_fraction", 0.0)),
        seed=config.get("seed", 0) if args.seed is None else args.seed,
    )
    _warn_of_training_images(dataset.names, args, config)
    folder = Path(args.exp_path) if args.exp_path else Path(args.ckpt_path).parent / f"evaluate_{args.split}"
    loader = evaluation_loader(dataset, batch_size=args.batch_size, num_worker=args.num_worker)
    metrics = score(model.to(device), loader, device, folder, save_pred=args.save_pred, examples=dataset)
    iteration = checkpoint.get("iteration")
    summary = {
        "what": f"checkpoint, {len(model.model)} level(s)" + said_of_ensemble(model.ensemble),
        "checkpoint": str(args.ckpt_path),
        "data": data,
        "split": args.split,
        "spatial_size": size,
        "ensemble": model.ensemble,
        "results": {"checkpoint": {"iteration": int(iteration) if iteration is not None else None, "metrics": metrics}},
    }
    write_json(folder / SUMMARY_FILE, summary)
    print(f"{data} {args.split}, {len(dataset)} cases at {size}x{size}, mean (std over cases) in per cent")
    print(describe_metrics(metrics).replace("; ", "\n"))
    print(f"results: {folder}")
    return 0


def _data(args: argparse.Namespace, config: dict) -> str:
    data = args.data or config.get("data")
    if data is None:
        raise ValueError("--data: expected the data set, since the checkpoint does not name it; found none")
    return data


def _warn_of_training_images(names: list[str], args: argparse.Namespace, config: dict) -> None:
    """A sentence and no error: other images may go by the same ids."""
    trained = set(config.get("train_ids", ()))
    both = [name for name, number in zip(names, id_numbers(names), strict=True) if number in trained]
    if both and args.split != "train":
        print(
            f"warning: {len(both)} of {len(names)} images go by ids that the checkpoint was trained on "
            f"({', '.join(both[:5])}); if they are the same images, this score says nothing of new ones"
        )


def _check_channels(args: argparse.Namespace, spec: DatasetSpec, state_dict: dict) -> None:
    first = next(weight for weight in state_dict.values() if weight.ndim == 4)
    if first.shape[1] != spec.in_channels:
        raise ValueError(
            f"{args.ckpt_path}: expected a model for {spec.in_channels} image channels ({spec.name}), found one for "
            f"{first.shape[1]}; choose the --data it was trained on, or its channels in dataset.toml (--data folder)"
        )
