"""What the parts of a training run share."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from commands.options.training import LATEST_FILE
from datasets import SegmentationDataset
from datasets.loaders import evaluation_loader
from trainer import TrainState
from utils.distributed import Group
from utils.log import NoLog, RunLog

BEST_FILE, ARGS_FILE = "model_best.pth", "args.json"
PREVIOUS_FILE, PROFILE_FOLDER = "model_previous.pth", "profile"
RUN_FILES = (
    "args.json",
    "train.log",
    "events.out.tfevents.*",
    LATEST_FILE,
    PREVIOUS_FILE,
    BEST_FILE,
    "model_ite*.pth",
    "per_case*.csv",
    "summary.json",
    "examples.png",
    f"{PROFILE_FOLDER}/trace.json",
    f"{PROFILE_FOLDER}/operations.txt",
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
    "encoder_input",
    "decoder_channels",
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
    log: RunLog | NoLog
    group: Group
    average: AveragedModel | None = None

    @property
    def network(self) -> nn.Module:
        """What predicts: the mean of the weights where there is one, else the model that is trained."""
        return self.model if self.average is None else self.average.module

    def loader(self, dataset: SegmentationDataset):
        """A loader of this process's part of a data set, to evaluate."""
        part = dataset.only(self.group.part(dataset.names))
        return evaluation_loader(
            part,
            batch_size=-(-self.args.batch_size // self.group.size),
            num_worker=self.args.num_worker,
            pin_memory=self.device.type == "cuda",
        )


def first_options(folder: Path) -> dict:
    """The options, and what else ``args.json`` holds, that the run in a folder began with; empty where there is none.

    Raises:
        ValueError: if they cannot be read.
    """
    path = folder / ARGS_FILE
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: expected the options of a run, found something else ({error})") from error
