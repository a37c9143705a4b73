"""What the parts of a training run share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from datasets import SegmentationDataset
from trainer import TrainState
from utils.log import RunLog

LATEST_FILE, BEST_FILE, ARGS_FILE = "model_latest.pth", "model_best.pth", "args.json"
RUN_FILES = (
    "args.json",
    "train.log",
    "events.out.tfevents.*",
    LATEST_FILE,
    BEST_FILE,
    "per_case*.csv",
    "summary.json",
    "examples.png",
)
MODEL_KEYS = (
    "in_channels",
    "num_levels",
    "cons_mode",
    "features",
    "feat_dim",
    "init",
    "prop_similarity",
    "prop_kernel_size",
    "prop_dilation",
    "encoder",
    "encoder_weights",
    "ensemble",
)


class Data(NamedTuple):
    """The data sets of a run; ``selection`` is where the best checkpoint is chosen."""

    train: SegmentationDataset
    selection: SegmentationDataset | None
    selection_split: str | None
    test: SegmentationDataset | None


class Run(NamedTuple):
    """What the parts of a run share."""

    args: argparse.Namespace
    folder: Path
    data: Data
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.GradScaler
    state: TrainState
    device: torch.device
    log: RunLog
