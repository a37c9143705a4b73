"""Shared objects of a training run: data sets, model, optimizer, state, log."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from datasets import SegmentationDataset
from datasets.loaders import evaluation_loader
from trainer import TrainState
from training.settings import Settings
from utils.devices import resolve_amp
from utils.distributed import Group
from utils.log import NoLog, RunLog


class Data(NamedTuple):
    """The data sets of a run; the best checkpoint is chosen on ``selection``."""

    train: SegmentationDataset
    selection: SegmentationDataset | None
    selection_split: str | None
    test: SegmentationDataset | None


class Run(NamedTuple):
    """A training run: the objects that its parts share."""

    settings: Settings
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
    def folder(self) -> Path:
        return self.settings.folder

    @property
    def amp(self) -> str:
        """The mixed precision in use: ``off``, ``bf16`` or ``fp16``."""
        return resolve_amp(self.settings.amp, self.settings.fp16, self.device)

    @property
    def network(self) -> nn.Module:
        """The network that predicts: the mean of the weights where there is one, else the model that is trained."""
        return self.model if self.average is None else self.average.module

    def loader(self, dataset: SegmentationDataset):
        """Evaluation loader of this process's part of a data set."""
        return evaluation_loader(
            dataset.subset(self.group.shard(dataset.names)),
            batch_size=-(-self.settings.batch_size // self.group.size),
            num_worker=self.settings.num_worker,
            pin_memory=self.device.type == "cuda",
        )
