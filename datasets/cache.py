"""Storage of cached samples: memory that loader processes share, or a file that later runs find again."""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import re
import shutil
import stat
import tempfile
import weakref
from multiprocessing import reduction
from pathlib import Path

import numpy as np

CACHES = ("memory", "disk", "off")
CACHE_SUFFIX = ".gazecache"
MEMORY_FILE, CONTAINER = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


class File:
    """An open file, or anonymous file in memory, for reading and writing; it is closed with this object.

    Written by system calls: a page of a mapped file that finds no room on the disk would end the process. Processes
    that are started with it as an argument, by any start method, share the open file, so it may lose its name.

    Args:
        is_own: only processes of this run write, and write the same, so that a record checked once stays valid, and
            what is read may be the memory itself.
    """

    def __init__(self, descriptor: int | reduction.DupFd, is_own: bool = False):
        self.is_own = is_own
        # In a process that was started with it, a duplicate of the descriptor.
        self.descriptor = descriptor if isinstance(descriptor, int) else descriptor.detach()
        weakref.finalize(self, os.close, self.descriptor)
        self._map = mmap.mmap(self.descriptor, 0) if is_own else None

    def __reduce__(self):
        return File, (reduction.DupFd(self.descriptor), self.is_own)

    def read(self, offset: int, num_bytes: int) -> np.ndarray | None:
        """(num_bytes,) uint8, not to be written to; None beyond the end, and where the disk fails."""
        if self._map:
            return np.frombuffer(self._map, np.uint8, num_bytes, offset)
        data = np.empty(num_bytes, np.uint8)
        try:
            return data if os.preadv(self.descriptor, [data], offset) == num_bytes else None
        except OSError:
            return None

    def write(self, offset: int, data) -> None:
        """Put bytes, or an array of them, there; an OSError where the disk is full."""
        if os.pwrite(self.descriptor, data, offset) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def shared_storage(num_bytes: int) -> File:
    """Shared memory of this process and its loader processes, gone with them; OSError where there is too little.

    Memory, or a file without a name where the system has no files in memory (macOS).
    """
    if hasattr(os, "memfd_create"):
        # The system overcommits memory, and kills a process that takes too much.
        if num_bytes > _available_memory():
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        descriptor = os.memfd_create("samples")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    os.ftruncate(descriptor, num_bytes)
    return File(descriptor, is_own=True)


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


def open_cache_file(folder: Path, name: str, num_bytes: int, max_bytes: float) -> File:
    """Open a cache file of ``num_bytes``, made if absent, and remove others until all fit ``max_bytes``.

    The least recently used go first; one that another run has open stays readable there. An existing file of this name
    (without an ending) keeps its content up to ``num_bytes``. Space on the disk is taken as records are written.

    Raises:
        OSError: where the folder cannot be written to, or the disk has not that much room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}{CACHE_SUFFIX}"
    _make_room(folder, path, max_bytes - num_bytes)
    allocated = path.stat().st_blocks * 512 if path.is_file() else 0
    if num_bytes - allocated > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    file = File(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
    os.ftruncate(file.descriptor, num_bytes)
    # Marks it as used now, even if nothing will be written.
    os.utime(file.descriptor)
    return file


def _make_room(folder: Path, kept: Path, max_bytes: float) -> None:
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
