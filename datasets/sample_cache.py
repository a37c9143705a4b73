"""Samples as they are before flipping, kept: they depend on files and settings alone."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import PIL
import pydicom
import torch
from PIL import features
from torch import Tensor

from datasets.cache import KEY_BYTES, File, RecordCache, open_cache_file, shared_storage, stride

if TYPE_CHECKING:
    from datasets.segmentation import SegmentationDataset

# To be raised with every change of what a record holds, or of how files become samples.
FORMAT = 4
GB = 1e9


class SampleCache:
    """The samples of a data set that are kept; the others are decoded each time.

    Args:
        layout: of a record, a structured type: the sample's arrays by name.
        records: where they are kept.
        files_of: from an index to the files that a sample is made from.
    """

    def __init__(self, layout: np.dtype, records: RecordCache, files_of: Callable[[int], list[Path]]):
        self.layout, self.records, self.files_of = layout, records, files_of
        self._keys = [_key(files_of(index)) for index in range(records.capacity)]

    def sample(self, index: int, decode: Callable[[int], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The arrays of a sample, from the cache or else from ``decode(index)``, and then kept if there is room.

        Those from the cache are of the layout's types. A file that changes while it is read is not kept.
        """
        if index >= self.records.capacity:
            return decode(index)
        key = self._keys[index]
        record = self.records.read(index, key)
        if record is not None:
            return self._unpack(record)
        sample = decode(index)
        if _key(self.files_of(index)) == key:
            self.records.write(index, key, self._pack(sample))
        return sample

    def _pack(self, sample: dict[str, Tensor]) -> np.ndarray:
        record = np.empty(1, self.layout)
        for name in self.layout.names:
            record[name] = sample[name]
        return record.view(np.uint8)

    def _unpack(self, record: np.ndarray) -> dict[str, Tensor]:
        arrays = record.view(self.layout)[0]
        return {name: torch.from_numpy(arrays[name]) for name in self.layout.names}


def open_sample_cache(
    dataset: SegmentationDataset, kind: str, *, max_bytes: float, folder: Path
) -> tuple[SampleCache | None, str]:
    """The cache of a data set as it is now, and a sentence about it.

    Args:
        dataset: with labels of the network's size, if any. Later changes of its names, sizes or levels do not fit it.
        kind: ``memory``, which loader processes share; ``disk``, which later runs find again; or ``off``.
        max_bytes: bound on all of it, for ``disk`` together with the files of other settings in ``folder``.
        folder: for ``disk``; made if absent.

    Returns:
        The cache and what it holds, or None and why there is none: a cache that cannot be had stops no training.
    """
    layout = _layout(dataset)
    record_bytes = layout.itemsize
    # Not "//", of which infinity makes no number.
    capacity = int(min(len(dataset), max_bytes / stride(record_bytes)))
    if kind == "off" or capacity < 1:
        return None, "cache: off; samples are decoded each time"
    num_bytes = capacity * stride(record_bytes)
    try:
        if kind == "memory":
            storage, where = shared_storage(num_bytes), "in memory"
        else:
            storage = File(open_cache_file(folder, _settings_hash(dataset, layout), num_bytes, max_bytes))
            where = f"in {folder}"
    except OSError as error:
        at = folder if kind == "disk" else "memory"
        return None, (
            f"cache: expected room for {num_bytes / GB:.2f} GB in {at}, found {error.strerror}; samples are decoded "
            "each time: choose another --cache_dir, --cache, or less --cache_gb"
        )
    # Of a copy: what refers to itself keeps its memory until Python looks for such, seeds later.
    files_of = dataset.only(dataset.names).files_of
    cache = SampleCache(layout, RecordCache(storage, capacity, record_bytes), files_of)
    return cache, f"cache: {capacity} of {len(dataset)} samples {where}, {num_bytes / GB:.2f} GB"


def _layout(dataset: SegmentationDataset) -> np.dtype:
    size = (dataset.spatial_size, dataset.spatial_size)
    fields = [("image", np.float32, (dataset.spec.in_channels, *size))]
    if dataset.has_labels:
        names = ["label"] if dataset.spec.ignore_value is None else ["label", "ignore"]
        fields += [(name, np.uint8, (1, *size)) for name in names]
    if dataset.thresholds:
        fields.append(("pseudo", np.uint8, (len(dataset.thresholds), *size)))
    return np.dtype(fields)


def _key(files: list[Path]) -> bytes:
    """What a sample is made from: its files as they are now.

    The time of their last change of any kind too: that of their content is kept by copying and unpacking, and files
    of uncompressed pixels are all of one size.
    """
    status = [(os.path.abspath(path), path.stat()) for path in files]
    parts = [(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns) for path, found in status]
    return hashlib.blake2b(repr(parts).encode(), digest_size=KEY_BYTES).digest()


def _settings_hash(dataset: SegmentationDataset, layout: np.dtype) -> str:
    """A name for all that decides a record's place and content, beside the files themselves."""
    settings = (
        FORMAT,
        str(dataset.root.resolve()),
        dataset.names,
        dataset.spec.normalisation,
        dataset.spec.ignore_value,
        dataset.thresholds,
        str(dataset.map_folder or ""),
        [(name, layout[name].shape, str(layout[name].base)) for name in layout.names],
        [package.__version__ for package in (torch, np, PIL, pydicom)],
        features.version("libjpeg_turbo") or features.version("jpg"),
        # Vector instructions of another width may round otherwise.
        (platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability()),
        # Files from before there was the option are of images without it.
        *["antialias"] * dataset.antialias,
    )
    return hashlib.blake2b(repr(settings).encode(), digest_size=KEY_BYTES).hexdigest()
