"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone_in(folder: str | Path, what: str) -> Iterator[None]:
    """Keep other processes that ask, too, out of a folder that there is; ends with the process, whatever ends it.

    Args:
        what: for the message, what another would be doing there, such as ``preparation``.

    Raises:
        ValueError: if another is there.
    """
    # On the folder itself: a lock that leaves no file behind.
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(f"{folder}: expected to be alone, found another {what} at work; let it end") from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)
