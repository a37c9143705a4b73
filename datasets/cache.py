"""A cache of records of one size: in memory that loader processes share, or in a file that later runs find again.

A record is a header, the key of what it was made from and a checksum, and its data. The header is written last, so
that a record counts only when it is whole; any other is as good as none. Processes that write the same record at the
same time do no harm. In a folder of such files the least recently used ones go first.
"""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import re
import shutil
import stat
import struct
import tempfile
import warnings
import weakref
import zlib
from multiprocessing import reduction
from pathlib import Path

import numpy as np

CACHES = ("memory", "disk", "off")
CACHE_SUFFIX = ".gazecache"
KEY_BYTES = 16
HEADER = struct.Struct(f"<{KEY_BYTES}sI12x")
# Of records, so that floats in them lie as processors like it.
ALIGNMENT = 64
MEMORY_FILE, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


class RecordCache:
    """Records 0 up to ``capacity``, each of ``record_bytes``.

    Args:
        storage: what holds them, of ``capacity * stride(record_bytes)`` bytes.
    """

    def __init__(self, storage: File, capacity: int, record_bytes: int):
        self.capacity, self.record_bytes = capacity, record_bytes
        self._storage, self._checked, self._writable = storage, bytearray(capacity), True

    def read(self, index: int, key: bytes) -> np.ndarray | None:
        """The data of a record, (record_bytes,) uint8, or None unless it is there, whole, and of this key."""
        if index >= self.capacity:
            return None
        record = self._storage.read(index * stride(self.record_bytes), HEADER.size + self.record_bytes)
        if record is None:
            return None
        found, checksum = HEADER.unpack(record[: HEADER.size])
        data = record[HEADER.size :]
        if found != key:
            return None
        if not self._checked[index]:
            if checksum != zlib.crc32(data, zlib.crc32(key)):
                return None
            self._checked[index] = self._storage.is_own
        return data

    def write(self, index: int, key: bytes, data: np.ndarray) -> None:
        """Keep the data of a record, (record_bytes,) uint8, if it fits.

        Where it cannot be written, as on a full disk, a warning says so once and nothing more is written.
        """
        if index >= self.capacity or not self._writable:
            return
        offset = index * stride(self.record_bytes)
        try:
            # Void until the data are there.
            self._storage.write(offset, bytes(HEADER.size))
            self._storage.write(offset + HEADER.size, data)
            self._storage.write(offset, HEADER.pack(key, zlib.crc32(data, zlib.crc32(key))))
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"cache: expected room for {self.record_bytes} bytes more, found {error.strerror}; samples not "
                "kept are decoded each time: free some space, or choose --cache off",
                RuntimeWarning,
                stacklevel=2,
            )


class File:
    """A file, or memory that is one, open for reading and writing; it is closed with this object.

    It is written by calls: a page of a mapped file that finds no room on the disk ends the process. Processes that are
    started with it as an argument, by any start method, share the open file, so it may meanwhile lose its name.

    Args:
        descriptor: of the file.
        is_own: all who write are of this run, and write the same, so that what was right once stays so, and what is
            read may be the memory itself.
    """

    def __init__(self, descriptor: int | reduction.DupFd, is_own: bool = False):
        self.is_own = is_own
        # Of a process that was started with it, what it arrived as.
        self._descriptor = descriptor if isinstance(descriptor, int) else descriptor.detach()
        weakref.finalize(self, os.close, self._descriptor)
        self._map = mmap.mmap(self._descriptor, 0) if is_own else None

    def __reduce__(self):
        return File, (reduction.DupFd(self._descriptor), self.is_own)

    def read(self, offset: int, num_bytes: int) -> np.ndarray | None:
        """(num_bytes,) uint8, not to be written to; None beyond the end, and where the disk fails."""
        if self._map:
            return np.frombuffer(self._map, np.uint8, num_bytes, offset)
        data = np.empty(num_bytes, np.uint8)
        try:
            return data if os.preadv(self._descriptor, [data], offset) == num_bytes else None
        except OSError:
            return None

    def write(self, offset: int, data) -> None:
        """Put bytes, or an array of them, there; an OSError where the disk is full."""
        if os.pwrite(self._descriptor, data, offset) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def shared_storage(num_bytes: int) -> File:
    """Room that this process and its loader processes share, and that is gone with them.

    Memory, or a file without a name where the system has no files in memory (macOS).

    Raises:
        OSError: where there is not so much memory.
    """
    if hasattr(os, "memfd_create"):
        # The system promises more than it has, and kills who takes it.
        if num_bytes > _available_memory():
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        descriptor = os.memfd_create("samples")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    os.ftruncate(descriptor, num_bytes)
    return File(descriptor, is_own=True)


def stride(record_bytes: int) -> int:
    """Bytes from one record to the next."""
    return -(-(HEADER.size + record_bytes) // ALIGNMENT) * ALIGNMENT


def _available_memory() -> float:
    """Bytes that the system can still give, at most those that the container may use; infinite where neither says."""
    found = [math.inf]
    with contextlib.suppress(OSError):
        found += [1024 * int(kib) for kib in re.findall(r"MemAvailable:\s+(\d+)", MEMORY_FILE.read_text())]
    # "max" where there is no limit.
    with contextlib.suppress(OSError, ValueError):
        used = re.findall(r"^(?:anon|shmem|kernel) (\d+)", (CONTAINER / "memory.stat").read_text(), re.MULTILINE)
        found.append(int((CONTAINER / "memory.max").read_text()) - sum(map(int, used)))
    return min(found)


def open_cache_file(folder: Path, name: str, num_bytes: int, max_bytes: float) -> int:
    """Open a cache file of ``num_bytes``, made if absent; other ones are removed until all fit ``max_bytes``.

    A file that another run has open stays readable there after its removal. Space on the disk is taken as records
    are written.

    Args:
        folder: made if absent.
        name: without an ending.
        num_bytes: up to ``max_bytes``; an older file of this name keeps its content up to there.

    Returns:
        A file descriptor for reading and writing.

    Raises:
        OSError: where the folder cannot be written to, or the disk has not that much room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{CACHE_SUFFIX}"
    _make_room(folder, path, max_bytes - num_bytes)
    allocated = path.stat().st_blocks * 512 if path.is_file() else 0
    if num_bytes - allocated > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        os.ftruncate(descriptor, num_bytes)
        # When it was last used, even if nothing will be written.
        os.utime(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _make_room(folder: Path, kept: Path, max_bytes: float) -> None:
    """Remove cache files but ``kept``, the least recently used ones first, until the rest fit ``max_bytes``."""
    others = []
    for path in folder.glob(f"*{CACHE_SUFFIX}"):
        # Another run may remove it at this moment.
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if path != kept and stat.S_ISREG(status.st_mode):
                others.append((status.st_mtime_ns, path, status.st_size))
    for _, path, size in sorted(others, reverse=True):
        max_bytes -= size
        if max_bytes < 0:
            path.unlink(missing_ok=True)
