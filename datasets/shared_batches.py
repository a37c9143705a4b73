"""Batches whose samples lie in memory that loader processes share: the processes send keys, and no pixels.

To send a batch takes several times as long as to flip and stack it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

Keys = list[tuple[int, int]]


@dataclass(frozen=True)
class KeysInMemory:
    """A batch of which all samples are in shared memory. Not a tuple: torch would make a list of it when pinning."""

    keys: Keys


class LeftInMemory(Dataset):
    """What a loader process makes of the keys (index, epoch) of a batch: the batch, or only ``KeysInMemory``.

    Args:
        dataset: says with ``leaves_in_memory(index)`` whether a sample is in shared memory now.
    """

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __getitems__(self, keys: Keys) -> KeysInMemory | dict:
        if all(self.dataset.leaves_in_memory(index) for index, _ in keys):
            return KeysInMemory(keys)
        return default_collate([self.dataset[key] for key in keys])


class TakenFromMemory:
    """The batches of a loader over ``LeftInMemory``, those in shared memory being made here, pinned if asked for."""

    def __init__(self, loader: DataLoader, dataset: Dataset, *, pin_memory: bool):
        self.loader, self.dataset, self.batch_sampler = loader, dataset, loader.batch_sampler
        # As in torch's loader, without a GPU there is nothing to pin for.
        self.pin_memory = pin_memory and torch.cuda.is_available()

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[dict]:
        for batch in self.loader:
            yield self._make(batch.keys) if isinstance(batch, KeysInMemory) else batch

    def _make(self, keys: Keys) -> dict:
        batch = default_collate([self.dataset[key] for key in keys])
        return {name: x.pin_memory() if self.pin_memory and torch.is_tensor(x) else x for name, x in batch.items()}


def as_it_is(batch):
    """The collation of batches that are whole already."""
    return batch
