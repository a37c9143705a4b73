"""From a training command line to data sets, model arguments, optimizer and objective."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
from torch import nn

from commands.training.run import MODEL_KEYS, Data
from datasets import build_dataset
from datasets.splits import has_validation_file


def build_data(args: argparse.Namespace) -> Data:
    """The data sets of a training command line; without masks or test.txt there is nothing to evaluate on.

    The validation split is that of ``--val_fraction`` or, where there are masks, of val.txt.
    """
    gaze = args.mode == "gaze_sup"
    common = {
        "root": args.root,
        "spatial_size": args.spatial_size,
        "val_fraction": args.val_fraction,
        "seed": args.seed,
    }
    train_set = build_dataset(
        args.data,
        split="train",
        data_size_rate=args.data_size_rate,
        num_levels=args.num_levels if gaze else None,
        level_thresholds=args.level_thresholds,
        labels="none" if gaze else "required",
        augment=args.flip_prob > 0,
        **common,
    )
    train_set.flip_probability = args.flip_prob
    train_set.use_cache(args.cache, max_gb=_cache_gb(args), folder=args.cache_dir)
    root = Path(args.root)
    has_masks = (root / "masks").is_dir() and any((root / "masks").iterdir())
    test = build_dataset(args.data, split="test", **common) if has_masks and (root / "test.txt").is_file() else None
    if args.val_fraction or (has_masks and has_validation_file(root)):
        return Data(train_set, build_dataset(args.data, split="val", **common), "validation", test)
    return Data(train_set, test, "test" if test else None, test)


def _cache_gb(args: argparse.Namespace) -> float:
    """The share of this process: those that torchrun starts on a machine share a file, but not their memory."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if args.cache == "memory" else 1
    return args.cache_gb / processes


def model_settings(args: argparse.Namespace) -> dict:
    """The arguments of ``build_model`` from a command line."""
    return {key: getattr(args, key) for key in MODEL_KEYS}


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all parameters that train; frozen ones (the released head) are left out."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    common = {"lr": args.lr, "weight_decay": args.weight_decay}
    if args.opt == "sgd":
        return torch.optim.SGD(parameters, momentum=0.99, nesterov=True, **common)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[args.opt](parameters, **common)


def objective_settings(args: argparse.Namespace) -> dict:
    settings = {"seg_loss": args.seg_loss}
    if args.mode == "gaze_sup":
        settings |= {"cons_mode": args.cons_mode, "cons_weight": args.cons_weight}
    return settings
