"""Several files that belong together: all in their place, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from utils.files import TEMPORARY_PREFIX

# A name of its own, since the folders of killed processes are removed by it.
STAGED_PREFIX = f"{TEMPORARY_PREFIX}staged-"


@contextlib.contextmanager
def staged_folder(folder: str | os.PathLike, *, before_moving: Callable[[], None], last: str) -> Iterator[Path]:
    """Yield a hidden folder in ``folder``; when the block ends, all files in it take their places in ``folder``.

    Args:
        folder: made if absent; no other process is to write into it. What a killed process left hidden in it goes.
        before_moving: called when all files are whole, as to remove older ones.
        last: the name of the file that moves last, so that whoever finds it finds the others.

    After an error nothing of the block is left, and older files stay as they were.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{STAGED_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    hidden = Path(tempfile.mkdtemp(prefix=STAGED_PREFIX, dir=folder))
    try:
        yield hidden
        before_moving()
        files = [path for path in hidden.rglob("*") if path.is_file()]
        for file in sorted(files, key=lambda file: (file == hidden / last, file)):
            place = folder / file.relative_to(hidden)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, place)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


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
    hidden = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=path.parent))
        yield hidden / path.name
        files = sorted(hidden.iterdir(), key=lambda file: file.name == path.name)
        for file in files:
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
        for file in files:
            os.replace(file, path.parent / file.name)
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)
        if not path.exists():
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
