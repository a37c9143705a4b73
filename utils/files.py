"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its name when the block ends without an error.

    The temporary name ends like the final one, since image writers choose the format by it. After an error
    the temporary file is removed and an older ``path`` stays as it was. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}{path.suffix}"
    try:
        # Not mkstemp, which makes files private: to know the umask is to change it, for other threads, too.
        temporary.touch(exist_ok=False)
    except OSError as error:
        # It names a file that nobody has asked for.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        # A failed write, as on a full disk, does not know its file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: str | os.PathLike) -> None:
    """Make a folder, and raise OSError with its name if nothing can be written there: before work begins."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(f"{folder}: expected a folder, or nothing yet, found a file; choose another") from error
    try:
        with tempfile.TemporaryFile(prefix=TEMPORARY_PREFIX, dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def remove_temporary(folder: str | os.PathLike) -> None:
    """Remove what killed processes left half-written in a folder; nothing to do where it is absent.

    Only for folders in which no other process writes at the same time.
    """
    for path in Path(folder).glob(f"{TEMPORARY_PREFIX}*"):
        # ``replacing`` makes no folders.
        if not path.is_dir():
            path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content) -> None:
    """Write JSON, whole or not at all; numbers that are not finite become null, as JSON knows none."""
    write_text(path, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(content):
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
