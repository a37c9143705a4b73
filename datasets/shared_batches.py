"""Batches whose samples are in a cache that loader processes share: the processes send keys, and no pixels.

To send a batch takes several times as long as to flip and stack it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset, default_collate

Keys = list[tuple[int, int]]


@dataclass(frozen=True)
class KeysInCache:
    """A batch of which all samples are in the cache. Not a tuple: torch would make a list of it when pinning."""

    keys: Keys


class LeftInCache(Dataset):
    """What a loader process makes of the keys (index, epoch) of a batch: the batch, or only ``KeysInCache``.

    Args:
        dataset: says with ``is_cached(index)`` whether a sample is in the cache now.
    """

    def __init__(self, dataset: Dataset):
        self.dataset = dataset

    def __getitems__(self, keys: Keys) -> KeysInCache | dict:
        if all(self.dataset.is_cached(index) for index, _ in keys):
            return KeysInCache(keys)
        return default_collate([self.dataset[key] for key in keys])


class TakenFromCache:
    """The batches of a loader over ``LeftInCache``, those in the cache being made here, pinned if asked for."""

    def __init__(self, loader: DataLoader, dataset: Dataset, *, pin_memory: bool):
        self.loader, self.dataset, self.batch_sampler = loader, dataset, loader.batch_sampler
        # As in torch's loader, without a GPU there is nothing to pin for.
        self.pin_memory = pin_memory and torch.cuda.is_available()

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[dict]:
        for batch in self.loader:
            yield self._make(batch.keys) if isinstance(batch, KeysInCache) else batch

    def _make(self, keys: Keys) -> dict:
        batch = default_collate([self.dataset[key] for key in keys])
        return {name: x.pin_memory() if self.pin_memory and torch.is_tensor(x) else x for name, x in batch.items()}


def identity_collate(batch):
    """The collation of batches that are whole already."""
    return batch
