"""From a training command line to data sets, model arguments, optimizer and objective."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from datasets import build_dataset
from datasets.gaze.levels import default_thresholds
from datasets.splits import has_validation_file
from losses.objectives import learns_from_gaze, settings_of
from models import build_model
from models.multi_level import MultiLevelModel
from models.smp_unet import SmpLevelUNet, freeze_unused, synchronised
from training.run import MODEL_KEYS, Data
from training.run_folder import first_options
from utils.devices import fastest_layout
from utils.distributed import SINGLE, Group

# Ends of levels on maps whose target is where they are above 0.5.
MADE_THRESHOLDS = (0.5, 0.3)


def build_data(args: argparse.Namespace, group: Group = SINGLE) -> Data:
    """The data sets of a training command line; without masks or test.txt there is nothing to evaluate on.

    The validation split is that of ``--val_fraction`` or, where there are masks, of val.txt. The bound on the cache is
    that of all processes of the group on this machine, which share a file, but not their memory.
    """
    gaze = learns_from_gaze(args.mode)
    common = {
        "root": args.root,
        "spatial_size": args.spatial_size,
        "val_fraction": args.val_fraction,
        "seed": args.seed,
        "antialias": args.antialias,
    }
    train_set = build_dataset(
        args.data,
        split="train",
        data_size_rate=args.data_size_rate,
        draw_subset=args.draw_subset,
        num_levels=args.num_levels if gaze else None,
        level_thresholds=level_thresholds(args) if gaze else None,
        labels="none" if gaze else "required",
        augment=args.flip_prob > 0,
        skip_missing_gaze=args.skip_missing_gaze,
        map_folder=args.map_folder,
        **common,
    )
    if args.resume and args.skip_missing_gaze:
        # Also those whose maps have been made since.
        before = first_options(Path(args.exp_path)).get("without_map")
        train_set.leave_out({*map(str, before)} if isinstance(before, list) else ())
    train_set.flip_probability, train_set.augmentation = args.flip_prob, args.augment
    sharing = group.on_this_machine if args.cache == "memory" else 1
    train_set.use_cache(args.cache, max_gb=args.cache_gb / sharing, folder=args.cache_dir)
    root = Path(args.root)
    has_masks = (root / "masks").is_dir() and any((root / "masks").iterdir())
    has_test = args.is_last_round and has_masks and (root / "test.txt").is_file()
    test = build_dataset(args.data, split="test", **common) if has_test else None
    if args.select == "last":
        return Data(train_set, None, None, test)
    if args.val_fraction or (has_masks and has_validation_file(root)):
        return Data(train_set, build_dataset(args.data, split="val", **common), "validation", test)
    return Data(train_set, test, "test" if test else None, test)


def level_thresholds(args: argparse.Namespace) -> Sequence[float] | None:
    """The thresholds of a command line, or those of the maps that it makes; None for the data set's own."""
    if args.level_thresholds or args.pseudo == "levels":
        return args.level_thresholds
    return default_thresholds(MADE_THRESHOLDS, args.num_levels)


def model_settings(args: argparse.Namespace) -> dict:
    """The arguments of ``build_model`` from a command line."""
    return {key: getattr(args, key) for key in MODEL_KEYS}


def check_batch_size(args: argparse.Namespace, group: Group) -> None:
    """``-bs`` is the batch of all processes together; a ValueError if it cannot be shared out."""
    if args.batch_size % group.size:
        raise ValueError(
            f"-bs {args.batch_size}: expected a multiple of {group.size}, the number of processes, which share each "
            "batch; change -bs or --nproc_per_node"
        )


def smallest_batch(args: argparse.Namespace, num_samples: int, group: Group) -> int:
    """The smallest number of images that a process gets at a time."""
    reaches_last = args.max_ite >= -(-num_samples // args.batch_size)
    last = num_samples % args.batch_size if reaches_last else 0
    return max(1, (last or args.batch_size) // group.size)


def memory_layout(args: argparse.Namespace, device: torch.device) -> torch.memory_format:
    """Of images and weights: as ``--channels_last`` says, else the fastest."""
    if args.channels_last is None:
        return fastest_layout(device)
    return torch.channels_last if args.channels_last else torch.contiguous_format


def build_network(
    args: argparse.Namespace, device: torch.device, smallest_batch: int = 1, group: Group = SINGLE
) -> MultiLevelModel:
    """The model on its device, with weights to start from scratch.

    Raises:
        ValueError: if it cannot be built, or not be trained on batches of ``smallest_batch`` images.
    """
    model = build_model(args.model, **model_settings(args))
    model.checkpoint_levels = args.checkpoint_levels
    if isinstance(model.model[0], SmpLevelUNet):
        freeze_unused(model.model, torch.zeros(min(smallest_batch, 2), args.in_channels, *2 * [args.spatial_size]))
    model = model.to(device, memory_format=memory_layout(args, device))
    if group.size > 1 and device.type == "cuda":
        model = synchronised(model)
    if args.compile:
        # Where there is no compiler, the network runs as it is, and torch says so.
        torch._dynamo.config.suppress_errors = True
        for level in model.model:
            level.compile()
    return model


def build_average(args: argparse.Namespace, model: nn.Module) -> AveragedModel | None:
    """The running mean of weights and statistics (``--ema``), or None; it is the model's own copy at first."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.ema), use_buffers=True) if args.ema else None


def build_optimizer(args: argparse.Namespace, model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer over all parameters that train; frozen ones (the released head) are left out."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    common = {"lr": args.lr, "weight_decay": args.weight_decay}
    if args.opt == "sgd":
        return torch.optim.SGD(parameters, momentum=0.99, nesterov=True, **common)
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[args.opt](parameters, **common)


def objective_settings(args: argparse.Namespace) -> dict:
    """The arguments of ``build_objective`` from a command line, beside the mode."""
    return {name: getattr(args, name) for name in settings_of(args.mode)}
