"""The folder of cache files: one file for each set of settings, the least recently used ones going first."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

CACHE_SUFFIX = ".gazecache"


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
