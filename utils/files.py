"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from utils.locks import in_use, left_behind

TEMPORARY_NAME = re.compile(r"\.tmp-[0-9a-f]{16}(\..*)?")


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A new hidden path in the folder of ``path``, which ``remove_temporary`` knows again."""
    return path.parent / f".tmp-{secrets.token_hex(8)}{suffix}"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Atomic write: yield a temporary path beside ``path`` that takes its name when the block ends without an error.

    The temporary name ends like the final one, since image writers choose the format by it. After an error
    the temporary file is removed and an older ``path`` stays as it was. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path, path.suffix)
    try:
        # Not mkstemp, which makes files private: to know the umask is to change it, for other threads, too.
        temporary.touch(exist_ok=False)
    except OSError as error:
        # It names a file that nobody has asked for.
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with in_use(temporary):
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


def remove_temporary(folder: str | os.PathLike) -> None:
    """Remove what killed processes left half-written in a folder; nothing to do where it is absent.

    What living processes are writing stays, as far as the file system has locks; without, all stays.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if TEMPORARY_NAME.fullmatch(entry.name)]:
            if not left_behind(path):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Atomic write of text as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content) -> None:
    """Atomic write of JSON; numbers that are not finite become null, as JSON knows none."""
    write_text(path, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")


def finite(content):
    """What JSON is made of, with None in place of numbers that are not finite."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if hasattr(content, "item"):  # a number of NumPy
        return finite(content.item())
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
