"""Atomic writes of files, and of sets of files that belong together."""

import contextlib
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from utils.locks import is_orphaned, remove_new_empty_folders, shared_lock

TEMPORARY_NAME = re.compile(r"\.tmp-[0-9a-f]{16}(\..*)?")


def temporary_beside(path: Path, suffix: str = "") -> Path:
    """A new hidden path in the folder of ``path``, with a name that ``remove_temporary`` recognises."""
    return path.parent / f".tmp-{secrets.token_hex(8)}{suffix}"


@contextlib.contextmanager
def named_in_errors(path: str | os.PathLike) -> Iterator[None]:
    """Put this path into an OSError: that of a failed write, as on a full disk, lacks the file's name."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


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
        # Not mkstemp, whose files are private: reading the umask to undo that would change it for other threads.
        temporary.touch(exist_ok=False)
        with shared_lock(temporary):
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)) or error.filename2:
            raise
        # The error lacks a name, as on a full disk, or has that of the temporary file.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def remove_temporary(folder: str | os.PathLike) -> None:
    """Remove temporary files of killed processes from a folder, if it exists.

    Those of living processes stay, by their locks; on a file system without locks all stay.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if TEMPORARY_NAME.fullmatch(entry.name)]:
            if not is_orphaned(path):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside ``path``, which is removed in the end with what is left in it."""
    hidden = temporary_beside(path)
    hidden.mkdir()
    try:
        with shared_lock(hidden):
            yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def staged_folder(
    folder: str | os.PathLike, *, last: str, before_moving: Callable[[], None] = lambda: None
) -> Iterator[Path]:
    """Atomic write of several files: yield a hidden folder, whose files move to their places in ``folder`` at the end.

    After an error nothing of the block is left, and older files stay as they were.

    Args:
        folder: made if absent, and removed again after an error; no other process is to write into it.
        last: the name of the file that moves last, so that whoever finds it finds the others.
        before_moving: called when all files are complete, as to remove older ones.

    Raises:
        OSError: where the folder cannot be written to, with its name.
    """
    folder = Path(folder)
    with remove_new_empty_folders(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder / last) as hidden:
            yield hidden
            files = sorted(filter(Path.is_file, hidden.rglob("*")), key=lambda file: (file == hidden / last, file))
            for file in files:
                _sync(file)
            before_moving()
            for file in files:
                place = folder / file.relative_to(hidden)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, place)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Atomic write of text as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, content) -> None:
    """Atomic write of JSON; numbers that are not finite become null, as JSON knows none."""
    write_text(path, json.dumps(finite(content), indent=2, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> dict:
    """Read the entries of a JSON file, none where there is no file; ValueError, which names ``what``, if broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if not isinstance(content, dict):
            raise ValueError("no entries with names")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected {what}, found something else ({error})") from error
    return content


def finite(content):
    """Content for JSON, with None in place of numbers that are not finite."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if hasattr(content, "item"):  # a number of NumPy
        return finite(content.item())
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def remove_files(folder: Path, patterns: Iterable[str]) -> None:
    """Remove the files of a folder that fit any of some patterns."""
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()
