"""Several files that belong together: all in their place, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.files import temporary_beside
from utils.locks import in_use


@contextlib.contextmanager
def hidden_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside ``path``, which goes in the end with what is left in it.

    What a kill leaves of it is for ``utils.files.remove_temporary``.
    """
    hidden = temporary_beside(path)
    hidden.mkdir()
    try:
        with in_use(hidden):
            yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


@contextlib.contextmanager
def staged_folder(folder: str | os.PathLike, *, before_moving: Callable[[], None], last: str) -> Iterator[Path]:
    """Yield a hidden folder in ``folder``; when the block ends, all files in it take their places in ``folder``.

    Args:
        folder: made if absent; no other process is to write into it.
        before_moving: called when all files are whole, as to remove older ones.
        last: the name of the file that moves last, so that whoever finds it finds the others.

    After an error nothing of the block is left, and older files stay as they were.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with hidden_folder(folder / last) as hidden:
        yield hidden
        before_moving()
        files = [path for path in hidden.rglob("*") if path.is_file()]
        for file in sorted(files, key=lambda file: (file == hidden / last, file)):
            place = folder / file.relative_to(hidden)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, place)


@contextlib.contextmanager
def staging(path: str | os.PathLike) -> Iterator[Path]:
    """Yield ``path`` in a hidden folder of its own; when the block ends, all files there move beside ``path``.

    ``path`` itself comes last, so that whoever finds it finds the others. After an error nothing is left and older
    files stay as they were. Missing folders are made, and removed again after an error.

    Raises:
        OSError: where the folder cannot be written to, with its name.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hidden_folder(path) as hidden:
            yield hidden / path.name
            files = sorted(hidden.iterdir(), key=lambda file: file.name == path.name)
            for file in files:
                with open(file, "rb") as opened:
                    os.fsync(opened.fileno())
            for file in files:
                os.replace(file, path.parent / file.name)
    finally:
        if not path.exists():
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
