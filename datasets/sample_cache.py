"""Cache of decoded and resized samples, before augmentation: they depend on files and settings alone."""

import hashlib
import os
import platform
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL
import pydicom
import torch
from PIL import features
from torch import Tensor

from datasets.cache import File, open_cache_file, shared_storage

# Version of the records: to be raised when their content, or the way from files to samples, changes.
FORMAT = 4
KEY_BYTES = 16
HEADER = struct.Struct(f"<{KEY_BYTES}sI12x")
# Alignment of records, and so of the floats in them.
ALIGNMENT = 64
GB = 1e9


class SampleCache:
    """Cache of the first samples of a data set; the others are decoded each time.

    A record is a header, with the key of what the sample was made from and a checksum, and its arrays. The header is
    written last, so that a record that is not whole is invalid. Processes may write the same record at the same time.

    Args:
        storage: of ``len(keys) * stride(layout)`` bytes.
        layout: of a record, a structured type: the sample's arrays by name.
        keys: ``cache_key`` of the files of the samples to keep.
    """

    def __init__(self, storage: File, layout: np.dtype, keys: Sequence[bytes]):
        self.storage, self.layout, self.keys = storage, layout, keys
        self._checked, self._writable = bytearray(len(keys)), True

    def sample(
        self, index: int, decode: Callable[[int], dict[str, Tensor]], files_of: Callable[[int], list[Path]]
    ) -> dict[str, Tensor]:
        """The arrays of a sample, from the cache, or from ``decode(index)`` and then kept if there is room.

        Those from the cache have the layout's types. A sample whose files change while they are read is not kept.
        """
        if index >= len(self.keys):
            return decode(index)
        kept = self.read(index)
        if kept is not None:
            return kept
        sample = decode(index)
        if cache_key(files_of(index)) == self.keys[index]:
            self.write(index, sample)
        return sample

    def read(self, index: int) -> dict[str, Tensor] | None:
        """The arrays of a record, perhaps views of the memory itself; None unless it is valid and has this key."""
        record = self.storage.read(index * stride(self.layout), HEADER.size + self.layout.itemsize)
        if record is None:
            return None
        key, checksum = HEADER.unpack(record[: HEADER.size])
        data = record[HEADER.size :]
        if key != self.keys[index]:
            return None
        if not self._checked[index]:
            if checksum != zlib.crc32(data, zlib.crc32(key)):
                return None
            self._checked[index] = self.storage.is_own
        arrays = data.view(self.layout)[0]
        return {name: torch.from_numpy(arrays[name]) for name in self.layout.names}

    def write(self, index: int, sample: dict[str, Tensor]) -> None:
        """Keep the arrays of a sample.

        Where they cannot be written, as on a full disk, a warning says so once and nothing more is written.
        """
        if not self._writable:
            return
        record = np.empty(1, self.layout)
        for name in self.layout.names:
            record[name] = sample[name]
        data, key, offset = record.view(np.uint8), self.keys[index], index * stride(self.layout)
        try:
            # Invalid until the data are there.
            self.storage.write(offset, bytes(HEADER.size))
            self.storage.write(offset + HEADER.size, data)
            self.storage.write(offset, HEADER.pack(key, zlib.crc32(data, zlib.crc32(key))))
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"cache: expected room for {self.layout.itemsize} bytes more, found {error.strerror}; samples not "
                "kept are decoded each time: free some space, or choose --cache off",
                RuntimeWarning,
                stacklevel=2,
            )


def stride(layout: np.dtype) -> int:
    """Bytes from one record to the next."""
    return -(-(HEADER.size + layout.itemsize) // ALIGNMENT) * ALIGNMENT


def cache_key(files: list[Path]) -> bytes:
    """Hash of the state of a sample's files: path, size, and times of content (mtime) and status (ctime).

    ctime too: copying and unpacking keep mtime, and files of uncompressed pixels are all of one size.
    """
    status = [(os.path.abspath(path), path.stat()) for path in files]
    parts = [(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns) for path, found in status]
    return hashlib.blake2b(repr(parts).encode(), digest_size=KEY_BYTES).digest()


def open_sample_cache(
    layout: np.dtype, settings: Sequence, files: Sequence[list[Path]], kind: str, *, max_bytes: float, folder: Path
) -> tuple[SampleCache | None, str]:
    """Open the cache of samples; with it, a sentence about it.

    Args:
        layout: the arrays of a sample.
        settings: plain values that decide a sample's place and content, beside its files and the layout.
        files: what each sample is made from.
        kind, folder: as of ``SegmentationDataset.use_cache``.
        max_bytes: bound.

    A cache that cannot be had stops no training: it is None then, and the sentence says why.
    """
    # Not "//", which makes NaN of infinity.
    capacity = int(min(len(files), max_bytes / stride(layout)))
    if kind == "off" or capacity < 1:
        return None, "cache: off; samples are decoded each time"
    num_bytes = capacity * stride(layout)
    try:
        if kind == "memory":
            storage, where = shared_storage(num_bytes), "in memory"
        else:
            storage = open_cache_file(folder, _settings_hash(layout, settings), num_bytes, max_bytes)
            where = f"in {folder}"
    except OSError as error:
        at = folder if kind == "disk" else "memory"
        return None, (
            f"cache: expected room for {num_bytes / GB:.2f} GB in {at}, found {error.strerror}; samples are decoded "
            "each time: choose another --cache_dir, --cache, or less --cache_gb"
        )
    note = f"cache: {capacity} of {len(files)} samples {where}, {num_bytes / GB:.2f} GB"
    return SampleCache(storage, layout, [cache_key(of_sample) for of_sample in files[:capacity]]), note


def _settings_hash(layout: np.dtype, settings: Sequence) -> str:
    """Hash of all that decides a record's place and content, besides the files themselves."""
    parts = (
        FORMAT,
        *settings,
        [(name, layout[name].shape, str(layout[name].base)) for name in layout.names],
        [package.__version__ for package in (torch, np, PIL, pydicom)],
        features.version("libjpeg_turbo") or features.version("jpg"),
        # Vector instructions of another width may round differently.
        (platform.system(), platform.machine(), torch.backends.cpu.get_cpu_capability()),
    )
    return hashlib.blake2b(repr(parts).encode(), digest_size=KEY_BYTES).hexdigest()
